import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { OperatorError } from '../base/fault.ts';
import { controlLineBytesMax } from '../base/limits.ts';
import { askProcess, serveCommands } from './command-socket.ts';

let path: string;
let folder: string;
let stop: () => Promise<void>;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'naulon-commands-'));
  path = join(folder, 'control');
  stop = await serveCommands(path, request => {
    if (request === 'refuse') throw new OperatorError('CHANNEL_UNKNOWN', 'no such channel', 2);
    if (request === 'break') throw new TypeError('no request');
    return { heard: request };
  });
});
afterEach(async () => {
  await stop();
  rmSync(folder, { recursive: true });
});

it('answers each command, its owner alone', async () => {
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(await Promise.all(['a', { b: 1 }].map(each => askProcess(path, each)))).toEqual([
    { heard: 'a' },
    { heard: { b: 1 } },
  ]);
});

it('hands faults on, and says what makes no sense', async () => {
  await expect(askProcess(path, 'refuse')).rejects.toMatchObject({ code: 'CHANNEL_UNKNOWN', exitCode: 2 });
  await expect(askProcess(path, 'break')).rejects.toMatchObject({ code: 'USAGE' });
});

it('ends a connection that sends more than a line may have, and serves others', async () => {
  const flood = connect({ path });
  const ended = new Promise(done => flood.once('close', done));
  flood.on('error', () => {});
  flood.write('x'.repeat(controlLineBytesMax + 1));
  await ended;
  expect(await askProcess(path, 1)).toEqual({ heard: 1 });
});

it('is not there once it has stopped, nor where nobody served', async () => {
  expect(await askProcess(join(folder, 'nobody'), 1)).toBeUndefined();
  await stop();
  expect(await askProcess(path, 1)).toBeUndefined();
  stop = async () => {};
});
