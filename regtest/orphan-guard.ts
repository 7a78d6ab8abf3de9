import { type ChildProcess, spawn } from 'node:child_process';
import type { Socket } from 'node:net';

/**
 * Waits for a line on its input. A line: all was stopped in order. End of input without one: the owner died, so the
 * process goes too, and with it the folder that was only for it. The process is known by its -datadir argument.
 */
const script = `
if read -r line; then exit 0; fi
ours() { [ ! -d /proc/self ] || tr '\\0' '\\n' <"/proc/$1/cmdline" 2>/dev/null | grep -qxF -e "-datadir=$2"; }
if ours "$1" "$2"; then
  kill -TERM "$1" 2>/dev/null
  tries=0
  while kill -0 "$1" 2>/dev/null && ours "$1" "$2" && [ "$tries" -lt 100 ]; do sleep 0.1; tries=$((tries + 1)); done
  if ours "$1" "$2"; then kill -KILL "$1" 2>/dev/null; fi
fi
if [ -n "$3" ]; then rm -rf -- "$3" 2>/dev/null || { sleep 2; rm -rf -- "$3"; }; fi
`;

/**
 * Sees to it that bitcoind does not outlive this process, however it ends: a shell in a session of its own holds a
 * pipe to us. Returns what calls the guard off.
 */
export function guardOrphan(pid: number, dataDir: string, remove: string | undefined): () => void {
  const guard: ChildProcess = spawn(
    '/bin/sh',
    ['-c', script, 'naulon-guard', String(pid), dataDir, remove ?? ''],
    { detached: true, stdio: ['pipe', 'ignore', 'ignore'] },
  );
  guard.on('error', () => {});
  guard.stdin?.on('error', () => {});
  guard.unref();
  (guard.stdin as Socket | null)?.unref?.();
  return () => guard.stdin?.end('stopped\n');
}
