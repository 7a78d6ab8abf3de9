import { expect } from 'vitest';
import { fromUtf8 } from '../base/bytes.ts';
import { relayCommand } from '../cell/commands.ts';
import type { ResolvedMessage } from '../cell/relay-messages.ts';
import { readCongestionParams } from '../flow/congestion-params.ts';
import type { Observer } from '../ports.ts';
import type { ClientStream, StreamUser } from '../stream/client-stream.ts';
import type { CircuitEnd } from './circuit-user.ts';
import { ClientCircuit } from './client-circuit.ts';
import type { HopPayer } from './hop-state.ts';
import { ManualClock, RelayPath } from './relay-path.fixture.ts';

const silent: Observer = { log() {}, count() {} };
export const empty = new Uint8Array(0);
export const data498 = new Uint8Array(498);

/** A program that remembers what its stream tells it. */
export class Recorder implements StreamUser {
  opened: (string | undefined)[] = [];
  bytes = 0;
  text = '';
  full = false;
  writable = 0;
  resolved: ResolvedMessage | undefined;
  closed: number | undefined;
  onOpened(address: string | undefined): void {
    this.opened.push(address);
  }
  onData(bytes: Uint8Array): boolean {
    this.bytes += bytes.length;
    if (this.bytes < 1_000) this.text += fromUtf8(bytes);
    return !this.full;
  }
  onWritable(): void {
    this.writable += 1;
  }
  onResolved(answer: ResolvedMessage): void {
    this.resolved = answer;
  }
  onClosed(reason: number): void {
    this.closed = reason;
  }
}

/** A payer whose purse the test fills. */
export class Purse implements HopPayer {
  spendable: number;
  counted = 0;
  wants = 0;
  receipts: Uint8Array[] = [];
  honest = true;
  gone = false;
  constructor(cells: number) {
    this.spendable = cells;
  }
  get spendableExit(): number {
    return this.spendable;
  }
  countCells(cells: number): void {
    this.counted += cells;
    this.spendable -= cells;
  }
  needs(cells: number): void {
    this.wants = cells;
  }
  onReceipt(body: Uint8Array): boolean {
    this.receipts.push(body.slice());
    return this.honest;
  }
  ended(): void {
    this.gone = true;
  }
}

/** As the consensus says when it says nothing. */
export const congestionParams = readCongestionParams((_, otherwise) => otherwise);

/** A client circuit over relays in memory. */
export class World {
  readonly path: RelayPath;
  readonly clock = new ManualClock();
  readonly circuit: ClientCircuit;
  built = 0;
  idle = 0;
  end: CircuitEnd | undefined;

  /** @param congested the last hop is asked for congestion control. */
  constructor(hops: number, fast = false, purses?: readonly HopPayer[], congested = false) {
    this.path = new RelayPath(hops, 7);
    this.circuit = new ClientCircuit({
      path: this.path.targets,
      fast,
      congestion: congested
        ? { params: congestionParams, clock: this.clock, blocked: () => false }
        : undefined,
      carrier: this.path,
      clock: this.clock,
      entropy: this.path.entropy,
      observer: silent,
      user: {
        onBuilt: () => {
          this.built += 1;
          for (const [hop, purse] of (purses ?? []).entries()) this.circuit.setPayer(hop, purse);
        },
        onEnded: end => {
          this.end = end;
        },
        onHop: () => {},
        onIdle: () => {
          this.idle += 1;
        },
      },
    });
    this.path.client = this.circuit;
  }

  build(): this {
    this.circuit.start();
    this.path.run();
    expect(this.circuit.state).toBe('open');
    return this;
  }

  open(user: StreamUser, hop?: number): ClientStream {
    return this.circuit.openStream({ kind: 'connect', host: 'example.com', port: 80 }, user, hop)!;
  }

  /** A stream that the last relay has accepted. */
  connected(user: StreamUser = new Recorder()): ClientStream {
    const stream = this.open(user);
    this.path.run();
    this.fromExit(relayCommand.connected, stream.id, empty);
    return stream;
  }

  get exit(): number {
    return this.path.relays.length - 1;
  }

  fromExit(command: number, streamId: number, body: Uint8Array): void {
    this.path.originate(this.exit, command, streamId, body);
  }

  counts(): void {
    for (const [hop, state] of this.circuit.hops.entries()) {
      expect(state.cells, `hop ${hop}`).toBe(this.path.relays[hop].cells);
    }
  }
}
