import { assert } from '../base/assert.ts';
import type { Cancel, Clock } from '../ports.ts';
import type { FlowFault, StreamSender } from './flow-control.ts';
import { TokenBucket } from './token-bucket.ts';

/** A rate that a far end tells is kept over a stretch of this length, so that a pause may be caught up on. */
const burstMs = 1_000;
/** An exhausted allowance is waited for this long at least. */
const waitMsMin = 10;

/** Bytes after which a far end may send its first XOFF or XON, and each further one. */
export interface SignalSpacing {
  readonly xoffBytes: number;
  readonly xonBytes: number;
}

export interface StreamValveOptions {
  readonly clock: Clock;
  /** Undefined: signals may come at any time. A client checks, since signals too many would mark its streams. */
  readonly spacing: SignalSpacing | undefined;
  readonly onOpen: () => void;
}

/** The sending side of a stream that is held by XOFF, let go by XON, and kept to the rate that XON tells. spec: proposal 324, 4.1 */
export class StreamValve implements StreamSender {
  readonly #options: StreamValveOptions;
  #held = false;
  /** Undefined: as fast as may be. */
  #allowance: TokenBucket | undefined;
  #timer: Cancel | undefined;
  #bytes = 0;
  #xoffs = 0;
  #xons = 0;

  constructor(options: StreamValveOptions) {
    this.#options = options;
  }

  get open(): boolean {
    return !this.#held && this.#allowance?.open !== false;
  }

  package(bytes: number): void {
    assert(this.open, 'the stream is open');
    this.#bytes += bytes;
    if (this.#allowance?.take(bytes) === false) this.#awaitAllowance(this.#allowance);
  }

  /** Streams of such circuits have no windows. */
  onSendme(): FlowFault {
    return { code: 'SENDME_UNEXPECTED' };
  }

  onXoff(): FlowFault | undefined {
    this.#xoffs += 1;
    const { spacing } = this.#options;
    if (spacing !== undefined && this.#bytes < this.#xoffs * spacing.xoffBytes)
      return { code: 'XOFF_UNEXPECTED' };
    this.#held = true;
    return undefined;
  }

  onXon(rate: number): FlowFault | undefined {
    this.#xons += 1;
    const { spacing, clock } = this.#options;
    if (spacing !== undefined && this.#bytes < this.#xons * spacing.xonBytes)
      return { code: 'XON_UNEXPECTED' };
    this.#held = false;
    this.#timer?.();
    this.#timer = undefined;
    this.#allowance = rate === 0 ? undefined : new TokenBucket(clock, rate * 1_000, rate * burstMs);
    return undefined;
  }

  stop(): void {
    this.#timer?.();
    this.#timer = undefined;
  }

  #awaitAllowance(allowance: TokenBucket): void {
    this.#timer = this.#options.clock.after(Math.max(allowance.waitMs(), waitMsMin), () => {
      this.#timer = undefined;
      if (allowance.waitMs() > 0) this.#awaitAllowance(allowance);
      else if (this.open) this.#options.onOpen();
    });
  }
}
