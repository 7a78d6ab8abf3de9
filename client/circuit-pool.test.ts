import { describe, expect, it, vi } from 'vitest';
import { receiptMsMax } from '../src/base/limits.ts';
import type { PayeeIdentity, PaymentScheme, SessionId, Value } from '../src/payment/scheme.ts';
import type { SimHost } from '../src/sim/sim-host.ts';
import { ClientLab, type ClientLabOptions, credit } from '../test/client-lab.fixture.ts';
import { socksAnswer, socksRequest, type Talk } from '../test/talker.fixture.ts';
import type { CircuitReport } from './circuit-report.ts';

/** So few that a test can use them up. */
const circuitsMax = 8;
vi.mock('../src/base/limits.ts', async original => ({
  ...(await original<typeof import('../src/base/limits.ts')>()),
  circuitsPerClientMax: 8,
}));

function startLab(options: ClientLabOptions = {}) {
  const lab = new ClientLab(options).bootstrap();
  return { lab, server: lab.destination('93.184.216.35', 80, 'a.example') };
}

const loginOf = (user: string) => ({ user, password: '' });

function connect(lab: ClientLab, user = 'user'): Talk {
  return lab.socks().send(socksRequest('connect', 'a.example', 80, loginOf(user)));
}

function codeOf(lab: ClientLab, program: Talk): number | undefined {
  const answer = () => socksAnswer(program, loginOf(''));
  const of = (user: string) => socksAnswer(program, loginOf(user));
  lab.until(() => of('').code !== undefined || program.over, 'an answer');
  return answer().code;
}

/** Opens a stream, and says which circuit carries it. */
function open(lab: ClientLab, user = 'user') {
  const before = lab.streams();
  const program = connect(lab, user);
  expect(codeOf(lab, program)).toBe(0);
  const [[circuit]] = [...lab.streams()].filter(([id, streams]) => streams !== before.get(id));
  return { program, circuit };
}

/** Circuits for streams, by state. */
function circuits(lab: ClientLab): readonly CircuitReport[] {
  return (lab.call('circuits') as readonly CircuitReport[]).filter(({ purpose }) => purpose === 'general');
}

/** Nothing more passes over the connections that a machine has, for so long. */
function stall(host: SimHost, ms: number): void {
  for (const end of host.ends) {
    end.stall(ms);
    end.peer?.stall(ms);
  }
}

const idsOf = (lab: ClientLab) => circuits(lab).map(({ id }) => id);

