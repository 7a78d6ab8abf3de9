import { describe, expect, it } from 'vitest';
import { utf8 } from '../src/base/bytes.ts';
import { destroyReason, endReason, endUnpaid, relayCommand } from '../src/cell/commands.ts';
import { decodeResolved, encodeBegin, encodeResolve } from '../src/cell/relay-messages.ts';
import { Lab, openExit, orPort, serverIp, type TestClient, type TestRelay } from './relay-lab.fixture.ts';

const nothing = new Uint8Array(0);
const begin = (host: string, port = 80) => encodeBegin({ host, port, flags: 0 });
const request = utf8('GET /100000 HTTP/1.0\r\n\r\n');

describe('a relay', () => {
  it.each([
    [3, 'fast'],
    [4, 'fast'],
    [5, 'ntor'],
  ] as const)('serves a stream over link protocol %i with CREATE_%s', (protocol, how) => {
    const lab = new Lab();
    const relay = lab.relay({ exitPolicy: openExit });
    const client = lab.client('11.1.0.1', [protocol]);
    client.connect(relay);
    client.create(relay, how);
    client.send(relayCommand.begin, 1, begin('example.com'));
    client.send(relayCommand.data, 1, request);
    expect(client.next(relayCommand.connected).stream).toBe(1);
    let bytes = 0;
    for (let reply = client.next(relayCommand.data); ; ) {
      bytes += reply.body.length;
      lab.world.runUntil(() => client.replies.length > 0, { virtualMs: 10_000 });
      if (client.replies[0].command !== relayCommand.data) break;
      reply = client.next(relayCommand.data);
    }
    expect(bytes).toBeGreaterThan(100_000);
    expect(client.next(relayCommand.end).body).toEqual(Uint8Array.of(endReason.done));
  });

  it('extends over one link for each pair, whoever dials first', () => {
    const lab = new Lab();
    const [a, b, c] = [lab.relay(), lab.relay(), lab.relay({ exitPolicy: openExit })];
    for (let i = 0; i < 3; i++) {
      const client = lab.client(`11.1.0.${i + 1}`);
      client.connect(a);
      client.create(a, 'ntor');
      client.extend(b);
      client.extend(c);
      client.send(relayCommand.resolve, 9, encodeResolve('example.com'));
      const answer = client.next(relayCommand.resolved);
      expect([answer.hop, answer.stream]).toEqual([2, 9]);
      expect(decodeResolved(answer.body)?.addresses).toEqual([
        { kind: 'ipv4', value: serverIp, ttlSeconds: 60 },
      ]);
    }
    const back = lab.client('11.1.0.9');
    back.connect(c);
    back.create(c, 'fast');
    back.extend(b);
    back.extend(a);
    const links = (relay: TestRelay) => relay.host.node.counters.get('naulon_links_opened_total');
    // a: three clients and b; b: a and c; c: a client and b.
    expect([links(a), links(b), links(c)]).toEqual([4, 2, 2]);
  });

  it('refuses exits that its policy forbids, also by a name that leads inside', () => {
    const lab = new Lab();
    const relay = lab.relay({ exitPolicy: openExit });
    const client = lab.client();
    client.connect(relay);
    client.create(relay, 'fast');
    for (const [id, body] of [
      begin('inside.example'),
      begin('127.0.0.1'),
      begin('::ffff:127.0.0.1'),
      begin('example.com', 25),
    ].entries()) {
      client.send(relayCommand.begin, id + 1, body);
      expect(client.next(relayCommand.end).body[0]).toBe(endReason.exitPolicy);
    }
    client.send(relayCommand.begin, 9, begin('nowhere.example'));
    expect(client.next(relayCommand.end).body[0]).toBe(endReason.resolveFailed);
    client.send(relayCommand.begin, 10, begin('93.184.216.35'));
    expect(client.next(relayCommand.end).body[0]).toBe(endReason.noRoute);
    client.send(relayCommand.begin, 11, begin('example.com', 81));
    expect(client.next(relayCommand.end).body[0]).toBe(endReason.connectRefused);
  });

  it('serves no exit on free cells, and cuts off at zero, not before', () => {
    const lab = new Lab();
    const relay = lab.relay({ exitPolicy: openExit, priceMsatPer2Pow20: 1_000_000n });
    const client = lab.client();
    client.connect(relay);
    client.create(relay, 'fast');
    client.send(relayCommand.begin, 1, begin('example.com'));
    expect(client.next(relayCommand.end).body).toEqual(Uint8Array.of(endUnpaid));
    // BEGIN and END have cost two of the 64 free cells.
    for (let i = 0; i < 62; i++) client.send(relayCommand.drop, 0, nothing);
    lab.world.runFor(1_000);
    expect(client.destroyed).toBeUndefined();
    client.send(relayCommand.drop, 0, nothing);
    expect(client.end()).toBe(destroyReason.resourceLimit);
    expect(lab.server.served).toBe(0);
    expect(relay.core.circuits.size).toBe(0);
  });

  it('answers an empty REDEEM with its price', () => {
    const lab = new Lab();
    const relay = lab.relay({ priceMsatPer2Pow20: 1_000_000n });
    const client = lab.client();
    client.connect(relay);
    client.create(relay, 'fast');
    client.send(relayCommand.redeem, 0, Uint8Array.of(0, 1, 0, 1, 0, 0));
    expect(client.next(relayCommand.receipt).hop).toBe(0);
  });

  it('serves its descriptor over BEGIN_DIR without cost', () => {
    const lab = new Lab();
    const relay = lab.relay({ priceMsatPer2Pow20: 1_000_000n });
    const client = lab.client();
    client.connect(relay);
    client.create(relay, 'fast');
    client.send(relayCommand.beginDir, 1, nothing);
    client.send(relayCommand.data, 1, utf8('GET /tor/server/authority HTTP/1.0\r\n\r\n'));
    client.next(relayCommand.connected);
    let text = '';
    while (!text.includes('router-signature'))
      text += Buffer.from(client.next(relayCommand.data).body).toString();
    expect(text).toContain('naulon-price 1000000');
    expect(text).toContain(`router relay0 ${relay.host.ip} ${orPort}`);
  });

  it.each<[what: string, reason: number, lose: (client: TestClient, next: TestRelay) => void]>([
    [
      'cannot be reached',
      destroyReason.channelClosed,
      (client, next) =>
        client.send(relayCommand.extend2, 0, client.extendBody(next, new Uint8Array(84), 9_999), 0, true),
    ],
    [
      'is another than it should be',
      destroyReason.channelClosed,
      (client, next) => {
        const wrong = { ...next, keys: { ...next.keys, identity: next.keys.signing } };
        client.send(relayCommand.extend2, 0, client.extendBody(wrong, new Uint8Array(84)), 0, true);
      },
    ],
    [
      // A handshake that is not for its key: it destroys what it never made.
      'destroys the circuit',
      destroyReason.destroyed,
      (client, next) =>
        client.send(relayCommand.extend2, 0, client.extendBody(next, new Uint8Array(84)), 0, true),
    ],
    [
      'is gone',
      destroyReason.channelClosed,
      (client, next) => {
        client.extend(next);
        next.host.crash();
      },
    ],
  ])('ends a circuit whose next hop %s', (_what, reason, lose) => {
    const lab = new Lab();
    const [a, b] = [lab.relay(), lab.relay()];
    const client = lab.client();
    client.connect(a);
    client.create(a, 'ntor');
    lose(client, b);
    expect(client.end()).toBe(reason);
    expect(a.core.circuits.size).toBe(0);
  });

  it('never extends back or to itself', () => {
    const lab = new Lab();
    const [a, b] = [lab.relay(), lab.relay()];
    for (const [ip, target] of [
      ['11.1.0.1', a],
      ['11.1.0.2', b],
    ] as const) {
      const client = lab.client(ip);
      client.connect(a);
      client.create(a, 'fast');
      if (target === b) client.extend(b);
      client.send(relayCommand.extend2, 0, client.extendBody(a, new Uint8Array(84)), undefined, true);
      expect(client.end()).toBe(target === a ? destroyReason.protocol : destroyReason.destroyed);
    }
  });

  it.each([
    ['keeps to its BandwidthRate', '11.1.0.1', false, 20_000, 4],
    ['does not count what passes inside a private network', '10.1.0.1', false, 20_000, 0],
    ['counts that too when it is told to', '10.1.0.1', true, 20_000, 4],
    ['is as fast as it can without one', '11.1.0.1', false, 2 ** 30, 0],
  ] as const)('%s', (_what, ip, countsPrivate, rate, secondsMin) => {
    const lab = new Lab();
    const limits = { bandwidthRate: rate, bandwidthBurst: rate, countsPrivate };
    const relay = lab.relay({ exitPolicy: openExit, ...limits });
    const client = lab.client(ip);
    client.connect(relay);
    client.create(relay, 'fast');
    client.send(relayCommand.begin, 1, begin('example.com'));
    client.send(relayCommand.data, 1, request);
    const startedUs = lab.world.nowUs;
    const ended = () => client.replies.at(-1)?.command === relayCommand.end;
    expect(lab.world.runUntil(ended, { virtualMs: 60_000 })).toBe('done');
    const seconds = (lab.world.nowUs - startedUs) / 1e6;
    expect(seconds).toBeGreaterThanOrEqual(secondsMin);
    expect(seconds).toBeLessThan(secondsMin + 2);
  });

  it('destroys its circuits when it stops', () => {
    const lab = new Lab();
    const relay = lab.relay();
    const client = lab.client();
    client.connect(relay);
    client.create(relay, 'fast');
    relay.host.node.turn(() => relay.core.stop());
    expect(client.end()).toBe(destroyReason.hibernating);
  });
});
