import { ClientCore } from '../../../client/client-core.ts';
import { defaultClientSettings } from '../../../client/client-settings.ts';
import { assert } from '../../../src/base/assert.ts';
import { utf8 } from '../../../src/base/bytes.ts';
import { cellCommand, relayCommand } from '../../../src/cell/commands.ts';
import { encodeDestroy, encodeNetinfo } from '../../../src/cell/link-messages.ts';
import {
  encodeConnected,
  encodeEnd,
  encodeResolved,
  encodeSendme,
  encodeXoff,
  encodeXon,
} from '../../../src/cell/relay-messages.ts';
import { simNodeKeys } from '../../sim/machine-room.ts';
import type { Dice } from '../dice.ts';
import type { FuzzSubject, FuzzTarget, Tell } from '../fuzz-target.ts';
import { ActionReader, sized } from './action-bytes.ts';
import { bodySamples } from './body-samples.ts';
import { ClientVisit, clientStates, type VisitedClient, type VisitPlan } from './client-visit.ts';
import { FarRelay } from './far-relay.ts';
import { HostileGuard } from './hostile-guard.ts';
import { LoosePorts } from './loose-ports.ts';
import { paperMoney } from './paper-money.ts';

/** Cells to a client, from any hop of a circuit, in every state of a link, a circuit, its payments and its streams. */
export const clientCells: FuzzTarget = {
  name: 'client-cells',
  cases: 100_000,
  inputBytesMax: 2_048,
  sources: [
    'src/cell/',
    'src/link/',
    'src/circuit/client',
    'src/circuit/circuit-',
    'src/stream/client',
    'src/onion/client',
    'src/payment/payer',
    'client/managed',
    'client/requested',
    'client/link-pool',
  ],
  open: dice => new VisitedClientCore(dice),
};

/** Time between two visits. */
const visitMs = 20;

class VisitedClientCore implements FuzzSubject, VisitedClient {
  readonly seeds = seeds();
  readonly words = [utf8('example.com'), Uint8Array.of(4, 4, 127, 0, 0, 1), Uint8Array.of(255, 1, 242)];
  readonly ports: LoosePorts;
  readonly core: ClientCore;
  readonly guards: readonly HostileGuard[];
  readonly firsts: readonly FarRelay[];
  readonly later: readonly FarRelay[];

  constructor(dice: Dice) {
    this.ports = new LoosePorts(dice, () => this.guards);
    const { entropy } = this.ports;
    this.guards = ([3, 4, 5] as const).map(
      (protocol, index) => new HostileGuard(simNodeKeys(entropy, index), protocol, this.ports),
    );
    this.firsts = this.guards.map(
      ({ endpoint, keys }) =>
        new FarRelay(entropy, endpoint, {
          rsaId: keys.rsaIdentity.fingerprint,
          ed25519: keys.identity.publicKey,
        }),
    );
    this.later = [1, 2].map(each => new FarRelay(entropy, { host: `10.5.5.${each}`, port: 9_001 }));
    const payment = { ...defaultClientSettings.payment, schemes: [paperMoney.name] };
    const settings = { ...defaultClientSettings, authorities: [], payment };
    this.core = new ClientCore(settings, this.ports, [paperMoney]);
    this.ports.attach(this.core);
    this.core.pool.start();
  }

  take(input: Uint8Array, tell: Tell): void {
    const reader = new ActionReader(input);
    const state = clientStates[reader.u8() % clientStates.length];
    const shape = reader.u8();
    const protocol = shape % 3;
    const hops = [3, 1, 2, 1][(shape >> 2) & 3];
    const guard = this.guards[protocol];
    const isLink = clientStates.indexOf(state) < clientStates.indexOf('creating');
    if (isLink && guard.isOpen) guard.hangUp();
    this.#visit(
      {
        state,
        guard,
        first: this.firsts[protocol],
        hops,
        priced: (shape & 16) === 0,
        congested: (shape & 32) !== 0,
        fast: hops === 1 && (shape & 64) !== 0,
      },
      reader,
      tell,
    );
  }

  /** Relays that keep the rules are paid, and the program gets its bytes. */
  serves(): void {
    const [guard] = this.guards;
    const [first] = this.firsts;
    if (guard.isOpen) guard.hangUp();
    const hello = [2, relayCommand.data, 1, 0, ...sized(utf8('hello'))];
    const plan = {
      guard,
      first,
      hops: 3,
      priced: true,
      congested: false,
      fast: false,
      state: 'stream',
    } as const;
    const visit = this.#visit(plan, new ActionReader(Uint8Array.of(0, 0, 0, ...hello)), () => {});
    assert(visit.user.bytes >= 5, 'a client is served by relays that keep the rules');
  }

  #visit(plan: VisitPlan, reader: ActionReader, tell: Tell): ClientVisit {
    const visit = new ClientVisit(this, plan, reader, tell);
    visit.run();
    this.ports.clock.pass(visitMs);
    assert([...this.core.pool.circuits].length === 0, 'circuits end with their visits');
    assert([...this.core.streams.streams].length === 0, 'streams end with their circuits');
    return visit;
  }
}

