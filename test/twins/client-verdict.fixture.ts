import { connect, type Socket } from 'node:net';
import { splitAddress } from '../../scripts/network-ports.ts';
import { concatBytes, utf8 } from '../../src/base/bytes.ts';
import { relayCommand } from '../../src/cell/commands.ts';
import type { ControlledClient, TorControl } from '../interop/c-tor.fixture.ts';
import { News } from '../news.fixture.ts';
import type { FalseCircuit } from './false-circuit.fixture.ts';
import type { FalseNetwork, FalseStream } from './false-network.fixture.ts';
import { patienceMs, type Verdict } from './verdict.fixture.ts';

/**
 * What a client makes of what a relay of its circuit says:
 *
 * | verdict | means |
 * |---|---|
 * | close link | the link to the first relay is closed |
 * | close | the circuit is closed |
 * | end | the stream has ended, the circuit goes on |
 * | keep | nothing came of it: the stream goes on |
 * | 1.2.3.4 | a lookup has that answer |
 * | silence | the stream brings no more and has not ended; the circuit goes on |
 */
export interface ClientTwin {
  readonly name: string;
  readonly exit: 'falseexit' | 'falsewindows';
  /** What the client's program asks for. */
  readonly asks: 'connect' | 'resolve';
  /** So many DATA cells of the client come first; nobody acknowledges them. */
  readonly dataCells: number;
  say(stream: FalseStream): void;
}

/** A hop's answer while a circuit is built. */
export interface MadeTwin {
  readonly name: string;
  /** 0: CREATED2; 1: EXTENDED2. */
  readonly hop: 0 | 1;
  say(circuit: FalseCircuit, reply: Uint8Array): void;
}

const probe = 'goes on';
let names = 0;

/** What became of a program's SOCKS request. */
class Program {
  readonly news = new News();
  ended = false;
  #bytes: Uint8Array = new Uint8Array(0);
  #step = 0;
  readonly #socket: Socket;

  constructor(socks: string, user: string, host: string, twin: ClientTwin) {
    const [address, port] = splitAddress(socks);
    this.#socket = connect({ host: address, port });
    const text = (value: string) => concatBytes(Uint8Array.of(value.length), utf8(value));
    const command = twin.asks === 'connect' ? 1 : 0xf0;
    const requests = [
      Uint8Array.of(5, 1, 2),
      concatBytes(Uint8Array.of(1), text(user), text(user)),
      concatBytes(Uint8Array.of(5, command, 0, 3), text(host), Uint8Array.of(0, 80)),
      new Uint8Array(498 * twin.dataCells),
    ];
    const next = () => {
      this.#socket.write(requests[this.#step]);
      this.#step += 1;
    };
    this.#socket.on('connect', next).on('error', () => {});
    this.#socket.on('data', bytes => {
      this.#bytes = concatBytes(this.#bytes, bytes);
      if (this.#step < 3 || (this.#step === 3 && twin.dataCells > 0)) next();
      this.news.tell();
    });
    this.#socket.on('close', () => {
      this.ended = true;
      this.news.tell();
    });
  }

  get text(): string {
    return Buffer.from(this.#bytes).toString('latin1');
  }

  /** The address that a lookup was answered with. */
  get address(): string | undefined {
    const answer = this.#bytes.subarray(4);
    return answer.length > 8 && answer[1] === 0 ? [...answer.subarray(4, 8)].join('.') : undefined;
  }

  destroy(): void {
    this.#socket.destroy();
  }
}

/** What the client makes of it, on a circuit of its own. */
export async function judgeClient(
  network: FalseNetwork,
  client: ControlledClient,
  twin: ClientTwin,
): Promise<Verdict> {
  const id = await client.extend(['falseguard', twin.exit]);
  names += 1;
  const host = `twin${names}.example`;
  let heard: FalseStream | undefined;
  let cells = 0;
  const speak = (stream: FalseStream) => {
    twin.say(stream);
    if (twin.asks === 'connect') stream.circuit.say(1, relayCommand.data, utf8(probe), stream.id);
  };
  network.words = {
    onStream: stream => {
      if (stream.host !== host) return;
      heard = stream;
      stream.circuit.acknowledges = twin.dataCells === 0;
      if (twin.dataCells === 0) speak(stream);
      else stream.circuit.say(1, relayCommand.connected, new Uint8Array(0), stream.id);
    },
    onCell: (circuit, hop, { command }) => {
      if (circuit !== heard?.circuit || hop !== 1 || command !== relayCommand.data) return;
      cells += 1;
      if (cells === twin.dataCells) speak(heard);
    },
  };
  return client.over(id, async user => {
    const program = new Program(client.socks, user, host, twin);
    try {
      const outcome = (): Verdict | undefined => {
        if (program.text.endsWith(probe)) return 'keep';
        if (twin.asks === 'resolve' && program.address !== undefined) return program.address;
        return program.ended ? 'end' : undefined;
      };
      const seen = await program.news
        .until(outcome, 'an end of the stream', 5 * patienceMs)
        .catch((): Verdict => 'silence');
      if (heard === undefined) throw new Error(`${twin.name}: no stream was opened`);
      if (await isListed(client.control, id)) {
        await client.control.ask(`CLOSECIRCUIT ${id}`);
        return seen;
      }
      const { circuit } = heard;
      // Either is told, unless the client was told so itself.
      const told = () => circuit.destroyed || circuit.link.closed || undefined;
      await circuit.link.news.until(told, 'the end of the circuit', patienceMs).catch(() => {});
      return circuit.link.closed ? 'close link' : 'close';
    } finally {
      program.destroy();
    }
  });
}

async function isListed(control: TorControl, circuit: number): Promise<boolean> {
  const listed = await control.ask('GETINFO circuit-status');
  return listed.some(line => line.replace(/^250[-+]circuit-status=/, '').startsWith(`${circuit} `));
}

/** What the client makes of a hop's answer: `keep` when the circuit is built. */
export async function judgeBuilding(
  network: FalseNetwork,
  { control }: ControlledClient,
  twin: MadeTwin,
): Promise<Verdict> {
  let armed = false;
  network.words = {
    onMade: (made, reply) => {
      // The client builds circuits of its own besides, but never by way of this relay.
      const [{ relay }] = made.hops;
      const ours = armed && relay.target.nickname === 'falselone' && made.last === twin.hop;
      if (!ours || reply === undefined) return false;
      armed = false;
      twin.say(made, reply);
      return true;
    },
  };
  armed = true;
  const [extended] = await control.ask('EXTENDCIRCUIT 0 falselone,falseexit');
  const id = Number(/EXTENDED (\d+)/.exec(extended)?.[1]);
  const event = await control.event(new RegExp(`^CIRC ${id} (BUILT|CLOSED|FAILED) `));
  if (event.includes(' BUILT ') && (await isListed(control, id))) {
    await control.ask(`CLOSECIRCUIT ${id}`);
    return 'keep';
  }
  return 'close';
}
