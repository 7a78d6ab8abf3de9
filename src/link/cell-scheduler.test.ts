import fc from 'fast-check';
import { expect, it } from 'vitest';
import { restingQueuesMax, schedulerBurstCells } from '../base/limits.ts';
import { cellPayloadBytes, fixedCellBytes } from '../cell/link-codec.ts';
import { SpareBlocks } from './cell-queue.ts';
import { CellScheduler } from './cell-scheduler.ts';

type Step = { readonly push: number } | { readonly fill: number } | { readonly drop: number };

const circuits = fc.nat({ max: restingQueuesMax + 4 });
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    { weight: 8, arbitrary: fc.record({ push: circuits }) },
    { weight: 2, arbitrary: fc.record({ fill: fc.nat({ max: 60 }) }) },
    { weight: 1, arbitrary: fc.record({ drop: circuits }) },
  ),
  { maxLength: 400 },
);

/** The same in plain arrays: who has cells, in the order of turns, and the numbers of the cells. */
class Model {
  line: { circuit: number; cells: number[] }[] = [];

  push(circuit: number, cell: number): void {
    const queue = this.line.find(each => each.circuit === circuit);
    if (queue === undefined) this.line.push({ circuit, cells: [cell] });
    else queue.cells.push(cell);
  }

  fill(room: number): (readonly [circuit: number, cell: number])[] {
    const sent: (readonly [number, number])[] = [];
    for (let queue = this.line[0]; queue !== undefined && sent.length < room; queue = this.line[0]) {
      const burst = queue.cells.splice(0, Math.min(schedulerBurstCells, room - sent.length));
      sent.push(...burst.map(cell => [queue.circuit, cell] as const));
      this.line.shift();
      if (queue.cells.length > 0) this.line.push(queue);
    }
    return sent;
  }

  drop(circuit: number): void {
    this.line = this.line.filter(each => each.circuit !== circuit);
  }
}

it('sends what circuits have in turns, in the order in which they came, and nothing of those dropped', () => {
  const cellBytes = fixedCellBytes(4);
  fc.assert(
    fc.property(steps, all => {
      const scheduler = new CellScheduler(new SpareBlocks());
      const model = new Model();
      const into = new Uint8Array(60 * cellBytes);
      const payload = new Uint8Array(cellPayloadBytes);
      const view = new DataView(into.buffer);
      for (const [number, step] of [...all, { fill: 60 }, { fill: 60 }].entries())
        if ('push' in step) {
          payload[0] = number;
          payload[1] = number >> 8;
          expect(scheduler.push(step.push, 3, payload, 0)).toBe(true);
          model.push(step.push, number);
        } else if ('drop' in step) {
          scheduler.drop(step.drop);
          model.drop(step.drop);
        } else {
          const bytes = scheduler.fill(into.subarray(0, step.fill * cellBytes), 4, []);
          const sent = Array.from({ length: bytes / cellBytes }, (_, at) => {
            const start = at * cellBytes;
            return [view.getUint32(start), into[start + 5] | (into[start + 6] << 8)];
          });
          expect(sent).toEqual(model.fill(step.fill));
          const left = model.line.reduce((sum, { cells }) => sum + cells.length, 0);
          expect(scheduler.queuedCells).toBe(left);
          for (const { circuit, cells } of model.line) expect(scheduler.queued(circuit)).toBe(cells.length);
        }
    }),
  );
});
