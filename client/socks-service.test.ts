import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromHex, toHex } from '../src/base/bytes.ts';
import {
  relayBodyBytesMax,
  socksConnectionsMax,
  socksHandshakeMsMax,
  streamBufferBytesMax,
  streamLingerMsMax,
} from '../src/base/limits.ts';
import { congestionOf } from '../src/directory/network-view.ts';
import { ClientLab, exitTo } from '../test/client-lab.fixture.ts';
import { socksAnswer, socksRequest } from '../test/talker.fixture.ts';

const ipv4 = '93.184.216.35';
const ipv6 = '2606:2800:220::35';
const login = { user: 'somebody', password: 'secret' };

const lab = new ClientLab({
  relaySettings: index => (index >= 4 ? { exitPolicy: exitTo('reject *:25', 'accept *:*') } : {}),
}).bootstrap();
const server = lab.destination(ipv4, 80, 'a.example');
const server6 = lab.destination(ipv6, 80, 'six.example');
lab.network.network.name(ipv4, [{ kind: 'name', value: 'a.example', ttlSeconds: 60 }]);
lab.network.network.name(ipv6, [{ kind: 'name', value: 'six.example', ttlSeconds: 60 }]);

/** Sends the request and waits for its answer. */
function ask(...request: Parameters<typeof socksRequest>) {
  const program = lab.socks().send(socksRequest(...request));
  lab.until(() => socksAnswer(program, request[3]).code !== undefined || program.over, 'an answer');
  return { program, ...socksAnswer(program, request[3]) };
}

describe('a request that can be served', () => {
  it.each([
    ['a name', 'a.example', server, undefined],
    ['a name, for a user', 'a.example', server, login],
    ['an IPv4 address', ipv4, server, undefined],
    ['an IPv6 address', ipv6, server6, undefined],
    ['a name that has an IPv6 address alone', 'six.example', server6, undefined],
  ])('connects to %s, and carries bytes both ways to the end', (_, host, there, user) => {
    const before = there.visits.length;
    const { program, code } = ask('connect', host, 80, user);
    expect(code).toBe(0);
    const visit = there.visits[before];
    program.send('to the server').end();
    lab.until(() => visit.text === 'to the server', 'the server has it all');
    visit.send('to the program').end();
    lab.until(() => program.over && visit.over, 'both see the end');
    expect(socksAnswer(program, user).rest).toBe('to the program');
  });

  it.each([
    ['resolve', 'a.example', '5db8d823'],
    ['resolve', 'six.example', '26062800022000000000000000000035'],
    ['resolve', '1.2.3.4', '01020304'],
    ['resolvePtr', ipv4, `09${Buffer.from('a.example').toString('hex')}`],
    ['resolvePtr', ipv6, `0b${Buffer.from('six.example').toString('hex')}`],
  ] as const)('answers %s of %s, and ends the connection', (command, host, address) => {
    const { program, ...answer } = ask(command, host, 0);
    expect(answer).toEqual({ code: 0, address, rest: '' });
    lab.until(() => program.over, 'the connection ends');
  });

  it('takes bytes that come in one piece with the request, and one by one', () => {
    const bytes = Buffer.concat([socksRequest('connect', 'a.example', 80, login), Buffer.from('early')]);
    const [whole, slow] = [lab.socks().send(bytes), lab.socks()];
    for (const byte of bytes) {
      slow.send(Uint8Array.of(byte));
      lab.world.runFor(100);
    }
    for (const program of [whole, slow])
      lab.until(() => socksAnswer(program, login).code === 0, 'it is connected');
    const visits = server.visits.slice(-2);
    lab.until(() => visits.every(({ text }) => text === 'early'), 'both bring what was sent early');
  });
});

describe('a request that fails', () => {
  const hole = lab.destination('93.184.216.77', 80);
  lab.network.network.cutOff(hole.host, 1e9);

  it.each([
    ['nobody listens', 'connect', ipv4, 81, 5],
    ['there is no such host', 'connect', '93.184.216.99', 80, 4],
    ['there is no such name', 'connect', 'nowhere.example', 80, 4],
    ['there is no such name to resolve', 'resolve', 'nowhere.example', 0, 4],
    ['there is no name for the address', 'resolvePtr', '4.4.4.4', 0, 4],
    ['it names an onion service', 'connect', 'abc.onion', 80, 4],
    ['it asks for the address of an onion service', 'resolve', 'ABC.onion.', 0, 4],
    ['the exit refuses the address', 'connect', '100.64.2.3', 80, 2],
    ['it is an address of our own network', 'connect', '10.1.2.3', 80, 1],
    ['no exit takes the port', 'connect', ipv4, 25, 1],
    ['the host does not answer', 'connect', '93.184.216.77', 80, 6],
  ] as const)('%s', (_, command, host, port, code) => {
    const { program, ...answer } = ask(command, host, port);
    expect(answer).toEqual({ code, address: '00000000', rest: '' });
    lab.until(() => program.over, 'the connection ends');
  });
});

