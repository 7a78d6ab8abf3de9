import { expect, it } from 'vitest';
import { directoryRequestMsMax, directoryStallMsMax } from '../src/base/limits.ts';
import { endReason, relayCommand } from '../src/cell/commands.ts';
import { decodeEnd } from '../src/cell/relay-messages.ts';
import { Lab, type TestClient } from './relay-lab.fixture.ts';

const free = new Uint8Array(0);
const head = (line: string, headers: string) =>
  new Uint8Array(Buffer.from(`${line} HTTP/1.0\r\n${headers}\r\n`));

function asking(): { readonly lab: Lab; readonly client: TestClient } {
  const lab = new Lab();
  const relay = lab.relay({ priceMsatPer2Pow20: 1_000_000n });
  const client = lab.client();
  client.connect(relay);
  client.create(relay, 'fast');
  client.send(relayCommand.beginDir, 1, free);
  client.next(relayCommand.connected);
  return { lab, client };
}

const ends = (client: TestClient) =>
  client.replies
    .filter(reply => reply.command === relayCommand.end)
    .map(reply => decodeEnd(reply.body)?.reason);

it('gives a directory request up that does not become whole', () => {
  const { lab, client } = asking();
  client.send(relayCommand.data, 1, head('POST /tor/x', 'Content-Length: 60000\r\n'));
  lab.world.runUntil(() => false, { virtualMs: directoryRequestMsMax / 2 });
  client.send(relayCommand.data, 1, free);
  client.send(relayCommand.data, 1, new Uint8Array(100));
  expect(ends(client)).toEqual([]);
  lab.world.runUntil(() => false, { virtualMs: directoryRequestMsMax / 2 + 1_000 });
  expect(ends(client)).toEqual([endReason.timeout]);
  expect(client.destroyed).toBeUndefined();
});

it('answers a directory request whatever its pieces, once', () => {
  const { lab, client } = asking();
  for (const byte of head('GET /tor/keys/all', '')) client.send(relayCommand.data, 1, Uint8Array.of(byte));
  lab.world.runUntil(() => ends(client).length > 0, { virtualMs: 10_000 });
  const data = client.replies.filter(reply => reply.command === relayCommand.data);
  expect(Buffer.concat(data.map(reply => reply.body)).toString()).toMatch(/^HTTP\/1.0 404 /);
  lab.world.runUntil(() => false, { virtualMs: 2 * directoryStallMsMax });
  expect(ends(client)).toEqual([endReason.done]);
});
