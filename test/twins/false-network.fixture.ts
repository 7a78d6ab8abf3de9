import { fromUtf8, toHex, utf8 } from '../../src/base/bytes.ts';
import { cellCommand, endReason, relayCommand } from '../../src/cell/commands.ts';
import type { ReceivedCell } from '../../src/circuit/relay-path.fixture.ts';
import { generateRsaKey } from '../../src/crypto/rsa.ts';
import { acceptEverything } from '../../src/directory/address-policy.ts';
import {
  buildAuthorityCertificate,
  parseAuthorityCertificate,
} from '../../src/directory/authority-certificate.ts';
import { formatConsensus } from '../../src/directory/consensus-builder.ts';
import { buildServerDescriptor, parseServerDescriptor } from '../../src/directory/descriptor.ts';
import { formatDirAuthority } from '../../src/directory/directory-authority.ts';
import { documentBytes } from '../../src/directory/document-lines.ts';
import { parseProtocols } from '../../src/directory/protocols.ts';
import { relayProtocolsText, type ServerDescriptor } from '../../src/directory/server-descriptor.ts';
import {
  agreedOn,
  entriesOf,
  facts,
  makeVote,
  microOf,
  must,
  signConsensus,
  type TestAuthority,
} from '../../src/directory/small-network.fixture.ts';
import type { Endpoint } from '../../src/ports.ts';
import { FalseCircuit, type FalseCircuitUser } from './false-circuit.fixture.ts';
import { FalseRelay } from './false-relay.fixture.ts';
import { rightFlight } from './next-hop.fixture.ts';
import type { RawCell, RawLink } from './raw-link.fixture.ts';

/** A stream that a client has opened at a false exit. */
export interface FalseStream {
  readonly circuit: FalseCircuit;
  readonly hop: number;
  readonly id: number;
  /** BEGIN or RESOLVE. */
  readonly command: number;
  /** The name that it is for. */
  readonly host: string;
}

/** What a directory answers to a GET: everything behind `HTTP/1.0`. */
export interface FalseAnswer {
  readonly head: string;
  readonly body: Uint8Array;
}

/** What a test says in place of a network that does as it should. */
export interface FalseWords {
  onStream?: (stream: FalseStream) => void;
  onCell?: (circuit: FalseCircuit, hop: number, cell: ReceivedCell) => void;
  onMade?: FalseCircuitUser['onMade'];
  onRequest?: (path: string) => FalseAnswer | undefined;
}

/** No client chooses the last by itself: it has no flag that speaks for it. */
const relayNames = [
  'falseauth',
  'falseguard',
  'falsemiddle',
  'falseexit',
  'falsewindows',
  'falselone',
] as const;
const dayMs = 86_400_000;

export function plainAnswer(text: string | undefined): FalseAnswer {
  if (text === undefined) return { head: '404 Not found\r\n', body: new Uint8Array(0) };
  const body = documentBytes(text);
  return { head: `200 OK\r\nContent-Encoding: identity\r\nContent-Length: ${body.length}\r\n`, body };
}

/** An authority of which nobody has heard before. */
export function falseAuthority(relay: {
  readonly orAddress: Endpoint;
  readonly rsaId: Uint8Array;
}): TestAuthority {
  const [identity, signing] = [generateRsaKey(2048), generateRsaKey(2048)];
  const text = buildAuthorityCertificate(identity, signing, {
    publishedMs: Date.now() - 3_600_000,
    expiresMs: Date.now() + 90 * dayMs,
  });
  const dirAddress = { host: '127.0.0.1', port: 1 };
  const trusted = { nickname: 'falseauth', dirAddress, v3Ident: identity.fingerprint, ...relay };
  return { identity, signing, certificate: must(parseAuthorityCertificate(text)), trusted };
}

/**
 * A network of relays below which nothing is real: authority, guard, middle and exits are this process, which has all their
 * keys. A client that takes its DirAuthority line learns of them, builds circuits over them, and hears what the test says.
 */
export class FalseNetwork implements FalseCircuitUser {
  readonly authority: string;
  readonly consensus: string;
  /** Who signs it. */
  readonly signer: TestAuthority;
  /** Of its relays, in no order. */
  readonly descriptors: readonly ServerDescriptor[];
  readonly microdescriptors: readonly string[];
  words: FalseWords = {};
  readonly #relays: readonly FalseRelay[];
  /** Of each directory stream: what was asked so far. */
  readonly #requests = new WeakMap<FalseCircuit, Map<number, string>>();

