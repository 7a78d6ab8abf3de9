import { setTimeout as pause } from 'node:timers/promises';
import { relayCommand } from '../../src/cell/commands.ts';
import type { LinkProtocol } from '../../src/link/link-faults.ts';
import type { Endpoint } from '../../src/ports.ts';
import type { DishonestCircuit, SeenCell } from '../dishonest-circuit.fixture.ts';
import { RawLink, unread } from './raw-link.fixture.ts';

/**
 * What a node makes of cells, as whoever sent them can tell:
 *
 * | verdict | means |
 * |---|---|
 * | close | the link is closed |
 * | keep | nothing came of it, and link and circuit go on |
 * | DESTROY n | the circuit ends for reason n, the link goes on |
 * | END n, CREATED2 ... | that cell came back, and link and circuit go on |
 * | silence | the circuit answers no more and nothing says why; the link goes on |
 */
export type Verdict = string;

/** A relay under test. */
export interface Subject {
  readonly orPort: Endpoint;
}

/** Something to say to a node, right or wrong. */
export interface Twin {
  /** Also the verdict's place in the captured ones. */
  readonly name: string;
  judge(subject: Subject): Promise<Verdict>;
}

/** Time for an answer that may never come: after it, none came. It costs time, it decides nothing where one comes. */
export const patienceMs = 1_000;
/** Of the BEGIN_DIR that asks whether a circuit goes on. */
const probeStream = 0xfffe;

const relayNames = new Map<number, string>(
  Object.entries(relayCommand).map(([name, command]) => [command, nameOf(name)]),
);
/** Bodies that begin with a reason. */
const withReason: ReadonlySet<number> = new Set([relayCommand.end, relayCommand.truncated]);

/**
 * A twin that is said on a link of its own.
 * @param say says it all; gives the circuit that it is about, unless it is about the link alone.
 * @param protocol how its cells are framed.
 */
export function spoken(
  name: string,
  say: (link: RawLink) => Promise<DishonestCircuit | undefined>,
  protocol: LinkProtocol = 5,
): Twin {
  return {
    name,
    async judge({ orPort }) {
      const link = await RawLink.to(orPort, protocol);
      try {
        return await judged(link, await say(link));
      } finally {
        link.destroy();
      }
    },
  };
}

/** What has become of the link and, if one is given, of its circuit. */
export async function judged(link: RawLink, circuit: DishonestCircuit | undefined): Promise<Verdict> {
  const probed = circuit !== undefined && circuit.cells.length > 0 && circuit.destroyed === undefined;
  if (probed) circuit.send(0, relayCommand.beginDir, new Uint8Array(0), probeStream);
  const goesOn = async () => !link.closed && (await link.goesOn());
  // C tor ends circuits at the end of a turn of its loop: what it says of one may come after the answer to the next cell.
  if (!(await goesOn()) || !(await goesOn())) return 'close';
  const answered = () => circuit?.seen.some(cell => cell.streamId === probeStream) ?? false;
  const settled = () =>
    circuit === undefined || circuit.destroyed !== undefined || (probed ? answered() : circuit.created);
  for (const end = performance.now() + patienceMs; !settled() && performance.now() < end; ) await pause(10);
  if (circuit === undefined) return 'keep';
  if (circuit.destroyed !== undefined) return `DESTROY ${circuit.destroyed}`;
  if (probed && !answered()) return 'silence';
  if (!probed) return circuit.created ? 'CREATED' : 'keep';
  const told = circuit.seen.filter(cell => cell.streamId !== probeStream);
  return told.length === 0 ? 'keep' : [...new Set(told.map(answerName))].join(', ');
}

function answerName(cell: SeenCell): string {
  if (cell === unread) return 'a cell that no hop made';
  const name = relayNames.get(cell.command) ?? `command ${cell.command}`;
  return withReason.has(cell.command) ? `${name} ${cell.body[0]}` : name;
}

function nameOf(name: string): string {
  return name.replace(/[A-Z]/g, letter => `_${letter}`).toUpperCase();
}
