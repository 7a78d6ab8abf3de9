import { connect } from 'node:net';
import { expect, test } from 'vitest';
import { splitAddress } from '../scripts/network-ports.ts';
import { roundTrips, startEchoServer } from './echo.ts';
import { cpuSecondsOf, residentBytesOf, withCpu } from './process-usage.ts';

test('requests come back, and each is timed', async () => {
  const echo = await startEchoServer();
  const [host, port] = splitAddress(echo.address);
  const socket = connect({ host, port });
  const took = await roundTrips(socket, 0, new AbortController().signal);
  expect(took).toHaveLength(1);
  expect(took[0]).toBeGreaterThan(0);
  socket.destroy();
  await echo.stop();
});

test('a process is charged with the CPU that it uses, and only meanwhile', async () => {
  const before = cpuSecondsOf(process.pid);
  const { result, cpu, cpuSum } = await withCpu({ we: process.pid }, async () => {
    while (cpuSecondsOf(process.pid) < before + 0.05);
    return 'done';
  });
  expect(result).toBe('done');
  expect(cpu.we).toBeGreaterThan(0.02);
  expect(cpuSum).toBe(cpu.we);
  expect(residentBytesOf(process.pid)).toBeGreaterThan(2 ** 20);
});