  private constructor(
    relays: readonly FalseRelay[],
    authority: TestAuthority,
    descriptors: readonly ServerDescriptor[],
  ) {
    const nowMs = Math.floor(Date.now() / 1_000) * 1_000;
    const times = {
      publishedMs: nowMs - 60_000,
      validAfterMs: nowMs - 60_000,
      freshUntilMs: nowMs + dayMs / 2,
      validUntilMs: nowMs + dayMs,
      params: new Map([['sendme_accept_min_version', 1]]),
    };
    const plain = new Set(['Running', 'Valid']);
    const entries = entriesOf(descriptors).map(entry =>
      entry.nickname === 'falselone' ? { ...entry, flags: plain } : entry,
    );
    const agreed = agreedOn([makeVote(authority, entries, times)]);
    this.consensus = signConsensus(formatConsensus(agreed, 'microdesc'), 'microdesc', [authority]);
    this.signer = authority;
    this.authority = formatDirAuthority(authority.trusted);
    this.descriptors = descriptors;
    this.microdescriptors = descriptors.map(microOf);
    this.#relays = relays;
    for (const relay of relays) relay.onEachLink(link => void this.#serve(relay, link));
  }

  static async start(): Promise<FalseNetwork> {
    const relays = await Promise.all(relayNames.map(name => FalseRelay.start(4, undefined, name)));
    const nowMs = Date.now();
    const descriptors = relays.map(({ holder: { keys }, target: { nickname, address } }) => {
      const protocols = parseProtocols(
        nickname === 'falsewindows'
          ? relayProtocolsText.replace('FlowCtrl=1-2', 'FlowCtrl=1')
          : relayProtocolsText,
      );
      const said = facts({
        nickname,
        address,
        protocols,
        publishedMs: nowMs - 60_000,
        exitPolicy: [acceptEverything],
        price: undefined,
      });
      return must(parseServerDescriptor(buildServerDescriptor(keys, said), nowMs));
    });
    const [{ target }] = relays;
    const authority = falseAuthority({ orAddress: target.address, rsaId: target.rsaId });
    return new FalseNetwork(relays, authority, descriptors);
  }

  stop(): void {
    for (const relay of this.#relays) relay.stop();
  }

  find(rsaIdHex: string): FalseRelay {
    const found = this.#relays.find(({ target }) => toHex(target.rsaId) === rsaIdHex);
    if (found === undefined) throw new Error('a client extends to nobody');
    return found;
  }

  onMade(circuit: FalseCircuit, reply: Uint8Array | undefined): boolean {
    return this.words.onMade?.(circuit, reply) ?? false;
  }

  onCell(circuit: FalseCircuit, hop: number, cell: ReceivedCell): void {
    const { command, streamId, body } = cell;
    const requests = this.#requests.get(circuit) ?? new Map<number, string>();
    this.#requests.set(circuit, requests);
    if (command === relayCommand.beginDir) {
      requests.set(streamId, '');
      circuit.say(hop, relayCommand.connected, new Uint8Array(0), streamId);
    } else if (command === relayCommand.begin || command === relayCommand.resolve) {
      const host = fromUtf8(body.subarray(0, body.indexOf(0))).replace(/:\d+$/, '');
      this.words.onStream?.({ circuit, hop, id: streamId, command, host });
    } else if (command === relayCommand.data && requests.has(streamId)) {
      const asked = requests.get(streamId) + fromUtf8(body);
      requests.set(streamId, asked);
      if (asked.includes('\r\n\r\n')) this.#answer(circuit, hop, streamId, asked);
    } else this.words.onCell?.(circuit, hop, cell);
  }

  /** What is right for that path. */
  rightAnswer(path: string): FalseAnswer {
    if (path.includes('/consensus-microdesc')) return plainAnswer(this.consensus);
    if (path.includes('/keys/')) return plainAnswer(this.signer.certificate.text);
    return plainAnswer(path.includes('/micro/') ? this.microdescriptors.join('') : undefined);
  }

  #answer(circuit: FalseCircuit, hop: number, streamId: number, asked: string): void {
    const path = asked.split(' ')[1];
    const { head, body } = this.words.onRequest?.(path) ?? this.rightAnswer(path);
    const answer = Buffer.concat([utf8(`HTTP/1.0 ${head}\r\n`), body]);
    for (let at = 0; at < answer.length; at += 498)
      circuit.say(hop, relayCommand.data, answer.subarray(at, at + 498), streamId);
    circuit.say(hop, relayCommand.end, Uint8Array.of(endReason.done), streamId);
  }

  async #serve(relay: FalseRelay, link: RawLink): Promise<void> {
    const circuits = new Map<number, FalseCircuit>();
    link.onCell = cell => {
      if (!aboutCircuits.has(cell.command)) return;
      const circuit = circuits.get(cell.circuit) ?? new FalseCircuit(link, cell.circuit, this);
      circuits.set(cell.circuit, circuit);
      circuit.onCell(cell, relay);
    };
    await link.cell(cellCommand.versions);
    for (const part of rightFlight(link, relay.holder)) await link.write(part);
  }
}

const aboutCircuits: ReadonlySet<RawCell['command']> = new Set([
  cellCommand.createFast,
  cellCommand.create2,
  cellCommand.relay,
  cellCommand.relayEarly,
  cellCommand.destroy,
]);
