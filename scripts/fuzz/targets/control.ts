import { ControllerService } from '../../../client/controller/controller-service.ts';
import { assert } from '../../../src/base/assert.ts';
import { utf8 } from '../../../src/base/bytes.ts';
import { parseTorrc, type Torrc } from '../../../src/config/torrc.ts';
import type { StreamId } from '../../../src/ports.ts';
import { memoryCredit } from '../../../src/schemes/memory-credit/index.ts';
import { PaidNetwork, type SimClient } from '../../sim/paid-network.ts';
import type { FuzzSubject, FuzzTarget, Tell } from '../fuzz-target.ts';
import { sourceWords } from '../source-words.ts';

const sources = ['src/control/', 'client/controller/'];
const cookie = new Uint8Array(32).fill(7);
const authenticate = utf8(`AUTHENTICATE ${'07'.repeat(32)}\r\n`);
/** What a command begins is given so long before the next one. */
const stepsBetween = 20;
/** A controller may make circuits without end; once in so many inputs somebody closes them. */
const inputsUntilClosed = 200;

/** What controllers say to the control port, before and after they have authenticated. */
export const control: FuzzTarget = {
  name: 'control',
  cases: 100_000,
  inputBytesMax: 4_096,
  sources,
  open: () => new ControlledClient(),
};

const commands = [
  'PROTOCOLINFO 1',
  'AUTHCHALLENGE SAFECOOKIE 00112233',
  'AUTHENTICATE "x"',
  'GETINFO version circuit-status stream-status',
  'GETINFO ns/name/relay1 md/id/00 config/names ip-to-country/1.1.1.1 payment/circuits',
  'GETCONF SocksPort MaxCircuitDirtiness',
  'SETCONF MaxCircuitDirtiness="10 minutes" __LeaveStreamsUnattached=1',
  'RESETCONF MaxCircuitDirtiness',
  'SETEVENTS EXTENDED CIRC STREAM BW ORCONN PAYMENT',
  'USEFEATURE VERBOSE_NAMES',
  'SIGNAL NEWNYM',
  'MAPADDRESS 0.0.0.0=example.com 1.2.3.4=5.6.7.8',
  'EXTENDCIRCUIT 0 relay0,relay1,relay2 purpose=general',
  'EXTENDCIRCUIT 1 relay2',
  'CLOSECIRCUIT 1 IfUnused',
  'SETCIRCUITPURPOSE 1 purpose=controller',
  'ATTACHSTREAM 1 1 HOP=2',
  'REDIRECTSTREAM 1 example.com 80',
  'CLOSESTREAM 1 1',
  'RESOLVE mode=reverse 1.2.3.4',
  '+LOADCONF\r\nMaxCircuitDirtiness 600\r\n.',
  'TAKEOWNERSHIP',
  'QUIT',
];

class ControlledClient implements FuzzSubject {
  /** The first byte says whether the controller has authenticated. */
  readonly seeds = [
    ...commands.map(line => `${line}\r\n`),
    commands.map(line => `${line}\r\n`).join(''),
  ].flatMap(text => [0, 1].map(admitted => Uint8Array.of(admitted, ...utf8(text))));
  readonly words = [
    ...sourceWords(['src/control/', 'client/controller/']),
    ...['\r\n', '"\\"', '$', '~', '\r\n.\r\n'].map(utf8),
  ];
  readonly #network: PaidNetwork;
  readonly #client: SimClient;
  readonly #service: ControllerService;
  #stream: StreamId = 0;
  #replies = '';

  constructor() {
    this.#network = new PaidNetwork({
      seed: 'controlled client',
      relays: 3,
      exits: 1,
      clients: 1,
      priceMsatPer2Pow20: 1_000n,
      schemeFor: () => memoryCredit({ purseMsat: 2n ** 40n, limitMsat: 2n ** 40n }),
    });
    this.#network.bootstrap();
    this.#client = this.#network.clients[0];
    this.#service = this.#client.machine.host.node.turn(() => this.#newService());
  }

  take(input: Uint8Array, tell: Tell): void {
    this.#stream += 1;
    const stream = this.#stream;
    const { node } = this.#client.machine.host;
    this.#replies = '';
    node.turn(() => {
      this.#service.onAccepted(stream);
      if ((input[0] ?? 0) % 8 !== 0) this.#service.onBytes(stream, authenticate);
      this.#service.onBytes(stream, input.subarray(1));
    });
    const { world } = this.#network;
    world.runUntilIdle({ steps: stepsBetween });
    node.turn(() => {
      this.#service.onEnd(stream);
      this.#service.onClosed(stream);
    });
    for (const code of this.#replies.split(' ').slice(0, 20)) tell(code);
    if (stream % inputsUntilClosed === 0) this.#closeCircuits();
  }

  /** A controller that has authenticated is still answered. */
  serves(): void {
    const codes: string[] = [];
    this.take(Uint8Array.of(1, ...utf8('GETINFO version\r\n')), code => codes.push(code));
    assert(codes.includes('250-version'), 'a controller is answered');
  }

  #closeCircuits(): void {
    this.#client.machine.host.node.turn(() => {
      for (const circuit of [...this.#client.core.pool.circuits]) circuit.close();
    });
    this.#network.world.runFor(30_000);
  }

  #newService(): ControllerService {
    const { core, machine } = this.#client;
    const torrc = torrcOf('DataDirectory /nowhere\nDirAuthority a b 1.2.3.4:5 c\n');
    const streams = {
      write: (_stream: StreamId, bytes: Uint8Array) => {
        this.#replies += ` ${/^\S*?(?==|[ \r]|$)/.exec(Buffer.from(bytes).toString('latin1'))?.[0]}`;
        return true;
      },
      pause() {},
      resume() {},
      close() {},
    };
    return new ControllerService(
      core,
      { ...machine.ports, streams },
      {
        secrets: { cookie: { bytes: cookie, file: '/nowhere/cookie' }, passwords: [] },
        version: '1.2.3',
        facts: {
          pid: 42,
          uid: 7,
          user: 'somebody',
          torrcFile: '/nowhere/torrc',
          listeners: { socks: [], control: [] },
        },
        torrc,
        money: undefined,
        readTorrc: () => parseTorrc('DataDirectory /nowhere\n', 'torrc'),
        stop() {},
      },
    );
  }
}

function torrcOf(text: string): Torrc {
  const parsed = parseTorrc(text, 'torrc');
  assert(parsed.ok, 'a torrc that reads');
  return parsed.value;
}
