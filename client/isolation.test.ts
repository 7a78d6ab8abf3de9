import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ClientLab, otherSocksPort } from '../test/client-lab.fixture.ts';
import { type SocksLogin, socksAnswer, socksRequest, Talker } from '../test/talker.fixture.ts';

const lab = new ClientLab().bootstrap();
lab.destination('93.184.216.35', 80, 'a.example');

/** Opens a stream and says which circuit carries it. */
function open(login?: SocksLogin) {
  const before = lab.streams();
  const program = lab.socks().send(socksRequest('connect', 'a.example', 80, login));
  lab.until(() => socksAnswer(program, login).code === 0, 'it is connected');
  const [[circuit]] = [...lab.streams()].filter(([id, streams]) => streams !== before.get(id));
  return { circuit, program };
}

describe('streams and circuits', () => {
  it('are shared by one user and password, and by nobody else', { timeout: 180_000 }, () => {
    const part = fc.constantFrom('', 'a', 'ab', 'b', '1:', ':');
    const login = fc.option(fc.record({ user: part, password: part }), { nil: undefined });
    fc.assert(
      fc.property(fc.array(login, { minLength: 2, maxLength: 8 }), logins => {
        const opened = logins.map(each => ({ owner: JSON.stringify(each ?? null), ...open(each) }));
        const owners = new Set(opened.map(({ owner }) => owner));
        const circuits = new Set(opened.map(({ circuit }) => circuit));
        const pairs = new Set(opened.map(({ owner, circuit }) => `${owner} ${circuit}`));
        for (const { program } of opened) program.close();
        lab.world.runFor(1_000);
        expect([circuits.size, pairs.size]).toEqual([owners.size, owners.size]);
      }),
      { numRuns: 20 },
    );
  });

  it('are not shared by one user who comes to two ports', () => {
    const login = { user: 'both', password: '' };
    const first = open(login);
    const before = lab.streams();
    const program = lab.connect(otherSocksPort).send(socksRequest('connect', 'a.example', 80, login));
    lab.until(() => socksAnswer(program, login).code === 0, 'it is connected');
    const [[circuit]] = [...lab.streams()].filter(([id, streams]) => streams !== before.get(id));
    expect(circuit).not.toBe(first.circuit);
    expect(open(login).circuit).toBe(first.circuit);
  });

  it('are not shared by programs of two machines', () => {
    const first = open();
    const before = lab.streams();
    const neighbour = new Talker(lab.network.network.host('neighbour', { ip: '81.2.2.3' }));
    const port = { host: lab.machine.host.ip, port: 9_050 };
    const program = neighbour.connect(port).send(socksRequest('connect', 'a.example', 80));
    lab.until(() => socksAnswer(program).code === 0, 'it is connected');
    const [[circuit]] = [...lab.streams()].filter(([id, streams]) => streams !== before.get(id));
    expect(circuit).not.toBe(first.circuit);
    expect(open().circuit).toBe(first.circuit);
  });

  it.each(['2', '8', '14'])('are shared by one user too where another circuit is built first (%s)', seed => {
    const overtaken = new ClientLab({ seed }).bootstrap();
    overtaken.destination('93.184.216.35', 80, 'a.example');
    const users = Array.from({ length: 60 }, (_, i) => ({ user: `user ${i}`, password: '' }));
    for (const login of users) {
      for (let i = 0; i < 2; i++) {
        const program = overtaken.socks().send(socksRequest('connect', 'a.example', 80, login));
        overtaken.until(() => socksAnswer(program, login).code === 0, 'it is connected');
      }
    }
    expect([...overtaken.streams().values()]).toEqual(users.map(() => 2));
  });

  it('are not shared by those who wait for one circuit at the same time', () => {
    const early = new ClientLab();
    early.destination('93.184.216.35', 80, 'a.example');
    const logins = ['x', 'y', 'x', 'y', 'z'].map(user => ({ user, password: '' }));
    const programs = logins.map(login => early.socks().send(socksRequest('connect', 'a.example', 80, login)));
    early.until(() => programs.every((each, i) => socksAnswer(each, logins[i]).code === 0), 'all connect');
    expect([...early.streams().values()].sort()).toEqual([1, 2, 2]);
  });
});

describe('a circuit that somebody asked for', () => {
  const ask = () => lab.call('open-circuit', { hops: 3 }) as { readonly id: number };
  const ticketTo = (circuit: number) => lab.call('connect-stream', { circuit }) as SocksLogin;

  /** The code that a program with that login gets. */
  function codeFor(login: SocksLogin): number | undefined {
    const program = lab.socks().send(socksRequest('connect', 'a.example', 80, login));
    lab.until(() => socksAnswer(program, login).code !== undefined || program.over, 'an answer');
    return socksAnswer(program, login).code;
  }

  it('is reached by its ticket, once', () => {
    const { id } = ask();
    const ticket = ticketTo(id);
    const { circuit, program } = open(ticket);
    expect(circuit).toBe(id);
    expect(codeFor(ticket)).toBe(4);
    program.close();
  });

  it('is reached by its user while it lives, and by nobody else', () => {
    const { id } = lab.call('open-circuit', { hops: 3, user: 'me' }) as { readonly id: number };
    const mine = [open({ user: 'me', password: '1' }), open({ user: 'me', password: '2' })];
    expect(mine.map(({ circuit }) => circuit)).toEqual([id, id]);
    expect(open({ user: 'you', password: '1' }).circuit).not.toBe(id);
    expect(open().circuit).not.toBe(id);
  });

  it('is not replaced by another when it has ended: its tickets lead nowhere', () => {
    const { id } = ask();
    const ticket = ticketTo(id);
    lab.call('close-circuit', { circuit: id });
    const before = lab.streams();
    expect(codeFor(ticket)).toBe(4);
    expect(lab.streams()).toEqual(before);
  });

  it('does not take a name that only looks like a ticket from its owner', () => {
    expect(open({ user: 'circuit-1', password: 'my own' }).circuit).toBeGreaterThan(0);
  });
});