describe('a circuit', () => {
  it('is built before it is needed, and another when it is taken', () => {
    const { lab } = startLab();
    const [first, ...others] = idsOf(lab);
    expect(others).toEqual([]);
    expect(open(lab).circuit).toBe(first);
    lab.until(
      () => circuits(lab).filter(({ state }) => state === 'open').length === 2,
      'the next is built',
      5_000,
    );
  });

  it('that was chosen for any stream takes none that is to live long', () => {
    const { lab } = startLab();
    lab.destination('93.184.216.36', 22, 'shell.example');
    const [ready] = idsOf(lab);
    const shell = (user: string) => {
      const before = lab.streams();
      const program = lab.socks().send(socksRequest('connect', 'shell.example', 22, loginOf(user)));
      expect(codeOf(lab, program)).toBe(0);
      return [...lab.streams()].flatMap(([id, streams]) => (streams === before.get(id) ? [] : id));
    };
    const [first] = shell('user');
    expect(first).not.toBe(ready);
    expect(shell('user')).toEqual([first]);
    expect(open(lab, 'other').circuit).toBe(ready);
  });

  it('takes no new streams when it was used for MaxCircuitDirtiness, and ends with its last', () => {
    const { lab } = startLab({ pool: { dirtinessMsMax: 60_000 } });
    const early = open(lab);
    lab.world.runFor(58_000);
    const late = open(lab);
    lab.world.runFor(2_500);
    const next = open(lab);
    expect([late.circuit, next.circuit === early.circuit]).toEqual([early.circuit, false]);
    early.program.close();
    lab.world.runFor(5_000);
    expect(idsOf(lab)).toContain(early.circuit);
    late.program.close();
    lab.world.runFor(5_000);
    expect(idsOf(lab)).not.toContain(early.circuit);
    expect(next.program.over).toBe(false);
  });

  it('takes no new streams when one of its hops cannot be paid for long, and ends with its last', () => {
    const begun: SessionId[] = [];
    const ending = new Set<SessionId>();
    const scheme: PaymentScheme = {
      ...credit(),
      payer: host => {
        const payer = credit().payer(host);
        const begin = payer.begin.bind(payer);
        return Object.assign(payer, {
          begin: (session: SessionId, payee: PayeeIdentity, budget: Value) => {
            begun.push(session);
            begin(session, payee, budget);
          },
          endsSoon: (session: SessionId) => ending.has(session),
        });
      },
    };
    const { lab } = startLab({ priceMsatPer2Pow20: 50_000_000n, scheme });
    const early = open(lab);
    lab.until(
      () => circuits(lab).filter(({ state }) => state === 'open').length === 2,
      'another is built before it is needed',
    );
    const late = open(lab);
    expect([late.circuit, begun.length]).toEqual([early.circuit, 3]);
    ending.add(begun[1]);
    const next = open(lab);
    expect([next.circuit === early.circuit, begun.length]).toEqual([false, 6]);
    lab.world.runFor(5_000);
    expect([early.program.over, late.program.over, next.program.over]).toEqual([false, false, false]);
    early.program.close();
    late.program.close();
    lab.world.runFor(5_000);
    expect(idsOf(lab)).not.toContain(early.circuit);
    expect(next.program.over).toBe(false);
  });

  it('ends with the hop named when a hop gives no RECEIPT for long', () => {
    const schemeFor: ClientLabOptions['schemeFor'] = (_role, index) => ({
      ...credit(),
      payee: (host, signer) => {
        const payee = credit().payee(host, signer);
        return index < 4 ? payee : Object.assign(payee, { redeem: () => ({ kind: 'pending', ask: 0 }) });
      },
    });
    const { lab } = startLab({ priceMsatPer2Pow20: 50_000_000n, schemeFor });
    connect(lab);
    const blames = () =>
      lab.log.filter(({ fields }) => fields.code === 'CIRCUIT_CHEATED').map(({ fields }) => fields.detail);
    lab.until(() => blames().length > 0, 'somebody is blamed', 2 * receiptMsMax);
    expect(blames()[0]).toMatch(/^relay[45]: RECEIPT_LATE$/);
  });

  it('that nobody uses is replaced after a while', () => {
    const { lab } = startLab({ pool: { cleanMsMax: 100_000 } });
    const [first] = idsOf(lab);
    lab.world.runFor(110_000);
    const [second, ...others] = circuits(lab);
    expect([second.id > first, second.state, others]).toEqual([true, 'open', []]);
  });

  it('that breaks ends its streams, and the next stream goes over another', () => {
    const { lab } = startLab();
    const { program, circuit } = open(lab);
    const { hops } = circuits(lab).find(({ id }) => id === circuit) as CircuitReport;
    const middle = lab.network.relays.findIndex(({ core }) => core.settings.nickname === hops[1].relay);
    lab.network.relays[middle].machine.crash();
    lab.until(() => program.over, 'the program hears of it', 5_000);
    expect(open(lab).circuit).not.toBe(circuit);
  });

  it('that lets nothing pass delays one stream, and is given to no other', () => {
    const { lab } = startLab();
    const { circuit } = open(lab);
    const { hops } = circuits(lab).find(({ id }) => id === circuit) as CircuitReport;
    const middle = lab.network.relays.find(({ core }) => core.settings.nickname === hops[1].relay);
    stall(middle!.machine.host, 600_000);
    expect(codeOf(lab, connect(lab))).toBe(0);
    const beforeMs = lab.world.nowUs / 1_000;
    for (let i = 0; i < 3; i++) expect(codeOf(lab, connect(lab))).toBe(0);
    expect(lab.world.nowUs / 1_000 - beforeMs).toBeLessThan(5_000);
  });

  it('that its first hop does not answer has the next one go over a new link', () => {
    const { lab } = startLab({ guards: 1 });
    // As when the machine has slept: the other side has forgotten the connection, and nothing says so.
    stall(lab.machine.host, 3_600_000);
    expect(codeOf(lab, connect(lab))).toBe(0);
  });

  it('that cannot be built is built over other relays', () => {
    const { lab } = startLab({ relays: 8 });
    for (const index of [0, 1]) lab.network.relays[index].machine.crash();
    for (let i = 0; i < 4; i++) expect(codeOf(lab, connect(lab, `user ${i}`))).toBe(0);
  });

  it('is tried ever more rarely while none can be built, and at once for a program', () => {
    const { lab } = startLab();
    for (const { machine } of lab.network.relays) machine.crash();
    lab.world.runFor(10_000);
    lab.log.length = 0;
    lab.world.runFor(3_600_000);
    const tries = lab.log.filter(
      ({ event, fields }) => event === 'circuit-ended' && fields.purpose === 'general',
    ).length;
    expect(tries).toBeLessThan(100);
    expect(codeOf(lab, connect(lab))).toBe(1);
    for (const { index } of lab.network.relays) lab.network.restartRelay(index);
    lab.until(() => codeOf(lab, connect(lab)) === 0, 'it works again', 180_000);
  });
});

