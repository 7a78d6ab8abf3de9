import { describe, expect, it } from 'vitest';
import { addressOf } from '../scripts/sim/paid-network.ts';
import { toHex } from '../src/base/bytes.ts';
import type { Consensus } from '../src/directory/consensus.ts';
import { NetworkView } from '../src/directory/network-view.ts';
import type { OwnRelay } from '../src/directory/path-choice.ts';
import { parseProtocols } from '../src/directory/protocols.ts';
import { ClientLab, type ClientLabOptions, exitTo } from '../test/client-lab.fixture.ts';
import { socksAnswer, socksRequest } from '../test/talker.fixture.ts';
import type { CircuitReport } from './circuit-report.ts';
import { hopOfRelay } from './circuit-want.ts';

const priced = { priceMsatPer2Pow20: 50_000_000n };
const seeds = ['a', 'b', 'c', 'd', 'e'];

/** Opens a circuit as a command does; the relays it goes over. */
function pathOf(lab: ClientLab, params: Readonly<Record<string, unknown>> = {}): readonly string[] {
  const { hops } = lab.call('open-circuit', { pay: false, ...params }) as CircuitReport;
  return hops.map(({ relay }) => relay);
}

/** Opens a stream for that user; the relays that carry it. */
function usedPath(lab: ClientLab, user: string): readonly string[] {
  const login = { user, password: '' };
  const program = lab.socks().send(socksRequest('connect', 'a.example', 80, login));
  lab.until(() => socksAnswer(program, login).code === 0, 'it is connected');
  const [[id]] = lab.streams();
  program.close();
  lab.world.runFor(1_000);
  return (lab.call('circuit', { circuit: id }) as CircuitReport).hops.map(({ relay }) => relay);
}

const guardOf = (lab: ClientLab) => (lab.call('status') as { readonly guard: string }).guard;

describe('a path', () => {
  const lab = new ClientLab({
    relays: 8,
    relaySettings: index => ({
      ...(index >= 6 ? { exitPolicy: exitTo(`accept *:${index === 6 ? 80 : 443}`, 'reject *:*') } : {}),
      // Two of one family, where a path would like to have both.
      family: index === 4 ? ['relay6'] : index === 6 ? ['relay4'] : [],
    }),
  }).bootstrap();

  it.each([1, 2, 3, 4, 5, 6])('has %i hops when that many are asked for, no relay twice', hops => {
    const path = pathOf(lab, { hops, port: 443 });
    expect([path.length, new Set(path).size]).toEqual([hops, hops]);
  });

  it('ends at an exit that takes the port, and has no two relays of one family', () => {
    for (let i = 0; i < 12; i++) {
      const [guard, middle, exit] = pathOf(lab, { port: 80 });
      expect(exit).toBe('relay6');
      expect([guard, middle]).not.toContain('relay4');
      expect(pathOf(lab, { port: 443 }).at(-1)).toBe('relay7');
    }
    expect(lab.call('open-circuit', { port: 25 })).toBe('PATH_NO_EXIT');
  });

  it('is made of no consensus that ended more than a day ago', () => {
    const slept = new ClientLab().bootstrap();
    const named = () => slept.call('open-circuit', { path: ['relay0', 'relay1', 'relay4'] });
    slept.machine.clock.jumpWall(30 * 3_600_000);
    expect([slept.call('open-circuit'), named()]).toEqual(['NO_VIEW', 'NO_VIEW']);
    slept.machine.clock.jumpWall(-30 * 3_600_000);
    expect(named()).toMatchObject({ hops: { length: 3 } });
  });

  it('is made in no network that requires what the client lacks', () => {
    const demanding = new ClientLab({ relays: 6 }).bootstrap();
    const view = demanding.core.planner.view!;
    const demand = (required: string, recommended = required) => {
      const protocols = {
        ...view.protocols,
        'required-client-protocols': parseProtocols(required)!,
        'recommended-client-protocols': parseProtocols(recommended)!,
      };
      const consensus = { ...view, relays: [], protocols } as unknown as Consensus;
      demanding.turn(core => core.planner.onView(new NetworkView(consensus, view.relays)));
    };
    const named = () => demanding.call('open-circuit', { path: ['relay0', 'relay1', 'relay4'] });
    demand('Link=4 Relay=2 Warp=1-2');
    expect([demanding.call('open-circuit'), named()]).toEqual(['PROTOCOLS_REQUIRED', 'PROTOCOLS_REQUIRED']);
    demand('Cons=2 Desc=2 FlowCtrl=1 Link=4 Microdesc=2 Relay=2', 'Warp=1');
    expect(named()).toMatchObject({ hops: { length: 3 } });
  });

  it('is the one that was named: by nickname in any case, or by fingerprint', () => {
    const { rsaId } = lab.core.planner.view?.relayByName('relay2') ?? { rsaId: new Uint8Array(0) };
    const fingerprint = toHex(rsaId).toUpperCase();
    for (const second of [fingerprint, `$${fingerprint}`, 'RELAY2'])
      expect(pathOf(lab, { path: ['Relay4', second, 'relay6'] })).toEqual(['relay4', 'relay2', 'relay6']);
  });
});

