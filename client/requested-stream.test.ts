import { describe, expect, it } from 'vitest';
import { makeExitPolicy, noExit } from '../relay/exit-policy.ts';
import { halfOpenMsMax, streamAnswerMsMax } from '../src/base/limits.ts';
import type { Payee, PaymentScheme } from '../src/payment/scheme.ts';
import { memoryCredit } from '../src/schemes/memory-credit/index.ts';
import { ClientLab, type ClientLabOptions, exitTo } from '../test/client-lab.fixture.ts';
import { ControllerLab } from '../test/controller-lab.fixture.ts';
import { socksAnswer, socksRequest, type Talk } from '../test/talker.fixture.ts';
import type { CircuitReport } from './circuit-report.ts';

const ipv4 = '93.184.216.35';
const priceMsatPer2Pow20 = 50_000_000n;

/** A client in such a network, once it has a circuit, and a server that it may reach. */
function startLab(options: ClientLabOptions) {
  const lab = new ClientLab(options).bootstrap();
  return { lab, server: lab.destination(ipv4, 80, 'a.example') };
}

/** The code that a program gets, and how long it had to wait for it. */
function codeOf(lab: ClientLab, program: Talk): { code: number | undefined; waitedMs: number } {
  const startUs = lab.world.nowUs;
  lab.until(() => socksAnswer(program).code !== undefined || program.over, 'an answer');
  return { code: socksAnswer(program).code, waitedMs: (lab.world.nowUs - startUs) / 1_000 };
}

const connect = (lab: ClientLab, host = 'a.example') => lab.socks().send(socksRequest('connect', host, 80));

describe("an address of somebody's own network", () => {
  const open = makeExitPolicy({
    exitRelay: true,
    lines: [],
    rejectPrivate: false,
    ipv6Exit: true,
    never: [],
  });
  const relaySettings = () => ({ exitPolicy: open.ok ? open.value : noExit });
  const inside = '10.1.2.3';

  it('is asked of no exit', () => {
    const { lab } = startLab({ relaySettings });
    const server = lab.destination(inside, 80);
    expect(codeOf(lab, connect(lab, inside))).toEqual({ code: 1, waitedMs: expect.closeTo(0, -2) });
    expect(server.visits).toEqual([]);
  });

  it('is no answer that an exit may give', () => {
    const { lab } = startLab({ relaySettings });
    lab.destination(inside, 80, 'inside.example');
    const asked = lab.socks().send(socksRequest('resolve', 'inside.example', 0));
    expect(codeOf(lab, asked).code).toBe(4);
    expect(codeOf(lab, connect(lab, 'inside.example')).code).toBe(1);
  });

  it('has no name that an exit is asked for', () => {
    const { lab } = startLab({ relaySettings });
    const asked = lab.socks().send(socksRequest('resolvePtr', inside, 0));
    expect(codeOf(lab, asked)).toEqual({ code: 4, waitedMs: expect.closeTo(0, -2) });
  });

  it('is like any other where a torrc says so', () => {
    const { lab } = startLab({ relaySettings, internal: { asked: true, believed: true } });
    lab.destination(inside, 80, 'inside.example');
    for (const host of [inside, 'inside.example']) expect(codeOf(lab, connect(lab, host)).code).toBe(0);
  });
});

it('answers for an address with itself, and needs no network for it', () => {
  const lab = new ClientLab();
  expect(codeOf(lab, lab.socks().send(socksRequest('resolve', '1.2.3.4', 0)))).toEqual({
    code: 0,
    waitedMs: expect.closeTo(0, -2),
  });
});

describe('an exit that cannot serve a stream', () => {
  it.each(['a', 'b', 'c', 'd'])('is left for those that can (seed %s)', seed => {
    const choosy = exitTo('reject 93.184.216.0/24:*', 'accept *:*');
    const relaySettings = (index: number) => ({
      exitPolicy: index >= 4 ? choosy : index === 3 ? exitTo('accept *:*') : exitTo('reject *:*'),
    });
    const { lab } = startLab({ seed, relaySettings });
    expect(codeOf(lab, connect(lab, ipv4)).code).toBe(0);
  });

  it('is not asked for the same again, while another serves it', () => {
    const choosy = exitTo('reject 93.184.216.0/24:*', 'accept *:*');
    const relaySettings = (index: number) => ({
      exitPolicy: index === 4 ? choosy : exitTo(index === 3 ? 'accept *:*' : 'reject *:*'),
    });
    const controlled = new ControllerLab({ relaySettings });
    const { lab } = controlled;
    const program = controlled.program();
    program.ask('SETEVENTS stream');
    lab.destination(ipv4, 80, 'a.example');
    // Each program has circuits of its own.
    const refusals = (user: string) => {
      const login = { user, password: '' };
      const before = program.events.filter(event => event.includes(' DETACHED ')).length;
      const asked = lab.socks().send(socksRequest('connect', 'a.example', 80, login));
      lab.until(() => socksAnswer(asked, login).code !== undefined, 'an answer');
      expect(socksAnswer(asked, login).code).toBe(0);
      return program.events.filter(event => event.includes(' DETACHED ')).length - before;
    };
    const users = Array.from({ length: 12 }, (_, index) => `user${index}`);
    expect(users.map(refusals).filter(count => count > 0)).toEqual([1]);
  });

  it.each([
    ['100.64.2.3', 2],
    ['nowhere.example', 4],
  ])('is asked once, and paid once: %s', (host, code) => {
    const { lab } = startLab({ exits: 1, priceMsatPer2Pow20 });
    expect(codeOf(lab, connect(lab, host)).code).toBe(code);
    const circuits = lab.call('circuits') as readonly CircuitReport[];
    const paid = circuits.filter(({ hops }) => hops.some(({ payments }) => payments > 0));
    expect(paid.length).toBe(1);
  });

  it('is left for another when it says nothing', () => {
    const { lab, server } = startLab({});
    const [path] = [...lab.core.pool.circuits].flatMap(({ path, purpose }) =>
      purpose === 'general' ? [path] : [],
    );
    const silent = lab.network.relays.find(({ core }) => core.settings.nickname === path[2].nickname);
    silent?.machine.host.node.stall(1e9);
    const { code, waitedMs } = codeOf(lab, connect(lab));
    expect([code, server.visits.length]).toEqual([0, 1]);
    expect(waitedMs).toBeLessThan(streamAnswerMsMax + 10_000);
  });
});