describe('all circuits', () => {
  it.each([0n, 50_000_000n])(
    'are no more than the cap, and idle ones give way (price %s)',
    priceMsatPer2Pow20 => {
      const { lab } = startLab({ priceMsatPer2Pow20 });
      for (let i = 0; i < 2 * circuitsMax; i++) {
        const { program } = open(lab, `user ${i}`);
        program.close();
        lab.world.runFor(100);
        expect([...lab.core.pool.circuits].length).toBeLessThanOrEqual(circuitsMax);
      }
    },
  );

  it('that carry streams do not give way: who comes then waits, and is told in the end', () => {
    const { lab } = startLab({ pool: { waitMsMax: 30_000 } });
    const opened: Talk[] = [];
    const busy = () => [...lab.streams().keys()].length;
    for (let i = 0; i < circuitsMax && busy() < circuitsMax - 1; i++)
      opened.push(open(lab, `user ${i}`).program);
    const [patient, hopeless] = [connect(lab, 'patient'), connect(lab, 'hopeless')];
    lab.world.runFor(20_000);
    expect([patient.received.length, hopeless.received.length]).toEqual([4, 4]);
    opened[0].close();
    expect(codeOf(lab, patient)).toBe(0);
    expect(codeOf(lab, hopeless)).toBe(6);
    expect(opened.slice(1).some(({ over }) => over)).toBe(false);
  });

  it('are closed in order when the client stops, and who waits is told', () => {
    const { lab, server } = startLab({ priceMsatPer2Pow20: 50_000_000n });
    const { program } = open(lab);
    for (const { machine } of lab.network.relays.slice(4)) machine.host.node.stall(3_000);
    const waiting = connect(lab, 'somebody else');
    lab.world.runFor(500);
    let stopped = false;
    lab.turn(core =>
      core.stop(() => {
        stopped = true;
      }),
    );
    lab.until(() => stopped, 'it stops', 10_000);
    lab.world.runFor(100);
    expect([program.over, waiting.over, socksAnswer(waiting, loginOf('')).code]).toEqual([true, true, 1]);
    lab.until(() => server.visits[0].over, 'the server hears of it');
  });
});
