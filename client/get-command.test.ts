import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { StandInClient, unread } from './command-lab.fixture.ts';
import { openControl } from './control-client.ts';
import { getCommand } from './get-command.ts';

let client: StandInClient;
beforeEach(async () => {
  client = await new StandInClient().start();
});
afterEach(() => client.stop());

const url = 'http://example.com/';
const whole = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello';
const begun = 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello';

const get = (output: string, signal?: AbortSignal) =>
  getCommand(url, { control: client.control, output, signal }, unread);

const inFolder = (name: string): string => join(client.folder, name);

it('stores the body under its name', async () => {
  client.answer = whole;
  expect(await get(inFolder('body'))).toBe(0);
  expect(readFileSync(inFolder('body'), 'utf8')).toBe('hello');
});

it('pays for nothing that it could not store', async () => {
  client.answer = whole;
  for (const output of [client.folder, ''])
    await expect(get(output)).rejects.toMatchObject({ code: 'OUTPUT_NO_FILE', exitCode: 2 });
  await expect(get(inFolder('no/body'))).rejects.toMatchObject({ code: 'OUTPUT_NO_FOLDER', exitCode: 3 });
  expect(client.called).toEqual([]);
});

it('says how far a body came that was cut off', async () => {
  client.answer = begun;
  await expect(get(inFolder('body'))).rejects.toMatchObject({
    message: `${url}: ended after 5 of 9 bytes`,
    exitCode: 1,
  });
  expect(existsSync(inFolder('body.part'))).toBe(false);
});

it('says when the disk does not take the body', async () => {
  client.answer = whole;
  await expect(get('/dev/full')).rejects.toMatchObject({
    code: 'GET_FAILED',
    message: expect.stringContaining('ENOSPC'),
  });
});

/** What was answered is in the file already, and the rest is waited for. */
const untilWritten = () => vi.waitFor(() => expect(statSync(inFolder('body.part')).size).toBeGreaterThan(0));

describe.each(['as soon as it is answered', 'in the midst of the body'])('%s', when => {
  const then = async (act: () => void): Promise<void> => {
    if (when === 'in the midst of the body') await untilWritten();
    act();
  };

  it('ends when it is interrupted, and leaves nothing behind', async () => {
    Object.assign(client, { answer: begun, ends: false });
    const stop = new AbortController();
    client.onAsked = () => void then(() => stop.abort());
    expect(await get(inFolder('body'), stop.signal)).toBe(130);
    expect(existsSync(inFolder('body.part'))).toBe(false);
  });

  it('ends when the client does', async () => {
    Object.assign(client, { answer: begun, ends: false });
    client.onAsked = () => void then(() => client.die());
    await expect(get(inFolder('body'))).rejects.toMatchObject({ code: 'CLIENT_GONE', exitCode: 3 });
    expect(existsSync(inFolder('body.part'))).toBe(false);
  });
});

it('calls nobody over a control socket that is closed', async () => {
  const control = await openControl(client.control);
  control.close();
  await expect(control.call('circuits')).rejects.toMatchObject({ code: 'CLIENT_GONE' });
  await expect(control.call('circuits')).rejects.toMatchObject({ code: 'CLIENT_GONE' });
});
