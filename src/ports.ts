/**
 * What a core needs of the world, as types alone. Two drivers implement them: src/node-io on real sockets, disks and
 * bitcoind, src/sim in virtual time.
 *
 * Rules that both keep: a port never calls back inside a call made to it; one event at a time; bytes handed to a
 * handler are valid, and may be changed in place, only during the call.
 */

/** A TLS connection between two nodes. Unique for the life of its port. */
export type LinkId = number;
/** A TCP connection to somewhere else: an exit connection, a SOCKS client, a directory client. */
export type StreamId = number;
/** Names a question, so that its later answer finds who asked. */
export type AskId = number;
/** A request of another party, until it is answered. Unique for the life of its port. */
export type RequestId = number;

/** Stops a timer that has not run yet. */
export type Cancel = () => void;

/** Where a node or a server listens: an IP literal and a TCP port. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** Time that passes, time of day, and timers. */
export interface Clock {
  /** Milliseconds since some start; never jumps. For timers, rates and windows. */
  monotonicMs(): number;
  /** Milliseconds since 1970; may jump. For documents and certificates alone. */
  wallMs(): number;
  after(ms: number, run: () => void): Cancel;
}

/** Randomness, for keys and for choices alike. */
export interface Entropy {
  /** Fresh unpredictable bytes. */
  bytes(length: number): Uint8Array;
}

/** Why a connection ended, as far as it is known. */
export type CloseReason = 'done' | 'refused' | 'timeout' | 'reset' | 'unreachable' | 'protocol' | 'overload';

/** What the Tor link handshake must know of the TLS connection below it. */
export interface LinkFacts {
  /** DER of the certificate the peer showed in TLS; empty when it showed none (the initiator of a link). */
  readonly peerCertificate: Uint8Array;
  readonly ownCertificate: Uint8Array;
  /** RFC 5705 exporter of this connection: 32 bytes. Undefined: it has ended, and what it brought last is still being told. */
  exporter(label: string, context: Uint8Array): Uint8Array | undefined;
}

/** TLS connections to other nodes, by either side's wish. */
export interface LinkPort {
  /** Answers later with onOpen or onClosed. */
  open(to: Endpoint): LinkId;
  /** Takes all of `bytes` (copied, or owned by the port until the call returns); false: full, wait for onWritable before writing more. */
  write(link: LinkId, bytes: Uint8Array): boolean;
  /** Of what was written, what the network has not taken yet. */
  pendingBytes(link: LinkId): number;
  pause(link: LinkId): void;
  resume(link: LinkId): void;
  close(link: LinkId, why: CloseReason): void;
  facts(link: LinkId): LinkFacts;
}

/** What a core is told of its links. */
export interface LinkHandler {
  /** A peer connected to us and TLS is up. */
  onAccepted(link: LinkId, from: Endpoint): void;
  /** TLS of a link that we opened is up. */
  onOpen(link: LinkId): void;
  onBytes(link: LinkId, bytes: Uint8Array): void;
  onWritable(link: LinkId): void;
  /** Never called for a link that we closed ourselves. */
  onClosed(link: LinkId, why: CloseReason): void;
}

/** Who may connect, by address; asked before anything is spent on a connection. */
export interface Admission {
  /** True: it is let in, and counts until `left`. */
  admits(host: string): boolean;
  left(host: string): void;
}

/** An address that a name was resolved to; `ttlSeconds` as Tor reports it. */
export interface ResolvedAddress {
  readonly kind: 'ipv4' | 'ipv6' | 'name';
  readonly value: string;
  readonly ttlSeconds: number;
}

/** TCP connections to the rest of the world, and its names. */
export interface StreamPort {
  /** Looks a name up (or, for an IP literal with `reverse`, its names); answers later with onResolved. */
  resolve(name: string, reverse: boolean): AskId;
  /** Connects to an IP literal, never to a name; answers later with onConnected or onStreamClosed. */
  connect(to: Endpoint): StreamId;
  write(stream: StreamId, bytes: Uint8Array): boolean;
  pause(stream: StreamId): void;
  resume(stream: StreamId): void;
  /** No more bytes from us; the other direction stays open. */
  end(stream: StreamId): void;
  close(stream: StreamId): void;
}

/** What a core is told of its streams and lookups. */
export interface StreamHandler {
  /** Empty: the name does not exist, or could not be looked up. */
  onResolved(ask: AskId, addresses: readonly ResolvedAddress[]): void;
  /** Somebody connected to the listener of that name ('socks', 'dir', 'control', …). */
  onStreamAccepted(stream: StreamId, listener: string, from: Endpoint): void;
  onConnected(stream: StreamId, remote: Endpoint): void;
  onStreamBytes(stream: StreamId, bytes: Uint8Array): void;
  onStreamWritable(stream: StreamId): void;
  /** The other side sends no more bytes. */
  onStreamEnd(stream: StreamId): void;
  /** Never called for a stream that we closed ourselves. */
  onStreamClosed(stream: StreamId, why: CloseReason): void;
}

/** One record to write, or with `undefined` to remove. */
export interface StoreWrite {
  readonly key: string;
  readonly value: Uint8Array | undefined;
}

/** Durable records. What is read at start is what was durable; while running, the cores' own memory is the truth. */
export interface StorePort {
  get(key: string): Uint8Array | undefined;
  /** All records whose key starts with `prefix`, ordered by key. */
  list(prefix: string): readonly (readonly [key: string, value: Uint8Array])[];
  /** All or none; later answered by onAnswer({kind: 'stored'}) once it would survive a power cut. A store that fails ends the process. */
  commit(writes: readonly StoreWrite[], ask: AskId): void;
}

