import { formatIp, parseIp } from '../src/base/ip.ts';
import { resolveMsMax, streamConnectMsMax, streamLingerMsMax } from '../src/base/limits.ts';
import { reverseAddress } from '../src/base/reverse-name.ts';
import { endReason } from '../src/cell/commands.ts';
import { type BeginMessage, beginFlag, type ResolvedMessage } from '../src/cell/relay-messages.ts';
import type { HeldBytes } from '../src/circuit/held-bytes.ts';
import { randomBelow } from '../src/directory/weighted-choice.ts';
import type {
  AskId,
  Cancel,
  Clock,
  CloseReason,
  Endpoint,
  Entropy,
  ResolvedAddress,
  StreamId,
  StreamPort,
} from '../src/ports.ts';
import type { ExitStream, ExitStreamOutside } from '../src/stream/exit-stream.ts';
import type { ExitPolicy } from './exit-policy.ts';

/** A question to DNS, for a stream or for a RESOLVE. */
interface Lookup {
  readonly answer: (addresses: readonly ResolvedAddress[]) => void;
  readonly cancel: Cancel;
}

interface Outgoing {
  readonly stream: ExitStream;
  readonly ttlSeconds: number;
  /** Ends the wait for the connection. */
  readonly cancel: Cancel;
}

/**
 * Seconds that clients are told. One of two stretches, a little off: the lifetimes of names would tell whoever sees clients'
 * questions, or the exit's, which belong together. Source: C tor, clip_dns_fuzzy_ttl.
 */
const ttlSeconds = { low: 300, high: 3_600, off: 240 };
/** The same of an address that needed no lookup. */
const literalTtlSeconds = 1_800;
/** RESOLVED says nothing of what name servers said. Source: C tor, RESOLVED_CLIPPED_TTL. */
const resolvedTtlSeconds = 60;

/**
 * The outside of an exit: names are looked up once, the address found is judged by the policy, and the connection goes
 * to that address, so that a name cannot point elsewhere in between.
 */
export class ExitConnections implements ExitStreamOutside {
  readonly port: StreamPort;
  readonly #clock: Clock;
  readonly #entropy: Entropy;
  readonly #policy: ExitPolicy;
  readonly #held: HeldBytes;
  #lookups = new Map<AskId, Lookup>();
  #connecting = new Map<StreamId, Outgoing>();
  #open = new Map<StreamId, ExitStream>();
  /** Connections whose stream has ended and that still send what was written. */
  #lingering = new Map<StreamId, Cancel>();

  /** @param held counts what waits here for circuits to take it. */
  constructor(port: StreamPort, clock: Clock, entropy: Entropy, policy: ExitPolicy, held: HeldBytes) {
    this.port = port;
    this.#clock = clock;
    this.#entropy = entropy;
    this.#policy = policy;
    this.#held = held;
  }

