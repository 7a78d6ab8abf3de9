import { concatBytes, fromUtf8, utf8 } from '../../src/base/bytes.ts';
import { relayCommand } from '../../src/cell/commands.ts';
import { bodyOf, relayCommandOf } from '../../src/cell/relay-cell.ts';
import { encodeBegin } from '../../src/cell/relay-messages.ts';
import { Dice } from './dice.ts';
import type { HuntResult } from './hunt.ts';
import { Assault, nobody } from './live-assault.ts';
import { LiveLink } from './live-link.ts';
import { LiveRelay } from './live-relay.ts';
import { ActionReader } from './targets/action-bytes.ts';
import { HostileCells, sealedBy } from './targets/hostile-cells.ts';

/** What a relay's process may have resident more than before. */
export const residentGrowthBytesMax = 64_000_000;
/** How often, over the whole run, somebody who keeps the rules asks for service. */
const honestVisits = 10;

export const liveCells = { name: 'tls-cells', cases: 100_000 } as const;

/** Cells that nobody should send, over TLS to a relay in a process of its own, while others keep the rules. */
export async function huntLive(
  { seed, cases }: { readonly seed: string; readonly cases: number },
  onProgress: (cases: number) => void,
  signal: AbortSignal,
): Promise<HuntResult> {
  const relay = await LiveRelay.start();
  try {
    const before = await servedBy(relay, '127.9.0.1');
    const residentBefore = relay.residentBytes;
    const began = process.cpuUsage();
    const assault = new Assault({
      at: relay.orPort,
      from: count => `127.${10 + ((count >> 16) & 63)}.${(count >> 8) & 255}.${count & 255}`,
      isOver: () => relay.ended !== undefined,
      dice: new Dice(seed),
    });
    let unserved = before ? 0 : 1;
    for (let visit = 1; visit <= honestVisits && !signal.aborted && relay.ended === undefined; visit++) {
      await assault.upTo((cases * visit) / honestVisits, signal);
      onProgress(assault.cells);
      if (relay.ended === undefined && !(await servedBy(relay, `127.9.0.${visit + 1}`))) unserved += 1;
    }
    const { user, system } = process.cpuUsage(began);
    const failures: HuntResult['failures'][number][] = [];
    const dead = relay.ended;
    if (dead !== undefined)
      failures.push({
        kind: 'crash',
        detail: `the relay ended (${dead}): ${relay.log.slice(-2_000)}`,
        inputs: [],
      });
    if (unserved > 0)
      failures.push({
        kind: 'unserved',
        detail: `${unserved} of ${honestVisits + 1} who kept the rules`,
        inputs: [],
      });
    const grown = dead === undefined ? Math.max(0, relay.residentBytes - residentBefore) : 0;
    if (grown > residentGrowthBytesMax)
      failures.push({ kind: 'memory', detail: `${grown} bytes more are resident`, inputs: [] });
    return {
      target: liveCells.name,
      cases: assault.cells,
      inputs: assault.links,
      ms: (user + system) / 1_000,
      verdicts: [],
      coverage: undefined,
      worstMs: 0,
      heapGrowthBytes: grown,
      failures,
    };
  } finally {
    await relay.stop();
  }
}

/** Whether somebody who keeps the rules gets an echo through the relay. */
async function servedBy(relay: LiveRelay, from: string): Promise<boolean> {
  const link = await LiveLink.to(relay.orPort, from, 5);
  if (link === undefined) return false;
  link.shakeHands();
  const heard: { command: number; text: string }[] = [];
  const made = await link.create({
    ...nobody,
    opened(_hop, bytes, at, stride, count) {
      for (; count > 0; count--, at += stride)
        heard.push({
          command: relayCommandOf(bytes, at),
          text: fromUtf8(bodyOf(bytes, at) ?? new Uint8Array(0)),
        });
      return true;
    },
  });
  if (made === undefined) return false;
  link.onRun = (bytes, at, stride, count) => made.layers.open(bytes, at, stride, count);
  const cells = new HostileCells(link.talk, new ActionReader(new Uint8Array(0)));
  cells.circuit = made.id;
  cells.seal = sealedBy(made.layers);
  cells.sealed(relayCommand.begin, 1, encodeBegin({ ...relay.echo, flags: 0 }));
  cells.sealed(relayCommand.data, 1, concatBytes(utf8('hello'), utf8(' relay')));
  const echoed = (): boolean =>
    heard.some(({ command, text }) => command === relayCommand.data && text === 'hello relay');
  await link.until(() => echoed() || heard.some(({ command }) => command === relayCommand.end));
  const served = echoed();
  link.hangUp();
  return served;
}
