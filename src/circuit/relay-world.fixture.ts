import { createHash } from 'node:crypto';
import { expect } from 'vitest';
import { cellCommand } from '../cell/commands.ts';
import { bodyOf, relayCommandOf, streamIdOf, writeRelayCell } from '../cell/relay-cell.ts';
import { type Extend2Message, encodeBegin } from '../cell/relay-messages.ts';
import type { CircuitKeys } from '../crypto/circuit-keys.ts';
import type { CircuitFlow } from '../flow/flow-control.ts';
import type { QueuedCells } from '../link/link-mux.ts';
import { TestLayers } from '../onion/one-cell.fixture.ts';
import type { Entropy, StreamPort } from '../ports.ts';
import type { DirectoryService } from '../stream/directory-stream.ts';
import type { ExitStream } from '../stream/exit-stream.ts';
import { RelayCircuit } from './relay-circuit.ts';
import type { CircuitSide, RelayCircuitHost } from './relay-circuit-host.ts';

export const seed = (text: string, length: number) =>
  new Uint8Array(createHash('sha256').update(text).digest().subarray(0, length));
export const keys: CircuitKeys = {
  forwardDigest: seed('Df', 20),
  backwardDigest: seed('Db', 20),
  forwardKey: seed('Kf', 16),
  backwardKey: seed('Kb', 16),
};
export const entropy: Entropy = { bytes: length => new Uint8Array(length).fill(7) };
export const previous: CircuitSide = { link: 1, id: 5 };
export const next: CircuitSide = { link: 2, id: 9 };
export const target: Extend2Message = {
  target: {
    ipv4: { host: '127.0.0.1', port: 1 },
    ipv6: undefined,
    rsaId: new Uint8Array(20).fill(7),
    ed25519: undefined,
  },
  handshakeType: 2,
  handshake: new Uint8Array(84),
};

/** Free cells first, as the real balance counts. */
export class Purse {
  free: number;
  bought: number;
  constructor(free: number, bought: number) {
    this.free = free;
    this.bought = bought;
  }
  get paid(): boolean {
    return this.bought > 0;
  }
  debit(cells: number): boolean {
    if (this.free + this.bought < cells) return false;
    const free = Math.min(this.free, cells);
    this.free -= free;
    this.bought -= cells - free;
    return true;
  }
  debitExit(cells: number): boolean {
    if (this.bought < cells) return false;
    this.bought -= cells;
    return true;
  }
}

export interface Cell {
  side: CircuitSide;
  command: number;
  bytes: Uint8Array;
  /** Of DESTROY. */
  queued?: QueuedCells;
}

/** What a destination's connection was given. */
interface Written {
  bytes: number;
  paused: boolean;
  full: boolean;
  finished: number;
}

function portTo(written: Written): StreamPort {
  return {
    resolve: () => 1,
    connect: () => 1,
    write(_stream, bytes) {
      written.bytes += bytes.length;
      return !written.full;
    },
    pause: () => void (written.paused = true),
    resume: () => void (written.paused = false),
    end() {},
    close() {},
  };
}

/** Answers whatever is ten bytes long with 100,000. */
const directory: DirectoryService = {
  begin(asker) {
    let bytes = 0;
    return {
      onBytes(part) {
        bytes += part.length;
        if (bytes >= 10) asker.answer(new Uint8Array(100).fill(1), new Uint8Array(99_900).fill(1));
        return bytes < 10;
      },
      onLeft() {},
      stop() {},
    };
  },
};

/** A circuit of one relay between a client's layers and hosts that write everything down. */
export function world(purse = new Purse(64, 10_000), flow?: CircuitFlow) {
  const cells: Cell[] = [];
  const written: Written = { bytes: 0, paused: false, full: false, finished: 0 };
  const streams: ExitStream[] = [];
  const resolves: string[] = [];
  const state = { gone: false, extends: 0, queueOpen: true, sendOk: true };
  const host: RelayCircuitHost<RelayCircuit> = {
    port: portTo(written),
    entropy,
    observer: { log() {}, count() {} },
    finished: () => void (written.finished += 1),
    holds() {},
    send(side, command, bytes, at) {
      cells.push({ side, command, bytes: bytes.slice(at, at + 509) });
      return state.sendOk;
    },
    sendRun(side, bytes, at, stride, count) {
      for (; count > 0; count--, at += stride) this.send(side, cellCommand.relay, bytes, at);
      return state.sendOk;
    },
    canQueue: () => state.queueOpen,
    extend: () => void (state.extends += 1),
    dropNext(_circuit, side, reason, queued) {
      if (side !== undefined && reason !== undefined)
        cells.push({ side, command: cellCommand.destroy, bytes: Uint8Array.of(reason), queued });
    },
    beginExit(_circuit, stream) {
      stream.connection = 1;
      streams.push(stream);
    },
    resolve: (_circuit, _id, name) => void resolves.push(name),
    directory: () => directory,
    gone(_circuit, reason, queued) {
      state.gone = true;
      if (reason !== undefined)
        cells.push({ side: previous, command: cellCommand.destroy, bytes: Uint8Array.of(reason), queued });
    },
  };
  const circuit = new RelayCircuit(host, previous, keys, purse, flow);
  const client = new TestLayers();
  client.push(keys);
  const send = (command: number, stream: number, body: Uint8Array = new Uint8Array(0), early = false) => {
    const bytes = new Uint8Array(512);
    writeRelayCell(bytes, 3, command, stream, body, entropy);
    client.seal(bytes, 3, 509, 1, 0);
    if (early) circuit.onClientEarly(bytes, 3);
    else circuit.onClientRun(bytes, 3, 512, 1);
  };
  /** What arrived at the client since the last call: relay commands with stream and body, or DESTROY. */
  const received = () =>
    cells
      .splice(0)
      .filter(cell => cell.side === previous)
      .map(cell => {
        if (cell.command === cellCommand.destroy) return { command: 'DESTROY', reason: cell.bytes[0] };
        expect(client.openCell(cell.bytes, 0)).toBe(0);
        const body = bodyOf(cell.bytes, 0)!;
        return { command: relayCommandOf(cell.bytes, 0), stream: streamIdOf(cell.bytes, 0), body };
      });
  return { circuit, host, client, send, received, cells, written, streams, resolves, state, purse };
}

export const begin = encodeBegin({ host: 'example.com', port: 80, flags: 0 });
