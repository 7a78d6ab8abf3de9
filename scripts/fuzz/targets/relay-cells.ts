import { makeExitPolicy, noExit } from '../../../relay/exit-policy.ts';
import { RelayCore } from '../../../relay/relay-core.ts';
import { defaultRelaySettings } from '../../../relay/relay-settings.ts';
import { assert } from '../../../src/base/assert.ts';
import { utf8 } from '../../../src/base/bytes.ts';
import { cellCommand, relayCommand } from '../../../src/cell/commands.ts';
import { encodeCreate2, encodeDestroy, encodeNetinfo } from '../../../src/cell/link-messages.ts';
import { fragment } from '../../../src/cell/payment-messages.ts';
import {
  encodeBegin,
  encodeExtend2,
  encodeResolve,
  encodeSendme,
  encodeXoff,
  encodeXon,
} from '../../../src/cell/relay-messages.ts';
import type { RelayCircuit } from '../../../src/circuit/relay-circuit.ts';
import { makeLinkIdentity, makeTlsCertificate } from '../../../src/link/link-certificates.ts';
import { simNodeKeys } from '../../sim/machine-room.ts';
import type { Dice } from '../dice.ts';
import type { FuzzSubject, FuzzTarget, Tell } from '../fuzz-target.ts';
import { ActionReader, sized } from './action-bytes.ts';
import { LoosePorts } from './loose-ports.ts';
import { Neighbour } from './neighbour.ts';
import { paperMoney, paperPayment } from './paper-money.ts';
import {
  type RelayState,
  RelayVisit,
  relayStates,
  streamIds,
  type VisitedRelay,
  VisitorLink,
} from './relay-visit.ts';

/** Cells to a relay, in every state of a link and of a circuit. */
export const relayCells: FuzzTarget = {
  name: 'relay-cells',
  cases: 1_000_000,
  inputBytesMax: 2_048,
  sources: [
    'src/cell/',
    'src/link/',
    'src/circuit/',
    'src/stream/',
    'src/onion/',
    'src/payment/payee',
    'relay/',
  ],
  open: dice => new VisitedRelayCore(dice),
};

const relayAddress = { host: '10.1.1.1', port: 9_001 };
const noBytes = new Uint8Array(0);
/** Time between two visitors, so that what is rationed comes back. */
const visitMs = 20;

class VisitedRelayCore implements FuzzSubject, VisitedRelay {
  readonly seeds: readonly Uint8Array[];
  readonly words = [
    utf8('127.0.0.1:80\0'),
    utf8('example.com:443'),
    utf8('[::1]:80'),
    utf8('1.1.168.192.in-addr.arpa'),
  ];
  readonly ports: LoosePorts;
  readonly neighbour: Neighbour;
  readonly extendBody: Uint8Array;
  readonly certs: Uint8Array;
  readonly #core: RelayCore;
  readonly #links = new Map<number, VisitorLink>();
  #last: RelayCircuit | undefined;
  #visits = 0;

  constructor(dice: Dice) {
    const entropy = { bytes: (length: number) => dice.bytes(length) };
    const [keys, nextKeys] = [0, 1].map(index => simNodeKeys(entropy, index));
    const ports: LoosePorts = new LoosePorts(dice, () => [this.neighbour]);
    this.ports = ports;
    const { clock } = ports;
    this.neighbour = new Neighbour(nextKeys, clock, entropy);
    this.certs = makeLinkIdentity(nextKeys, () => clock.wallMs()).initiatorCerts;
    this.extendBody = encodeExtend2({
      target: {
        ipv4: this.neighbour.endpoint,
        ipv6: undefined,
        rsaId: nextKeys.rsaIdentity.fingerprint,
        ed25519: nextKeys.identity.publicKey,
      },
      handshakeType: 2,
      handshake: new Uint8Array(84),
    });
    ports.certificate = makeTlsCertificate(keys, clock.wallMs());
    const core = new RelayCore({ ...defaultRelaySettings, ...settings }, keys, ports, [paperMoney]);
    this.#core = core;
    core.onCircuit = circuit => {
      this.#last = circuit;
    };
    ports.attach(core);
    core.start();
    ports.settle();
    this.seeds = seedsFor(this);
  }

  circuit(): RelayCircuit | undefined {
    return this.#last;
  }

  take(input: Uint8Array, tell: Tell): void {
    this.#visits += 1;
    this.#last = undefined;
    const reader = new ActionReader(input);
    const state = stateOf(reader.u8());
    const protocol = ([3, 4, 5] as const)[reader.u8() % 3];
    const link = this.#linkFor(state, protocol);
    new RelayVisit(this, link, state, reader, tell).run();
    if (!link.usable || isNew(state) || this.#core.circuits.size > 0) {
      link.hangUp();
      this.#links.delete(protocol);
    }
    this.ports.clock.pass(visitMs);
    assert(this.#core.circuits.size === 0, 'circuits end with their visitors');
  }

  /** Somebody who keeps the rules pays, and gets bytes through an exit. */
  serves(): void {
    const { ports } = this;
    const before = ports.streamBytes;
    const hello = relayCell(relayCommand.data, streamIds.exit, utf8('hello'));
    const link = new VisitorLink(this, '10.8.8.8', 5);
    link.shakeHands('streams');
    new RelayVisit(this, link, 'streams', new ActionReader(Uint8Array.of(0, 0, 0, ...hello)), () => {}).run();
    link.hangUp();
    assert(ports.streamBytes >= before + 5, 'a client that pays is served');
  }

  /** Visitors of an open link share one for each protocol, as long as none has spoilt it: a handshake takes long. */
  #linkFor(state: RelayState, protocol: 3 | 4 | 5): VisitorLink {
    const shared = isNew(state) ? undefined : this.#links.get(protocol);
    if (shared?.usable) return shared;
    const link = new VisitorLink(this, `10.7.${(this.#visits >> 8) & 255}.${this.#visits & 255}`, protocol);
    link.shakeHands(state);
    if (!isNew(state)) this.#links.set(protocol, link);
    return link;
  }
}

