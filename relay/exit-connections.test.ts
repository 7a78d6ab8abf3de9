import { describe, expect, it } from 'vitest';
import { resolveMsMax, streamConnectMsMax, streamLingerMsMax } from '../src/base/limits.ts';
import { reverseAddress } from '../src/base/reverse-name.ts';
import { endReason, relayCommand } from '../src/cell/commands.ts';
import { beginFlag, decodeConnected } from '../src/cell/relay-messages.ts';
import { HeldBytes } from '../src/circuit/held-bytes.ts';
import { fixedFlow } from '../src/flow/sendme-window.ts';
import type { Clock, Endpoint, ResolvedAddress, StreamPort } from '../src/ports.ts';
import { SeededEntropy } from '../src/sim/seeded-entropy.ts';
import { ExitStream } from '../src/stream/exit-stream.ts';
import type { RelayStreamCircuit } from '../src/stream/relay-stream.ts';
import { ExitConnections } from './exit-connections.ts';
import { makeExitPolicy, noExit } from './exit-policy.ts';

const made = makeExitPolicy({ exitRelay: true, lines: [], rejectPrivate: true, ipv6Exit: true, never: [] });
const policy = made.ok ? made.value : noExit;

function world(rules = policy) {
  const calls: string[] = [];
  const sent: string[] = [];
  const ttls: (number | undefined)[] = [];
  let last = 0;
  const note = (name: string) => (stream: number) => void calls.push(`${name} ${stream}`);
  const port: StreamPort = {
    resolve(name, reverse) {
      calls.push(`resolve ${name}${reverse ? ' reverse' : ''}`);
      return ++last;
    },
    connect(to: Endpoint) {
      calls.push(`connect ${to.host} ${to.port}`);
      return ++last;
    },
    write: () => true,
    pause: note('pause'),
    resume: note('resume'),
    end: note('end'),
    close: note('close'),
  };
  let timers: { at: number; run: () => void }[] = [];
  let now = 0;
  const clock: Clock = {
    monotonicMs: () => now,
    wallMs: () => now,
    after(ms, run) {
      const timer = { at: now + ms, run };
      timers.push(timer);
      return () => {
        timers = timers.filter(each => each !== timer);
      };
    },
  };
  const pass = (ms: number): void => {
    now += ms;
    for (const timer of timers.filter(each => each.at <= now)) {
      timers = timers.filter(each => each !== timer);
      timer.run();
    }
  };
  const circuit: RelayStreamCircuit = {
    flow: fixedFlow(),
    dataRoom: () => 1,
    sendFullData() {},
    sendData() {},
    sendControl: (_stream, command, body) => {
      sent.push(command === relayCommand.end ? `end ${body[0]}` : `command ${command}`);
      if (command === relayCommand.connected) ttls.push(decodeConnected(body)?.ttlSeconds);
    },
    wait() {},
    wake() {},
    release() {},
  };
  const held = new HeldBytes(clock, { share() {}, taken() {} });
  const exits = new ExitConnections(port, clock, new SeededEntropy('exits'), rules, held);
  const stream = new ExitStream(1, circuit, exits);
  return { exits, stream, calls, sent, ttls, pass, waiting: () => timers.length };
}

const ip4: ResolvedAddress = { kind: 'ipv4', value: '8.8.8.8', ttlSeconds: 5 };
const ip6: ResolvedAddress = { kind: 'ipv6', value: '2607:f8b0::1', ttlSeconds: 5 };

