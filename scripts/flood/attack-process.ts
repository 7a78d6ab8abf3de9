import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { AttackNews, AttackOrder, AttackReport } from './attack.ts';

/** An attack that was told to stop and does not is killed. */
const stopMsMax = 20_000;

/** An attack that goes on in a process of its own, which ends with this one. */
export interface RunningAttack {
  /** Resolves when it does so in earnest: its connections are open. */
  readonly begun: Promise<void>;
  /** Resolves when it has done all that it wanted to. */
  readonly done: Promise<AttackReport>;
  /** Ends it, done or not: what it came to. */
  stop(): Promise<AttackReport>;
}

/** @param signal ends it at once, whatever it does. */
export function startAttack(order: AttackOrder, signal: AbortSignal): RunningAttack {
  const file = fileURLToPath(new URL('./attacker.js', import.meta.url));
  const child = fork(file, [], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'], detached: true });
  const ended = once(child, 'exit');
  const kill = (): void => void child.kill('SIGKILL');
  signal.addEventListener('abort', kill, { once: true });
  void ended.then(() => signal.removeEventListener('abort', kill));
  let onBegun = (): void => {};
  const done = new Promise<AttackReport>((report, failed) => {
    child.on('message', (news: AttackNews) => {
      if (news.kind === 'begun') onBegun();
      else if (news.kind === 'done') report(news.report);
      else failed(new Error(`attack ${order.attack}: ${news.why}`));
    });
    void ended.then(([code]) => failed(new Error(`attack ${order.attack} ended with code ${code}`)));
  });
  const begun = new Promise<void>(begin => {
    onBegun = begin;
  });
  child.send(order);
  return {
    begun: Promise.race([begun, done.then(() => {})]),
    done,
    stop: async () => {
      if (child.connected) child.send('stop');
      const tooLate = setTimeout(kill, stopMsMax);
      try {
        return await done;
      } finally {
        if (child.connected) child.disconnect();
        await ended;
        clearTimeout(tooLate);
      }
    },
  };
}
