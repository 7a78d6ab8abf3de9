import type { Observer } from '../ports.ts';
import { BitcoindRpcError } from './bitcoind-rpc-client.ts';

/** A bitcoind that is started anew is back by then. */
const patienceMs = 6_000;

/**
 * What a person is told of a chain that cannot be followed: once it has been so for some seconds, again each time that
 * twice as long has passed, and when it can be followed again.
 */
export class ChainOutage {
  readonly #observer: Observer;
  readonly #nowMs: () => number;
  #sinceMs: number | undefined;
  #tellAfterMs = patienceMs;

  constructor(observer: Observer, nowMs: () => number) {
    this.#observer = observer;
    this.#nowMs = nowMs;
  }

  failed(error: unknown): void {
    this.#observer.count('naulon_chain_faults_total');
    this.#sinceMs ??= this.#nowMs();
    const lastedMs = this.#nowMs() - this.#sinceMs;
    if (lastedMs < this.#tellAfterMs) return;
    this.#tellAfterMs = 2 * lastedMs;
    const fields = { fault: faultOf(error), seconds: seconds(lastedMs), advice: adviceOn(error) };
    this.#observer.log('warn', 'chain_unreachable', fields);
  }

  over(): void {
    const wasTold = this.#tellAfterMs > patienceMs;
    if (wasTold && this.#sinceMs !== undefined)
      this.#observer.log('info', 'chain_back', { seconds: seconds(this.#nowMs() - this.#sinceMs) });
    this.#sinceMs = undefined;
    this.#tellAfterMs = patienceMs;
  }
}

export function faultOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function adviceOn(error: unknown): string {
  if (!(error instanceof BitcoindRpcError))
    return 'is bitcoind up, and where pay.yaml says (chain: rpc, cookie)?';
  if (/pruned/.test(error.message))
    return 'bitcoind has dropped blocks that may hold money of this node: run it with prune=0, and once with -reindex';
  if (error.code === 401)
    return 'is the cookie that pay.yaml names (chain: cookie) the one of this bitcoind?';
  return 'it answers, but not with what is needed: see its debug.log';
}

function seconds(ms: number): number {
  return Math.round(ms / 1_000);
}
