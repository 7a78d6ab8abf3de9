/** The process of one attack: it is told which by its parent, and stops when it is told to, or when the parent is gone. */
import { setMaxListeners } from 'node:events';
import { setPriority } from 'node:os';
import type { AttackNews, AttackOrder } from './attack.ts';
import { attacks } from './attacks.ts';

/** Real attackers run on other machines: they are not to take all of the CPU that honest nodes want. */
const niceness = 5;

const stopping = new AbortController();
process.on('disconnect', () => process.exit());
process.on('message', (message: AttackOrder | 'stop') => {
  if (message === 'stop') stopping.abort();
  else void run(message);
});
setMaxListeners(0, stopping.signal);
setPriority(niceness);

async function run({ attack, aim }: AttackOrder): Promise<void> {
  let news: AttackNews;
  try {
    const begun = (): void => tell({ kind: 'begun' });
    news = { kind: 'done', report: await attacks[attack](aim, stopping.signal, begun) };
  } catch (error) {
    news = { kind: 'failed', why: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
  tell(news);
}

function tell(news: AttackNews): void {
  process.send?.(news);
}