/** Once in so many a visitor is one whose link is not open yet. */
const newLinksOneIn = 16;

function stateOf(byte: number): RelayState {
  const open = relayStates.length - newStates;
  if (byte % newLinksOneIn === 0) return relayStates[((byte / newLinksOneIn) % newStates) | 0];
  return relayStates[newStates + (byte % open)];
}

const newStates = relayStates.indexOf('open');

function isNew(state: RelayState): boolean {
  return relayStates.indexOf(state) < newStates;
}

const anyExit = makeExitPolicy({
  exitRelay: true,
  lines: ['accept *:*'],
  rejectPrivate: false,
  ipv6Exit: true,
  never: [],
});
const settings = {
  nickname: 'visited',
  address: relayAddress,
  authorities: [],
  extendPrivate: true,
  publishes: false,
  exitPolicy: anyExit.ok ? anyExit.value : noExit,
  priceMsatPer2Pow20: 1_000_000n,
};

/** An action of RelayVisit: a relay cell by the rules. */
function relayCell(command: number, streamId: number, body: Uint8Array, early = false): number[] {
  return [0, command, streamId, early ? 2 : 0, ...sized(body)];
}

/** An action: a cell of the link. */
function linkCell(command: number, circuit: number, payload: Uint8Array): number[] {
  return [136, command, circuit, 0, ...sized(payload)];
}

/** What would be said by the rules, in each state and however cut. */
function seedsFor({ extendBody, certs }: VisitedRelay): Uint8Array[] {
  const begin = encodeBegin({ host: 'example.com', port: 80, flags: 0 });
  const actions: readonly number[][] = [
    linkCell(cellCommand.versions, 2, Uint8Array.of(0, 3, 0, 4, 0, 5)),
    linkCell(cellCommand.certs, 2, certs.subarray(0, 500)),
    linkCell(
      cellCommand.netinfo,
      2,
      encodeNetinfo({ time: 1, other: '127.0.0.1', own: ['::1'] }).subarray(0, 40),
    ),
    linkCell(cellCommand.vpadding, 2, new Uint8Array(20)),
    linkCell(cellCommand.createFast, 3, new Uint8Array(20)),
    linkCell(cellCommand.create2, 3, encodeCreate2(2, new Uint8Array(84)).subarray(0, 88)),
    linkCell(cellCommand.destroy, 0, encodeDestroy(1).subarray(0, 1)),
    linkCell(cellCommand.created2, 0, new Uint8Array(66)),
    relayCell(relayCommand.begin, 5, begin),
    relayCell(relayCommand.resolve, 6, encodeResolve('example.com')),
    relayCell(relayCommand.beginDir, 7, noBytes),
    relayCell(relayCommand.data, 7, utf8('GET /tor/server/all HTTP/1.0\r\n\r\n')),
    relayCell(relayCommand.data, 1, new Uint8Array(498)),
    relayCell(relayCommand.end, 1, Uint8Array.of(6)),
    relayCell(relayCommand.sendme, 0, encodeSendme(new Uint8Array(20))),
    relayCell(relayCommand.sendme, 1, noBytes),
    relayCell(relayCommand.extend2, 0, extendBody, true),
    relayCell(relayCommand.truncate, 0, Uint8Array.of(0)),
    relayCell(relayCommand.drop, 0, noBytes),
    relayCell(relayCommand.xoff, 1, encodeXoff()),
    relayCell(relayCommand.xon, 1, encodeXon(100)),
    relayCell(relayCommand.redeem, 0, fragment(1, paperPayment(1_000))[0]),
    [176, cellCommand.relay, 0, ...sized(new Uint8Array(20))],
    [176, cellCommand.destroy, 0, 1, 1],
    [192, 0, 0, 0, 0],
    [192, 1, 0, 4, 0],
    [192, 2, 0, 0, 0],
    [208, 4],
    [226, 1, 100],
    [240, 0],
    [244],
  ];
  const all = actions.flat();
  const states = Array.from({ length: 64 }, (_, byte) => byte);
  return states.flatMap(state =>
    [0, 1, 2].flatMap(protocol => [
      Uint8Array.of(state, protocol, [0, 1, 2, 63][(state + protocol) % 4], 0, 13, ...all),
      ...actions
        .slice(protocol * 10, protocol * 10 + 10)
        .map(action => Uint8Array.of(state, protocol, state, 1, 77, ...action)),
    ]),
  );
}
