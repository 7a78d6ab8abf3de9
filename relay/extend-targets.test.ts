import { expect, it } from 'vitest';
import { linkHandshakeMsMax } from '../src/base/limits.ts';
import { relayCommand } from '../src/cell/commands.ts';
import { encodeExtend2 } from '../src/cell/relay-messages.ts';
import { VirtualClock } from '../src/sim/virtual-clock.ts';
import { Lab, orPort, type TestClient, type TestRelay } from './relay-lab.fixture.ts';

/** Asks for `relay` at an address of somebody else. */
function extendTo(client: TestClient, relay: TestRelay, host: string, ed25519?: Uint8Array): void {
  const rsaId = relay.keys.rsaIdentity.fingerprint;
  const target = { ipv4: { host, port: orPort }, ipv6: undefined, rsaId, ed25519 };
  const body = encodeExtend2({ target, handshakeType: 2, handshake: new Uint8Array(84) });
  client.send(relayCommand.extend2, 0, body, 0, true);
}

function twoClients(
  lab: Lab,
  relay: TestRelay,
): { readonly attacker: TestClient; readonly honest: TestClient } {
  const [attacker, honest] = [lab.client('11.1.0.66'), lab.client('11.1.0.1')];
  for (const client of [attacker, honest]) {
    client.connect(relay);
    client.create(relay, 'ntor');
  }
  return { attacker, honest };
}

it('extends a circuit while another client asks for the same relay where a stranger answers', () => {
  const lab = new Lab();
  const [relay, next, stranger] = [lab.relay(), lab.relay(), lab.relay()];
  const { attacker, honest } = twoClients(lab, relay);
  extendTo(attacker, next, stranger.host.ip);
  honest.extend(next);
  expect(honest.destroyed).toBeUndefined();
  attacker.end();
});

it('extends a circuit at once while another client asks for the same relay where nobody answers', () => {
  const lab = new Lab();
  const [relay, next] = [lab.relay(), lab.relay()];
  const { attacker, honest } = twoClients(lab, relay);
  const ignore = () => {};
  lab.network.host('silent', { ip: '11.9.9.9' }).streams.attach({
    onStreamAccepted: ignore,
    onStreamBytes: ignore,
    onStreamEnd: ignore,
    onStreamClosed: ignore,
    onStreamWritable: ignore,
    onConnected: ignore,
    onResolved: ignore,
  });
  extendTo(attacker, next, '11.9.9.9', next.keys.identity.publicKey);
  const clock = new VirtualClock(relay.host.node);
  const before = clock.monotonicMs();
  honest.extend(next);
  expect(clock.monotonicMs() - before).toBeLessThan(linkHandshakeMsMax / 3);
});

it('carries circuits back over the link that the other relay opened', () => {
  const lab = new Lab();
  const [one, other] = [lab.relay(), lab.relay()];
  const client = lab.client('11.1.0.1');
  client.connect(one);
  client.create(one, 'ntor');
  client.extend(other);
  let opened = 0;
  const open = other.host.links.open.bind(other.host.links);
  other.host.links.open = to => {
    opened += 1;
    return open(to);
  };
  const back = lab.client('11.1.0.2');
  back.connect(other);
  back.create(other, 'ntor');
  back.extend(one);
  expect(opened).toBe(0);
});
