import { readFileSync } from 'node:fs';

/** Of /proc/PID/stat; what Linux tells programs, on every machine that Node runs on. Source: proc(5), sysconf(3). */
const ticksPerSecond = 100;

/** Seconds of CPU that a process, all its threads together, has used so far: in its own code and in the kernel. */
export function cpuSecondsOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The command in parentheses may hold anything: utime and stime are the 14th and 15th of all fields.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}

/** Bytes of memory that a process has resident. */
export function residentBytesOf(pid: number): number {
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kib ?? 0) * 1_024;
}

/** Bytes of memory that a process has resident, of what it shares with others only its part. Source: proc(5), smaps. */
export function ownBytesOf(pid: number): number {
  const kib = /^Pss:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1];
  return Number(kib ?? 0) * 1_024;
}

/** What `work` came to, and the CPU seconds that each of the processes used meanwhile. */
export async function withCpu<T, N extends string>(
  pids: Readonly<Record<N, number>>,
  work: () => Promise<T>,
): Promise<{ readonly result: T; readonly cpu: Readonly<Record<N, number>>; readonly cpuSum: number }> {
  const names = Object.keys(pids) as N[];
  const before = names.map(name => cpuSecondsOf(pids[name]));
  const result = await work();
  const used = names.map((name, at) => [name, cpuSecondsOf(pids[name]) - before[at]] as const);
  const cpu = Object.fromEntries(used) as Record<N, number>;
  return { result, cpu, cpuSum: used.reduce((sum, [, seconds]) => sum + seconds, 0) };
}