describe('exit connections', () => {
  it.each([
    [0, [ip6, ip4], '8.8.8.8'],
    [beginFlag.ipv6Okay, [ip6, ip4], '8.8.8.8'],
    [beginFlag.ipv6Okay | beginFlag.ipv6Preferred, [ip4, ip6], '2607:f8b0::1'],
    [beginFlag.ipv6Okay | beginFlag.ipv4NotOkay, [ip4, ip6], '2607:f8b0::1'],
    [0, [ip6], undefined],
  ])('looks a name up once and connects to what was found (flags %i)', (flags, addresses, chosen) => {
    const { exits, stream, calls, sent } = world();
    exits.begin(stream, { host: 'example.com', port: 80, flags });
    exits.onResolved(1, addresses);
    exits.onResolved(1, [{ kind: 'ipv4', value: '9.9.9.9', ttlSeconds: 5 }]);
    expect(calls.slice(1)).toEqual(chosen === undefined ? [] : [`connect ${chosen} 80`]);
    expect(sent).toEqual(chosen === undefined ? [`end ${endReason.resolveFailed}`] : []);
  });

  it('connects to no address that the policy forbids, however it was come by', () => {
    for (const value of ['127.0.0.1', '10.0.0.1', '169.254.169.254']) {
      const { exits, stream, calls, sent } = world();
      exits.begin(stream, { host: 'rebound.example', port: 80, flags: 0 });
      exits.onResolved(1, [{ kind: 'ipv4', value, ttlSeconds: 5 }]);
      expect(calls).toEqual(['resolve rebound.example']);
      expect(sent).toEqual([`end ${endReason.exitPolicy}`]);
    }
  });

  it('waits for names and connections so long and no longer', () => {
    const names = world();
    names.exits.begin(names.stream, { host: 'slow.example', port: 80, flags: 0 });
    names.pass(resolveMsMax);
    expect(names.sent).toEqual([`end ${endReason.resolveFailed}`]);
    const { exits, stream, sent, calls, pass, waiting } = world();
    exits.begin(stream, { host: '8.8.8.8', port: 80, flags: 0 });
    pass(streamConnectMsMax);
    expect(sent).toEqual([`end ${endReason.timeout}`]);
    expect(calls.at(-1)).toBe('close 1');
    expect(waiting()).toBe(0);
  });

  it('lets what was written go out when the client has ended the stream, for a while', () => {
    const { exits, stream, calls, sent, pass, waiting } = world();
    exits.begin(stream, { host: '8.8.8.8', port: 80, flags: 0 });
    exits.onConnected(1, { host: '8.8.8.8', port: 80 });
    expect(sent).toEqual([`command ${relayCommand.connected}`]);
    stream.onEnd();
    expect(calls.slice(1)).toEqual(['end 1', 'resume 1']);
    pass(streamLingerMsMax);
    expect(calls.at(-1)).toBe('close 1');
    expect(waiting()).toBe(0);
  });

  it('closes a connection at once when its circuit is gone', () => {
    const { exits, stream, calls } = world();
    exits.begin(stream, { host: '8.8.8.8', port: 80, flags: 0 });
    stream.abandon();
    expect(calls.at(-1)).toBe('close 1');
    exits.onConnected(1, { host: '8.8.8.8', port: 80 });
    expect(exits.owns(1)).toBe(false);
  });

  it('looks no name up when it is no exit', () => {
    const { exits, calls } = world(noExit);
    const answers: unknown[] = [];
    exits.resolve('example.com', answer => answers.push(answer));
    exits.resolve('4.3.2.1.in-addr.arpa', answer => answers.push(answer));
    expect([calls, answers]).toEqual([[], Array(2).fill({ addresses: [], error: 'permanent' })]);
  });

  it('answers RESOLVE for names, literals and reverse names', () => {
    const { exits, calls } = world();
    const answers: unknown[] = [];
    exits.resolve('example.com', answer => answers.push(answer));
    exits.onResolved(1, [ip4, { kind: 'name', value: 'x', ttlSeconds: 1 }]);
    exits.resolve('1.2.3.4', answer => answers.push(answer));
    exits.resolve('4.3.2.1.in-addr.arpa', answer => answers.push(answer));
    exits.onResolved(2, []);
    expect(calls).toEqual(['resolve example.com', 'resolve 1.2.3.4 reverse']);
    expect(answers).toEqual([
      { addresses: [{ ...ip4, ttlSeconds: 60 }], error: undefined },
      { addresses: [{ kind: 'ipv4', value: '1.2.3.4', ttlSeconds: 60 }], error: undefined },
      { addresses: [], error: 'permanent' },
    ]);
  });

  it.each([
    ['a short lifetime', 1, 60, 540],
    ['5 minutes', 300, 3_360, 3_840],
    ['a long lifetime', 4_294_967_295, 3_360, 3_840],
  ])('tells clients one of two blurred lifetimes, not that of the name: %s', (_, ttlSeconds, least, most) => {
    const told = Array.from({ length: 20 }, () => {
      const { exits, stream, ttls } = world();
      exits.begin(stream, { host: 'example.com', port: 80, flags: 0 });
      exits.onResolved(1, [{ kind: 'ipv4', value: '8.8.8.8', ttlSeconds }]);
      exits.onConnected(2, { host: '8.8.8.8', port: 80 });
      return ttls[0] ?? Number.NaN;
    });
    expect(Math.min(...told)).toBeGreaterThanOrEqual(least);
    expect(Math.max(...told)).toBeLessThanOrEqual(most);
  });

  it('reads reverse names of both families and nothing else', () => {
    const nibbles = '1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa';
    expect(reverseAddress(nibbles)).toBe('2001:db8::1');
    expect(reverseAddress('1.2.3.in-addr.arpa')).toBeUndefined();
    expect(reverseAddress('example.com')).toBeUndefined();
  });
});
