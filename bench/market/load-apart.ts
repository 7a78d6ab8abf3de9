import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { LoadNews, LoadOrder } from './load-process.ts';

/** Compiled, wherever this one runs from. */
const program = fileURLToPath(import.meta.url).replace(
  /(dist\/)?bench\/market\/load-apart\.[jt]s$/,
  'dist/bench/market/load-process.js',
);
/** Peers are made, and everything is handed in, beside the time that payments may take. */
const patience = 3;

/**
 * Measures in a process of its own, so that several can at once. One that says nothing for three times what a load may take
 * is ended, and what it had told by then is all there is.
 * @param onNews told of each load that was measured.
 */
export async function loadsApart(
  order: LoadOrder,
  onNews: (news: LoadNews) => void,
  signal: AbortSignal,
): Promise<void> {
  signal.throwIfAborted();
  const child = fork(program, [], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const ended = once(child, 'exit');
  const kill = (): void => void child.kill('SIGKILL');
  const secondsMax = Math.max(...order.loads.map(each => each.secondsMax));
  const watchdog = setTimeout(kill, patience * secondsMax * 1_000);
  signal.addEventListener('abort', kill, { once: true });
  child.on('message', (news: LoadNews) => {
    watchdog.refresh();
    onNews(news);
  });
  child.send(order);
  await ended;
  clearTimeout(watchdog);
  signal.removeEventListener('abort', kill);
  signal.throwIfAborted();
}