describe('guards', () => {
  it.each(seeds)('are kept over restarts (seed %s)', seed => {
    const lab = new ClientLab({ seed }).bootstrap();
    const guard = guardOf(lab);
    for (let life = 0; life < 2; life++) {
      lab.restart();
      lab.bootstrap();
      expect([guardOf(lab), pathOf(lab)[0]]).toEqual([guard, guard]);
    }
  });

  it('stand in for one that is down, and step back when it has come up again', () => {
    const lab = new ClientLab().bootstrap();
    lab.destination('93.184.216.35', 80, 'a.example');
    const guard = guardOf(lab);
    const down = lab.network.relays.findIndex(({ core }) => core.settings.nickname === guard);
    lab.network.relays[down].machine.crash();
    expect(usedPath(lab, 'while it is down')[0]).not.toBe(guard);
    lab.network.restartRelay(down);
    lab.world.runFor(700_000);
    // The first takes a circuit that was built ahead meanwhile.
    usedPath(lab, 'when it is up');
    expect(usedPath(lab, 'then')[0]).toBe(guard);
  });

  it.each(seeds)('are enough that can be afforded, whoever the others are (seed %s)', seed => {
    const lab = new ClientLab({
      seed,
      relays: 9,
      exits: 1,
      guards: 2,
      payment: { schemes: [] },
      relaySettings: index => (index < 6 ? priced : {}),
    }).bootstrap();
    expect(new Set(pathOf(lab))).toEqual(new Set(['relay6', 'relay7', 'relay8']));
  });
});

describe('a client in the process of a relay', () => {
  const network = { relays: 9, exits: 3 };
  const idOf = (lab: ClientLab, name: string) =>
    lab.core.planner.view?.relayByName(name)?.rsaId ?? new Uint8Array(0);
  const others = new ClientLab(network).bootstrap();
  const ownRelay: OwnRelay = {
    nickname: 'relay8',
    rsaId: idOf(others, 'relay8'),
    // In the /16 of relay2.
    address: { host: addressOf('payee', 2), port: 9 },
    ipv6: undefined,
    // They need not say so too.
    family: ['Relay7', `$${toHex(idOf(others, 'relay1')).toUpperCase()}~relay1`],
  };
  const kin = ['relay8', 'relay7', 'relay1', 'relay2'];

  it('goes neither over that relay nor over its kin, not even by name', () => {
    const lab = new ClientLab({ ...network, ownRelay }).bootstrap();
    const used = new Set(Array.from({ length: 12 }, () => pathOf(lab)).flat());
    expect([...used].filter(name => kin.includes(name))).toEqual([]);
    expect(used).toContain('relay6');
    for (const name of kin)
      expect(lab.call('open-circuit', { path: ['relay0', name, 'relay6'] })).toBe('PATH_CONFLICT');
    for (const guard of lab.core.planner.guards)
      expect(kin.map(name => toHex(idOf(lab, name)))).not.toContain(toHex(guard));
  });

  it('leaves a guard that it had before', () => {
    const options: { -readonly [K in keyof ClientLabOptions]: ClientLabOptions[K] } = { ...network };
    const lab = new ClientLab(options).bootstrap();
    const nickname = guardOf(lab);
    const rsaId = idOf(lab, nickname);
    options.ownRelay = { ...ownRelay, nickname, rsaId, family: [] };
    lab.restart();
    lab.bootstrap();
    expect(pathOf(lab)[0]).not.toBe(nickname);
    expect(lab.core.planner.directoryHop('any')?.nickname).not.toBe(nickname);
  });
});

