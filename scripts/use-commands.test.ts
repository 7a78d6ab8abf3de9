import { afterAll, beforeAll, expect, it } from 'vitest';
import { StandInClient } from '../client/command-lab.fixture.ts';
import { runNaulon } from './naulon.fixture.ts';

let client: StandInClient;
beforeAll(async () => {
  client = await new StandInClient().start();
  client.answer = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello';
});
afterAll(() => client.stop());

const naulon = (...args: string[]) =>
  runNaulon([...args, '--control', client.control, '--data-dir', client.folder, '--json', '-q']);

it('tells programs what it came to beside the bytes that it brings', async () => {
  const got = await naulon('get', 'http://example.com/');
  expect(got).toMatchObject({ code: 0, out: 'hello' });
  expect(JSON.parse(got.err)).toMatchObject({ status: 200, bytes: 5, paidMsat: '2000', payments: 3 });
  const streamed = await naulon('stream', 'example.com:80');
  expect(streamed).toMatchObject({ code: 0, out: '' });
  expect(JSON.parse(streamed.err)).toMatchObject({ bytesIn: 5, bytesOut: 4, paidMsat: '2000' });
});

it('tells programs every amount as a string', async () => {
  const { out } = await naulon('wallet', 'fund', '--sat', '5000');
  expect(JSON.parse(out)).toEqual({ address: 'bcrt1q', sat: '5000', funded: false });
});