describe('what is no request', () => {
  /** What comes back, in hex, and whether the connection ends. */
  function answerTo(hex: string) {
    const program = lab.socks().send(fromHex(hex.replaceAll(' ', '')) as Uint8Array);
    lab.world.runFor(1_000);
    return { over: program.over, received: toHex(program.received), text: program.text };
  }

  it.each([
    ['SOCKS4', '0401 0050 5db8d823 00', ''],
    ['TLS', '16030100 ff', ''],
    ['zeros', '00000000', ''],
    ['no method that we speak', '050101', '05ff'],
    ['BIND', '050100 05020001 5db8d823 0050', '0500 05070001 00000000 0000'],
    ['UDP ASSOCIATE', '050100 05030001 5db8d823 0050', '0500 05070001 00000000 0000'],
    ['an unknown kind of address', '050100 05010009', '0500 05080001 00000000 0000'],
    ['a name with a line break', '050100 05010003 03 610a62 0050', '0500 05010001 00000000 0000'],
  ])('%s is answered as C tor answers it, and ended', (_, sent, received) => {
    expect(answerTo(sent)).toMatchObject({ received: received.replaceAll(' ', ''), over: true });
  });

  it('HTTP is answered in HTTP', () => {
    const { text, over } = answerTo(Buffer.from('GET http://a.example/ HTTP/1.1\r\n\r\n').toString('hex'));
    expect(over).toBe(true);
    expect(text).toMatch(/^HTTP\/1\.0 501 /);
    expect(text).toContain('--socks5-hostname');
  });

  it('any bytes in any pieces are answered or ended, at the latest after the time for a handshake', () => {
    const pieces = fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 }), { maxLength: 4 });
    fc.assert(
      fc.property(fc.constantFrom('', '05', '050100', '050102', '05010005'), pieces, (start, sent) => {
        const program = lab.socks();
        for (const bytes of [fromHex(start) as Uint8Array, ...sent]) {
          if (bytes.length > 0) program.send(bytes);
          lab.world.runFor(20);
        }
        lab.world.runFor(socksHandshakeMsMax + 1_000);
        expect(program.over || socksAnswer(program).code !== undefined).toBe(true);
        program.close();
      }),
      { numRuns: 50 },
    );
  });
});

describe('programs that take their time', () => {
  const busy = new ClientLab().bootstrap();
  const source = busy.destination(ipv4, 80, 'a.example');

  it.each(['', '05', '050100', '0501020105ff', '050100050100'])('ends a silence after %j', hex => {
    const program = busy.socks();
    if (hex !== '') program.send(fromHex(hex) as Uint8Array);
    busy.world.runFor(socksHandshakeMsMax - 1_000);
    expect(program.over).toBe(false);
    busy.world.runFor(2_000);
    expect(program.over).toBe(true);
    program.close();
  });

  it.each([
    ['its request was refused', 'abc.onion', 80],
    ['its bytes are no request', undefined, 0],
  ])('waits no longer for a program that does not close after %s', (_, host, port) => {
    const program = busy.socks().send(host === undefined ? 'nonsense' : socksRequest('connect', host, port));
    busy.until(() => program.over, 'it is told the end');
    program.send('and more, and more');
    busy.world.runFor(streamLingerMsMax + 1_000);
    expect(program.closed).toBe('done');
  });

  it('gives the place of who has been silent for longest to who comes when all are taken', () => {
    const silent = Array.from({ length: socksConnectionsMax }, () => busy.socks());
    busy.world.runFor(1_000);
    expect(silent.filter(({ over }) => over)).toEqual([]);
    const late = busy.socks().send(socksRequest('resolve', 'a.example', 0));
    busy.until(() => socksAnswer(late).code === 0, 'it is served');
    expect(silent.filter(({ over }) => over)).toHaveLength(1);
    for (const program of silent) program.close();
    busy.world.runFor(100);
  });

  it('takes no more in than windows and buffers hold while a program does not read', () => {
    const program = busy.socks().send(socksRequest('connect', 'a.example', 80));
    busy.until(() => socksAnswer(program).code === 0, 'it is connected');
    const [visit] = source.visits;
    program.pause();
    const size = 8_000_000;
    visit.send(new Uint8Array(size));
    busy.world.runFor(60_000);
    const { windowBytes, sendBufferBytes } = busy.network.network;
    const taken = Math.max(...[...busy.core.pool.circuits].map(({ bytesIn }) => bytesIn));
    const congestionBytesMax = congestionOf(undefined).slowStartMax * relayBodyBytesMax;
    expect(taken).toBeLessThan(windowBytes + sendBufferBytes + streamBufferBytesMax + congestionBytesMax);
    program.resume();
    busy.until(() => program.received.length >= size, 'the rest comes once it reads');
  });
});