/** An action of ClientVisit: a relay cell of a hop. */
function relayCell(hop: number, command: number, streamId: number, body: Uint8Array): number[] {
  return [hop, command, streamId, 0, ...sized(body)];
}

/** An action: a cell of the link. */
function linkCell(command: number, circuit: number, payload: Uint8Array): number[] {
  return [128, command, circuit, 0, ...sized(payload)];
}

/** What would be said by the rules, in each state and however cut. */
function seeds(): Uint8Array[] {
  const body = (name: string): Uint8Array => bodySamples.get(name) ?? new Uint8Array(0);
  const actions: readonly number[][] = [
    linkCell(cellCommand.netinfo, 2, encodeNetinfo({ time: 1, other: '127.0.0.1', own: [] }).subarray(0, 40)),
    linkCell(cellCommand.certs, 2, body('certs')),
    linkCell(cellCommand.authChallenge, 2, body('authChallenge')),
    linkCell(cellCommand.vpadding, 2, new Uint8Array(20)),
    [244],
    [160, 0, 0, 1, 0],
    [160, 1, 0, 0, 0],
    [160, 33, 0, 3, 0],
    linkCell(cellCommand.created2, 0, body('created2')),
    linkCell(cellCommand.createdFast, 0, new Uint8Array(40)),
    linkCell(cellCommand.destroy, 0, encodeDestroy(1).subarray(0, 1)),
    relayCell(2, relayCommand.connected, 1, encodeConnected({ address: '93.184.216.34', ttlSeconds: 60 })),
    relayCell(2, relayCommand.data, 1, new Uint8Array(498)),
    relayCell(2, relayCommand.resolved, 2, body('resolved')),
    relayCell(2, relayCommand.resolved, 2, encodeResolved({ addresses: [], error: 'permanent' })),
    relayCell(2, relayCommand.sendme, 0, encodeSendme(new Uint8Array(20))),
    relayCell(2, relayCommand.sendme, 1, new Uint8Array(0)),
    relayCell(2, relayCommand.xoff, 1, encodeXoff()),
    relayCell(2, relayCommand.xon, 1, encodeXon(100)),
    relayCell(1, relayCommand.extended2, 0, body('extended2')),
    relayCell(1, relayCommand.truncated, 0, Uint8Array.of(1)),
    relayCell(0, relayCommand.drop, 0, new Uint8Array(0)),
    relayCell(0, relayCommand.receipt, 0, body('receipt')),
    relayCell(2, relayCommand.end, 1, encodeEnd({ reason: 6 })),
    [176, 0, 0, 0, 0],
    [176, 7, 0, 32, 0],
    [176, 4, 0, 0, 0],
    [204, 1, 60],
    [176, 5, 0, 0, 0],
    [230],
    [216, 3],
    [224, 0],
    [224, 1],
    [176, 3, 0, 0, 0],
    [240],
  ];
  const all = actions.flat();
  return clientStates.flatMap((_, state) =>
    [0, 4, 36, 66, 16, 48].flatMap((shape, index) => [
      Uint8Array.of(state, shape + (state % 3), [0, 1, 2, 63][(state + index) % 4], 0, 13, ...all),
      ...actions
        .slice(index * 6, index * 6 + 6)
        .map(action => Uint8Array.of(state, shape + (state % 3), index, 1, 77, ...action)),
    ]),
  );
}