describe('a stream that cannot be opened', () => {
  it('fails in the time of SocksTimeout when no exit answers', () => {
    const { lab } = startLab({ exits: 1, pool: { waitMsMax: 20_000 } });
    lab.network.relays[5].machine.host.node.stall(1e9);
    const { code, waitedMs } = codeOf(lab, connect(lab));
    expect(code).toBe(6);
    expect(waitedMs).toBeLessThan(21_000);
    expect(lab.streams()).toEqual(new Map());
  });

  it('fails in the time of SocksTimeout when a hop never answers a payment', () => {
    const schemeFor = (role: string): PaymentScheme =>
      role === 'payee' ? silentPayees() : memoryCredit({ purseMsat: 1n << 40n, limitMsat: 1n << 40n });
    const { lab } = startLab({ priceMsatPer2Pow20, schemeFor, pool: { waitMsMax: 20_000 } });
    const { code, waitedMs } = codeOf(lab, connect(lab));
    expect(code).toBe(6);
    expect(waitedMs).toBeLessThan(21_000);
  });

  it('fails at once when it may not be paid for, over one circuit alone', () => {
    const { lab } = startLab({ priceMsatPer2Pow20, payment: { circuitMsatMax: 0n } });
    const { code, waitedMs } = codeOf(lab, connect(lab));
    expect(code).toBe(1);
    expect(waitedMs).toBeLessThan(2_000);
    const faults = lab.log.filter(({ event }) => event === 'circuit-ended').map(({ fields }) => fields.code);
    expect(faults).toEqual(['CIRCUIT_UNPAID']);
  });
});

describe('a program that sends no more', () => {
  it.each(['question', ''])('still gets its answer when a circuit comes late, having said %j', said => {
    const lab = new ClientLab();
    const server = lab.destination(ipv4, 80, 'a.example');
    const authority = [...lab.network.network.hosts].find(({ node }) => node.name === 'authority');
    if (authority !== undefined) lab.network.network.cutOff(authority, 3 * halfOpenMsMax);
    const program = connect(lab).send(said);
    lab.world.runFor(1_000);
    program.end();
    lab.until(() => server.visits[0]?.text === said, 'the server hears of it');
    server.visits[0].send('answer').end();
    lab.until(() => program.over, 'the answer comes');
    expect(lab.world.nowUs / 1_000).toBeGreaterThan(3 * halfOpenMsMax);
    expect(socksAnswer(program)).toMatchObject({ code: 0, rest: 'answer' });
  });

  it('is waited for as long as bytes come, and a little longer', () => {
    const { lab, server } = startLab({});
    const program = connect(lab);
    expect(codeOf(lab, program).code).toBe(0);
    program.end();
    for (let i = 0; i < 5; i++) {
      lab.world.runFor(halfOpenMsMax - 2_000);
      server.visits[0].send('.');
    }
    lab.world.runFor(halfOpenMsMax - 2_000);
    expect(program.over).toBe(false);
    lab.world.runFor(3_000);
    expect(program.over).toBe(true);
    expect(socksAnswer(program).rest).toBe('.....');
    expect(server.visits[0].over).toBe(true);
  });
});

/** Payees that take every payment and say nothing of it, ever. */
function silentPayees(): PaymentScheme {
  const scheme = memoryCredit({ purseMsat: 0n, limitMsat: 1n << 40n });
  const { id, name } = scheme;
  return {
    id,
    name,
    payer: host => scheme.payer(host),
    payee: (host, terms) => {
      const payee = scheme.payee(host, terms);
      const silent: Payee = {
        target: session => payee.target(session),
        redeem: () => ({ kind: 'pending', ask: 0 }),
        onAnswer: () => undefined,
        onChain: () => {},
        ended: session => payee.ended(session),
      };
      return silent;
    },
  };
}
