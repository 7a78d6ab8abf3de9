import { setMaxListeners } from 'node:events';

/** A request to stop: Ctrl-C, SIGTERM, or a terminal that closed. */
export interface Interruption {
  /** Resolves at the first request; never before. */
  readonly requested: Promise<NodeJS.Signals>;
  readonly signal: AbortSignal;
  /** Listens no longer: from now on signals have their usual effect. */
  done(): void;
}

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Takes signals as requests from now on, so that everything that was started can be stopped in order. A second
 * Ctrl-C more than a second later ends the process at once; what it started ends with it.
 */
export function interruption(): Interruption {
  const controller = new AbortController();
  // Whatever is under way listens, and a benchmark has more than ten transfers at once.
  setMaxListeners(0, controller.signal);
  let first = 0;
  let onRequest: (signal: NodeJS.Signals) => void;
  const requested = new Promise<NodeJS.Signals>(request => {
    onRequest = signal => {
      const now = performance.now();
      if (first !== 0 && signal === 'SIGINT' && now - first > 1_000) process.exit(130);
      if (first === 0) first = now;
      controller.abort();
      request(signal);
    };
  });
  for (const signal of signals) process.on(signal, onRequest!);
  // Children and sockets that are watched do not keep this process; waiting for a signal does.
  const waiting = setInterval(() => {}, 2 ** 30);
  return {
    requested,
    signal: controller.signal,
    done: () => {
      clearInterval(waiting);
      for (const signal of signals) process.off(signal, onRequest);
    },
  };
}
