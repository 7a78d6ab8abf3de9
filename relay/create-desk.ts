import { BrokenInvariant } from '../src/base/assert.ts';
import {
  createsAwayMax,
  createsHelpedFromMs,
  createsPerTurn,
  createsWaitingMax,
  createWaitMsMax,
} from '../src/base/limits.ts';
import { cellPayloadBytes } from '../src/cell/link-codec.ts';
import type { CircuitSide } from '../src/circuit/relay-circuit-host.ts';
import type { CongestionParams } from '../src/flow/congestion-params.ts';
import type { AskId, Cancel, Clock, ComputePort, LinkId } from '../src/ports.ts';
import type { AnsweredCreate, CircuitHandshakes } from './circuit-handshakes.ts';
import { decodeAnswer, encodeRequest } from './handshake-work.ts';

export interface CreateDeskOptions {
  readonly handshakes: CircuitHandshakes;
  readonly clock: Clock;
  /** Absent: all handshakes are made here. */
  readonly compute: ComputePort | undefined;
  readonly newAsk: () => AskId;
  /** What is granted to whoever asks for it. */
  readonly params: () => CongestionParams;
  /** Circuits of this link that have their turn together: more for a relay, behind which many clients are. */
  readonly shareOf: (link: LinkId) => number;
  /** @param answer undefined: the request was malformed. Never called inside `ask` of another circuit. */
  readonly onAnswer: (
    side: CircuitSide,
    answer: AnsweredCreate | undefined,
    params: CongestionParams,
  ) => void;
}

/** A CREATE cell that has not been answered. */
interface Request {
  readonly side: CircuitSide;
  readonly command: number;
  readonly payload: Uint8Array;
}

interface Away extends Request {
  readonly params: CongestionParams;
  /** Its circuit is wanted no more. */
  gone: boolean;
}

/** How much of a new measurement counts. */
const paceWeight = 1 / 64;
/** Milliseconds that a handshake takes, before any was measured. */
const paceAtFirstMs = 0.2;

/**
 * Answers CREATE cells. One that comes alone is answered at once. When many come they wait, and links take turns, so that
 * whoever sends thousands waits behind its own; a few are answered in each turn of the event loop, so that the cells of
 * circuits go on meanwhile. Where a backlog would take long, other threads help. Whoever would wait too long is refused.
 */
export class CreateDesk {
  readonly #options: CreateDeskOptions;
  /** Links with requests, in the order of their turns; of each the requests in order, by circuit. */
  readonly #lines = new Map<LinkId, Map<number, Request>>();
  readonly #away = new Map<AskId, Away>();
  #waiting = 0;
  /** Requests that the first line has had answered in this turn of its. */
  #turns = 0;
  #left = createsPerTurn;
  #cancelTurn: Cancel | undefined;
  /** Measured: milliseconds from one answer to the next while requests wait. */
  #paceMs = paceAtFirstMs;
  #answeredMs: number | undefined;

  constructor(options: CreateDeskOptions) {
    this.#options = options;
  }