describe('relays that ask a price', () => {
  const relaySettings = (index: number) => ({ priceMsatPer2Pow20: BigInt(index % 3) * 1_000_000n });

  it.each([
    ['are used by nobody who has no scheme to pay them', { schemes: [] }, 0n],
    ['are used up to the highest price worth paying', { priceMsatMax: 1_000_000n }, 1_000_000n],
    ['are used whatever they ask when there is no such limit', {}, 2_000_000n],
  ])('%s', (_, payment, highest) => {
    const lab = new ClientLab({ relays: 12, exits: 4, relaySettings, payment }).bootstrap();
    const reports = Array.from(
      { length: 12 },
      () => lab.call('open-circuit', { pay: false }) as CircuitReport,
    );
    const prices = reports.flatMap(({ hops }) => hops.map(({ priceMsat }) => BigInt(priceMsat)));
    expect(prices.reduce((most, price) => (price > most ? price : most))).toBe(highest);
  });

  it('are not used when named, if they cannot be paid', () => {
    const lab = new ClientLab({ relays: 9, exits: 3, relaySettings, payment: { schemes: [] } }).bootstrap();
    expect(lab.call('open-circuit', { path: ['relay0', 'relay1', 'relay6'] })).toBe('PAY_NO_SCHEME');
  });
});

describe('congestion control', () => {
  const askedOf = (lab: ClientLab, params: Readonly<Record<string, unknown>> = {}) =>
    (lab.call('open-circuit', params) as CircuitReport).hops.map(hop => hop.congestionControl);

  it('is agreed on with the last hop, unless that is the only one', () => {
    const lab = new ClientLab().bootstrap();
    expect(askedOf(lab)).toEqual([false, false, true]);
    expect(askedOf(lab, { hops: 1 })).toEqual([false]);
  });

  it('is asked of nobody when the consensus has it switched off', () => {
    const lab = new ClientLab({ consensusParams: new Map([['cc_alg', 0]]) }).bootstrap();
    expect(askedOf(lab)).toEqual([false, false, false]);
    lab.destination('93.184.216.35', 80, 'a.example');
    expect(usedPath(lab, 'fixed windows').length).toBe(3);
  });

  it.each([
    ['Cons=2 FlowCtrl=1 Relay=2', false],
    ['FlowCtrl=1-2 Relay=1-3', false],
    ['FlowCtrl=1 Relay=2,4', false],
    ['FlowCtrl=1-2 Relay=1-4', true],
  ])('is asked of a relay with %s: %s', (line, asked) => {
    const { core } = new ClientLab().bootstrap();
    const path = (core.planner.view?.relays ?? []).slice(0, 3).map(hopOfRelay);
    const protocols = parseProtocols(line);
    if (protocols === undefined) throw new Error('a protocol line');
    const [guard, middle, exit] = path;
    const last = { ...exit, relay: exit.relay && { ...exit.relay, protocols } };
    expect(core.planner.congestion([guard, middle, last]) !== undefined).toBe(asked);
  });
});