  /** Opens the connection that a BEGIN asks for; its stream hears of the outcome. */
  begin(stream: ExitStream, message: BeginMessage): void {
    const literal = parseIp(message.host);
    if (literal !== undefined) {
      this.#connect(stream, literal, message.port, literalTtlSeconds);
      return;
    }
    if (!this.#policy.exits) {
      stream.end(endReason.exitPolicy);
      return;
    }
    this.#lookUp(message.host, false, addresses => {
      if (stream.closed) return;
      const chosen = chooseAddress(addresses, message.flags);
      const ip = chosen && parseIp(chosen.value);
      if (chosen === undefined || ip === undefined) stream.end(endReason.resolveFailed);
      else this.#connect(stream, ip, message.port, this.#clipped(chosen.ttlSeconds));
    });
  }

  /** Answers a RESOLVE: a name's addresses, or the names of an address (in-addr.arpa and ip6.arpa). No exit, no lookup. */
  resolve(name: string, answer: (message: ResolvedMessage) => void): void {
    const reverse = reverseAddress(name);
    const literal = parseIp(name);
    if (literal !== undefined) {
      const kind = literal.length === 4 ? 'ipv4' : 'ipv6';
      const value = formatIp(literal);
      answer({ addresses: [{ kind, value, ttlSeconds: resolvedTtlSeconds }], error: undefined });
      return;
    }
    if (!this.#policy.exits) {
      answer({ addresses: [], error: 'permanent' });
      return;
    }
    this.#lookUp(reverse ?? name, reverse !== undefined, addresses => {
      const usable = addresses
        .filter(each => (each.kind === 'name') === (reverse !== undefined))
        .map(each => ({ ...each, ttlSeconds: resolvedTtlSeconds }));
      answer({ addresses: usable, error: usable.length === 0 ? 'permanent' : undefined });
    });
  }

  finished(stream: ExitStream, flush: boolean): void {
    const { connection } = stream;
    if (connection === undefined) return;
    stream.connection = undefined;
    const opening = this.#connecting.get(connection);
    opening?.cancel();
    this.#connecting.delete(connection);
    this.#open.delete(connection);
    if (!flush || opening !== undefined) {
      this.port.close(connection);
      return;
    }
    this.port.end(connection);
    // What the destination still sends is read and dropped, so that its end is seen.
    this.port.resume(connection);
    const cancel = this.#clock.after(streamLingerMsMax, () => {
      this.#lingering.delete(connection);
      this.port.close(connection);
    });
    this.#lingering.set(connection, cancel);
  }

  holds(stream: ExitStream, bytes: number): void {
    this.#held.holds(stream, bytes);
  }

  /** False: the stream is not one of an exit. */
  owns(connection: StreamId): boolean {
    return this.#open.has(connection) || this.#connecting.has(connection) || this.#lingering.has(connection);
  }

  onResolved(ask: AskId, addresses: readonly ResolvedAddress[]): void {
    const lookup = this.#lookups.get(ask);
    if (lookup === undefined) return;
    this.#lookups.delete(ask);
    lookup.cancel();
    lookup.answer(addresses);
  }

  onConnected(connection: StreamId, remote: Endpoint): void {
    const opening = this.#connecting.get(connection);
    if (opening === undefined) return;
    this.#connecting.delete(connection);
    opening.cancel();
    this.#open.set(connection, opening.stream);
    opening.stream.onConnected(remote.host, opening.ttlSeconds);
  }

  onBytes(connection: StreamId, bytes: Uint8Array): void {
    this.#open.get(connection)?.onBytes(bytes);
  }

  onWritable(connection: StreamId): void {
    this.#open.get(connection)?.onWritable();
  }

  onEnd(connection: StreamId): void {
    this.#open.get(connection)?.onRemoteEnd();
  }

  onClosed(connection: StreamId, why: CloseReason): void {
    this.#stopLingering(connection, false);
    const opening = this.#connecting.get(connection);
    opening?.cancel();
    this.#connecting.delete(connection);
    const stream = opening?.stream ?? this.#open.get(connection);
    this.#open.delete(connection);
    stream?.onRemoteClosed(why);
  }

  /** The relay stops: nothing is waited for any more. */
  stop(): void {
    for (const { cancel } of this.#lookups.values()) cancel();
    this.#lookups.clear();
    for (const connection of [...this.#lingering.keys()]) this.#stopLingering(connection, true);
  }

  #stopLingering(connection: StreamId, close: boolean): void {
    const cancel = this.#lingering.get(connection);
    if (cancel === undefined) return;
    cancel();
    this.#lingering.delete(connection);
    if (close) this.port.close(connection);
  }

  #connect(stream: ExitStream, ip: Uint8Array, port: number, ttlSeconds: number): void {
    const host = formatIp(ip);
    if (!this.#policy.allows(ip, port)) {
      stream.end(endReason.exitPolicy, host);
      return;
    }
    const connection = this.port.connect({ host, port });
    const cancel = this.#clock.after(streamConnectMsMax, () => stream.end(endReason.timeout));
    stream.connection = connection;
    this.#connecting.set(connection, { stream, ttlSeconds, cancel });
  }

  #clipped(seconds: number): number {
    const { low, high, off } = ttlSeconds;
    return (seconds < low ? low : high) + randomBelow(2 * off + 1, this.#entropy) - off;
  }

  #lookUp(name: string, reverse: boolean, answer: (addresses: readonly ResolvedAddress[]) => void): void {
    const ask = this.port.resolve(name, reverse);
    const cancel = this.#clock.after(resolveMsMax, () => {
      this.#lookups.delete(ask);
      answer([]);
    });
    this.#lookups.set(ask, { answer, cancel });
  }
}

/** IPv4 unless the client prefers IPv6 or takes nothing else. spec: tor-spec/opening-streams (flags) */
function chooseAddress(addresses: readonly ResolvedAddress[], flags: number): ResolvedAddress | undefined {
  const ipv4 =
    (flags & beginFlag.ipv4NotOkay) === 0 ? addresses.find(each => each.kind === 'ipv4') : undefined;
  const ipv6 = (flags & beginFlag.ipv6Okay) !== 0 ? addresses.find(each => each.kind === 'ipv6') : undefined;
  return (flags & beginFlag.ipv6Preferred) !== 0 ? (ipv6 ?? ipv4) : (ipv4 ?? ipv6);
}
