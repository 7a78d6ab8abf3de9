import { type SpawnOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Interruption } from '../scripts/interruption.ts';

/**
 * Runs a benchmark in a process of its own, which ends with this one and is interrupted with it: its exit code.
 * @param output where its standard output goes.
 */
export async function inOwnProcess(
  program: string,
  args: readonly string[],
  { signal }: Interruption,
  { output, env }: { readonly output: 'ignore' | 'inherit'; readonly env?: SpawnOptions['env'] },
): Promise<number> {
  // The channel ends it when we die.
  const child = spawn(program, [...args], { stdio: ['ignore', output, 'inherit', 'ipc'], env });
  const stop = () => child.kill('SIGINT');
  signal.addEventListener('abort', stop);
  const [code] = await once(child, 'exit');
  signal.removeEventListener('abort', stop);
  return code ?? 1;
}
