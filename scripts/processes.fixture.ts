import { readdirSync, readFileSync } from 'node:fs';

/** Command lines of the running processes that name `text`, the test's own left out. */
export function processesNaming(text: string): string[] {
  const found: string[] = [];
  for (const pid of readdirSync('/proc').filter(name => /^\d+$/.test(name) && Number(name) !== process.pid)) {
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
      if (command.includes(text)) found.push(command);
    } catch {
      // It ended meanwhile.
    }
  }
  return found;
}
