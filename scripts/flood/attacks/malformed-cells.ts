import { Dice } from '../../fuzz/dice.ts';
import { Assault } from '../../fuzz/live-assault.ts';
import { hostileAddresses } from '../assailant.ts';
import { type Aim, type AttackReport, scaled } from '../attack.ts';

const cellsMax = 100_000;
/** C tor's limits of an address leave each of them so much that the cells come through. */
const addresses = 2_000;

/** Cells that nobody should send, in whatever state of whatever link and circuit, split wherever. */
export async function malformedCells(aim: Aim, stop: AbortSignal, begun: () => void): Promise<AttackReport> {
  const from = hostileAddresses(addresses);
  const assault = new Assault({
    at: aim.guard,
    from: link => from[link % from.length],
    isOver: () => stop.aborted,
    dice: new Dice('flood'),
  });
  begun();
  await assault.upTo(scaled(cellsMax, aim), stop);
  return { cells: assault.cells, links: assault.links };
}