/** Names an output of a transaction. */
export interface Outpoint {
  /** Transaction id in internal (wire) byte order, 32 bytes. */
  readonly txid: Uint8Array;
  readonly index: number;
}

/** A request to a chain whose outcome comes as onAnswer; block news comes as onChain. */
export interface ChainPort {
  /** Offers transactions, several as one package (parents first). Answer: 'broadcast'. Offering one that is known already is accepted. */
  broadcast(transactions: readonly Uint8Array[], ask: AskId): void;
  /** Asks for an unspent output, mempool included. Answer: 'output'. */
  output(outpoint: Outpoint, ask: AskId): void;
  /** Asks what feerate confirms soon. Answer: 'feerate'. */
  feerate(ask: AskId): void;
  /** From now on report outputs paying `script` and their spending ('paid', 'spent'); blocks from `fromHeight` on are looked through again. */
  watch(script: Uint8Array, fromHeight: number): void;
  /** No more; what is on its way may still come. */
  unwatch(script: Uint8Array): void;
}

/**
 * News of the best chain. 'tip' comes before all else, and again where past blocks cannot be had: how high it is, for what is due by
 * then and cannot wait until they have been looked through. The first block is the tip of when they have been: what blocks up to it
 * hold for scripts that were watched by then has been told before. What a coinbase pays counts as in the block from which on it may
 * be spent. After 'reorg' all events above its height are void; the blocks that replace them follow.
 */
export type ChainEvent =
  | { readonly kind: 'tip'; readonly height: number }
  | { readonly kind: 'block'; readonly height: number; readonly hash: Uint8Array }
  | { readonly kind: 'reorg'; readonly height: number }
  | {
      readonly kind: 'paid';
      readonly script: Uint8Array;
      readonly outpoint: Outpoint;
      readonly valueSat: bigint;
      readonly height: number;
    }
  | {
      readonly kind: 'spent';
      readonly outpoint: Outpoint;
      readonly transaction: Uint8Array;
      readonly height: number;
    };

/** What a party answers: bytes of its scheme, or a word that says why not. */
export type PartyReply =
  | { readonly kind: 'reply'; readonly bytes: Uint8Array }
  | { readonly kind: 'refused'; readonly code: string };

/** Where a party is asked. */
export interface PartyAddress extends Endpoint {
  /** The key that it signs with, 33 bytes, to which a question that others carry is sealed; absent: not known here. */
  readonly key?: Uint8Array;
}

/** The other parties of payment systems: a broker, the owner of a coin, whom a chain was spent at before. */
export interface PartyPort {
  /**
   * Hands `request` to the party that serves `scheme` there. Answer: 'party', in partyAnswerMsMax at the latest, or in
   * circuitAskMsMax where others carry the question.
   */
  ask(to: PartyAddress, scheme: number, request: Uint8Array, ask: AskId): void;
  /** Answers what came by onRequest; of somebody who is gone it says nothing. */
  answer(request: RequestId, reply: PartyReply): void;
}

/** Told what other parties ask of this node. */
export interface RequestHandler {
  onRequest(request: RequestId, scheme: number, bytes: Uint8Array): void;
}

/** The answer to a StorePort, ChainPort or PartyPort request. A chain that cannot be reached answers with `fault`, never with a guess. */
export type Answer =
  | { readonly kind: 'stored'; readonly ask: AskId }
  | { readonly kind: 'broadcast'; readonly ask: AskId; readonly fault?: string }
  | {
      readonly kind: 'output';
      readonly ask: AskId;
      readonly fault?: string;
      /** Absent: no such unspent output. */
      readonly output?: {
        readonly script: Uint8Array;
        readonly valueSat: bigint;
        /** Of a coinbase: those since it can be spent. */
        readonly confirmations: number;
      };
      /** Without an output: what spends it waits for a block. Absent: a block has that, or there never was such an output. */
      readonly spending?: true;
    }
  | { readonly kind: 'feerate'; readonly ask: AskId; readonly fault?: string; readonly satPerKvb?: bigint }
  | {
      readonly kind: 'party';
      readonly ask: AskId;
      /** 'unreachable', 'late' or 'malformed', or the word that it refused with. Absent: there is a reply. */
      readonly fault?: string;
      readonly reply?: Uint8Array;
    };

/** What a core is told by store, chain and other parties. */
export interface AnswerHandler {
  onAnswer(answer: Answer): void;
  onChain(event: ChainEvent): void;
}

/** Work that takes longer than an event should, done beside the core. */
export interface ComputePort {
  /** Copies `work`; answers later with onComputed. */
  compute(work: Uint8Array, ask: AskId): void;
}

/** What a core is told of such work. */
export interface ComputeHandler {
  /** @param result empty: it could not be done there. */
  onComputed(ask: AskId, result: Uint8Array): void;
}

/** Fields that are safe in a log: no addresses of clients, no keys, no payment or channel ids. */
export type LogFields = Readonly<Record<string, string | number | boolean>>;

/** Where a core says what it does. Counters are named in metrics style, `naulon_…_total`. */
export interface Observer {
  log(level: 'debug' | 'info' | 'warn' | 'error', event: string, fields?: LogFields): void;
  count(counter: string, by?: number): void;
}
