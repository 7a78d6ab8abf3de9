import { expect, it } from 'vitest';
import { freeSignalsMax } from '../base/limits.ts';
import { relayCommand } from '../cell/commands.ts';
import type { RelayStream } from '../stream/relay-stream.ts';
import { RelayStreams } from './relay-streams.ts';
import { world } from './relay-world.fixture.ts';

const nothing = new Uint8Array(0);
const streamOf = (id: number, kind: RelayStream['kind']): RelayStream => ({
  id,
  kind,
  onData: () => undefined,
  onFlow: () => undefined,
  onEnd() {},
  abandon() {},
  pump: () => false,
});

it.each(['open', 'ended'])(
  'takes so many XON on directory streams that are %s, as they cost nothing',
  how => {
    const { circuit, host } = world();
    const streams = new RelayStreams(circuit, host);
    const directory = streamOf(1, 'directory');
    const exit = streamOf(2, 'exit');
    for (const stream of [directory, exit]) {
      streams.add(stream);
      if (how === 'ended') streams.release(stream, true);
    }
    const xon = (id: number) => streams.onCell(id, relayCommand.xon, nothing, 1)?.code;
    for (let cells = 0; cells < freeSignalsMax; cells++) expect(xon(1)).toBeUndefined();
    expect(xon(1)).toBe('XON_UNEXPECTED');
    // These are paid for.
    for (let cells = 0; cells <= freeSignalsMax; cells++) expect(xon(2)).toBeUndefined();
  },
);