  /** Takes a request; its 509 bytes are copied when it has to wait. False: it would wait too long. */
  ask(side: CircuitSide, command: number, bytes: Uint8Array, at: number): boolean {
    if (this.#waiting === 0 && this.#away.size === 0 && this.#left > 0) {
      this.#left -= 1;
      this.#scheduleTurn();
      this.#answer({ side, command, payload: bytes.subarray(at, at + cellPayloadBytes) });
      return true;
    }
    if (this.#waiting >= createsWaitingMax || this.#expectedMs(side.link) > createWaitMsMax) return false;
    let line = this.#lines.get(side.link);
    if (line === undefined) {
      line = new Map();
      this.#lines.set(side.link, line);
    }
    line.set(side.id, { side, command, payload: bytes.slice(at, at + cellPayloadBytes) });
    this.#waiting += 1;
    this.#scheduleTurn();
    return true;
  }

  /** The peer ended the circuit before it was made. False: it does not wait here. */
  forget({ link, id }: CircuitSide): boolean {
    const line = this.#lines.get(link);
    if (line?.delete(id)) {
      this.#waiting -= 1;
      if (line.size === 0) this.#lines.delete(link);
      return true;
    }
    for (const away of this.#away.values()) {
      if (away.gone || away.side.link !== link || away.side.id !== id) continue;
      away.gone = true;
      return true;
    }
    return false;
  }

  /** The link is lost, with all that it asked for. */
  forgetLink(link: LinkId): void {
    this.#waiting -= this.#lines.get(link)?.size ?? 0;
    this.#lines.delete(link);
    for (const away of this.#away.values()) if (away.side.link === link) away.gone = true;
  }

  /** Another thread has done its part; empty: it could not. */
  onComputed(ask: AskId, bytes: Uint8Array): void {
    const away = this.#away.get(ask);
    if (away === undefined) return;
    this.#away.delete(ask);
    this.#measure();
    if (!away.gone) {
      if (bytes.length === 0) this.#answer(away);
      else this.#options.onAnswer(away.side, decodeAnswer(bytes), away.params);
    }
    this.#serve();
  }

  stop(): void {
    this.#cancelTurn?.();
    this.#cancelTurn = undefined;
    this.#lines.clear();
    this.#away.clear();
    this.#waiting = 0;
  }

  /** How long one more request of this link would wait, when each of the others has its turns before it. */
  #expectedMs(link: LinkId): number {
    const turns = Math.ceil(((this.#lines.get(link)?.size ?? 0) + 1) / this.#options.shareOf(link));
    const ahead = Math.min(this.#waiting, turns * this.#lines.size);
    return (ahead + this.#away.size) * this.#paceMs;
  }

  #scheduleTurn(): void {
    this.#cancelTurn ??= this.#options.clock.after(0, () => {
      this.#cancelTurn = undefined;
      this.#left = createsPerTurn;
      this.#serve();
    });
  }

  #serve(): void {
    const { compute } = this.#options;
    const backlogMs = (this.#waiting + this.#away.size) * this.#paceMs;
    if (compute !== undefined && backlogMs > createsHelpedFromMs) {
      while (this.#waiting > 0 && this.#away.size < createsAwayMax) this.#handOver(compute, this.#next());
      return;
    }
    for (; this.#waiting > 0 && this.#left > 0; this.#left--) {
      this.#answer(this.#next());
      this.#measure();
    }
    if (this.#waiting > 0) this.#scheduleTurn();
    else this.#answeredMs = undefined;
  }

  #handOver(compute: ComputePort, request: Request): void {
    const ask = this.#options.newAsk();
    const params = this.#options.params();
    this.#away.set(ask, { ...request, params, gone: false });
    const { onionKeys } = this.#options.handshakes;
    compute.compute(encodeRequest(request.command, request.payload, params, onionKeys), ask);
  }

  #answer({ side, command, payload }: Request): void {
    const params = this.#options.params();
    const made = this.#options.handshakes.answer(command, payload, 0, params);
    this.#options.onAnswer(side, made.ok ? made.value : undefined, params);
  }

  /** The request whose turn it is. */
  #next(): Request {
    for (const [link, line] of this.#lines)
      for (const [id, request] of line) {
        line.delete(id);
        this.#waiting -= 1;
        this.#turns += 1;
        if (line.size > 0 && this.#turns < this.#options.shareOf(link)) return request;
        this.#turns = 0;
        // A line that is set again is met again, behind all others.
        this.#lines.delete(link);
        if (line.size > 0) this.#lines.set(link, line);
        return request;
      }
    throw new BrokenInvariant('a request waits');
  }

  /** An answer is ready: how long after the one before, when there was no rest between. */
  #measure(): void {
    const now = this.#options.clock.monotonicMs();
    if (this.#answeredMs !== undefined) this.#paceMs += (now - this.#answeredMs - this.#paceMs) * paceWeight;
    this.#answeredMs = this.#waiting + this.#away.size > 0 ? now : undefined;
  }
}
