import { authorityCircuitsMax, circuitQueueCellsHigh } from '../src/base/limits.ts';
import { cellCommand, destroyReason, endReason, handshakeType } from '../src/cell/commands.ts';
import {
  decodeCreate2,
  decodeCreateFast,
  decodeDestroy,
  encodeCreated2,
  encodeCreatedFast,
} from '../src/cell/link-messages.ts';
import { CircuitRest } from '../src/circuit/circuit-rest.ts';
import type { HeldBytes } from '../src/circuit/held-bytes.ts';
import { RelayCircuit } from '../src/circuit/relay-circuit.ts';
import type { CircuitSide, RelayCircuitHost } from '../src/circuit/relay-circuit-host.ts';
import { type CircuitKeys, createFastKeys } from '../src/crypto/circuit-keys.ts';
import type { NodeKeys } from '../src/crypto/node-keys.ts';
import { ntorServer } from '../src/crypto/ntor.ts';
import type { DirectoryCache } from '../src/directory/directory-cache.ts';
import type { LinkMux } from '../src/link/link-mux.ts';
import type { Clock, Entropy, LinkId, Observer, StreamPort } from '../src/ports.ts';

/** An authority's circuits are free and go nowhere, so no cell of them is counted. */
const unmetered = { debit: () => true, debitExit: () => true, paid: true };

/**
 * The OR port of an authority: one-hop circuits that clients open (CREATE_FAST, or CREATE2 with ntor) to ask for
 * directory documents. It extends no circuit and connects nowhere.
 */
export class OrResponder {
  readonly #mux: LinkMux;
  readonly #keys: NodeKeys;
  readonly #entropy: Entropy;
  readonly #host: RelayCircuitHost<RelayCircuit>;
  /** By id; the first of a link is its oldest. */
  readonly #circuits = new Map<LinkId, Map<number, RelayCircuit>>();
  readonly #all = new Set<RelayCircuit>();
  readonly #rest: CircuitRest;

  constructor(options: {
    readonly mux: LinkMux;
    readonly keys: NodeKeys;
    readonly entropy: Entropy;
    readonly observer: Observer;
    readonly clock: Clock;
    readonly streams: StreamPort;
    readonly directory: DirectoryCache;
    /** Counts what waits here for clients. */
    readonly held: HeldBytes;
  }) {
    const { mux, keys, entropy, observer, clock, streams, directory, held } = options;
    this.#mux = mux;
    this.#keys = keys;
    this.#entropy = entropy;
    this.#rest = new CircuitRest(this.#all, clock);
    this.#host = {
      entropy,
      observer,
      port: streams,
      finished: () => {},
      holds: () => {},
      send: (side, command, bytes, at) => mux.send(side.link, side.id, command, bytes, at),
      sendRun: (side, bytes, at, stride, count) => mux.sendRun(side.link, side.id, bytes, at, stride, count),
      canQueue: side => mux.queued(side.link, side.id) < circuitQueueCellsHigh,
      extend: circuit => circuit.destroy(destroyReason.channelClosed),
      dropNext: () => {},
      beginExit: (_circuit, stream) => stream.end(endReason.exitPolicy),
      resolve: (circuit, streamId) => circuit.onResolved(streamId, { addresses: [], error: 'permanent' }),
      directory: () => ({
        begin: asker => directory.begin(asker, bytes => held.holds(asker, bytes)),
      }),
      gone: (circuit, reason) => this.#gone(circuit, reason),
    };
  }

  start(): void {
    this.#rest.start();
  }

  get circuitCount(): number {
    return this.#all.size;
  }

  onCell(link: LinkId, id: number, command: number, bytes: Uint8Array, at: number): void {
    const circuit = this.#circuits.get(link)?.get(id);
    switch (command) {
      case cellCommand.createFast:
      case cellCommand.create2:
        this.#create({ link, id }, command, bytes, at);
        return;
      case cellCommand.relayEarly:
        circuit?.onClientEarly(bytes, at);
        return;
      case cellCommand.destroy:
        circuit?.onPreviousLost(decodeDestroy(bytes, at));
        return;
      default:
        // CREATED cells answer CREATEs that we never send.
        circuit?.destroy(destroyReason.protocol);
    }
  }

  onRun(link: LinkId, id: number, bytes: Uint8Array, at: number, stride: number, count: number): void {
    this.#circuits.get(link)?.get(id)?.onClientRun(bytes, at, stride, count);
  }

  onCircuitWritable(link: LinkId, id: number): void {
    this.#circuits.get(link)?.get(id)?.onWritable();
  }

  onLinkLost(link: LinkId): void {
    const circuits = [...(this.#circuits.get(link)?.values() ?? [])];
    this.#circuits.delete(link);
    for (const circuit of circuits) circuit.onPreviousLost(destroyReason.channelClosed);
  }

  #create(side: CircuitSide, command: number, bytes: Uint8Array, at: number): void {
    if (!this.#mux.acceptsCircuit(side.link, side.id)) return;
    const made = command === cellCommand.createFast ? this.#fast(bytes, at) : this.#ntor(bytes, at);
    if (made === undefined) {
      this.#mux.releaseCircuit(side.link, side.id, destroyReason.protocol);
      return;
    }
    if (this.#all.size >= authorityCircuitsMax) this.#makeRoom();
    const circuit = new RelayCircuit(this.#host, side, made.keys, unmetered);
    let circuits = this.#circuits.get(side.link);
    if (circuits === undefined) this.#circuits.set(side.link, (circuits = new Map()));
    circuits.set(side.id, circuit);
    this.#all.add(circuit);
    this.#mux.send(side.link, side.id, made.command, made.reply, 0);
  }

  #fast(bytes: Uint8Array, at: number): { command: number; keys: CircuitKeys; reply: Uint8Array } {
    const y = this.#entropy.bytes(20);
    const { keys, verify } = createFastKeys(decodeCreateFast(bytes, at), y);
    return { command: cellCommand.createdFast, keys, reply: encodeCreatedFast(y, verify) };
  }

  #ntor(
    bytes: Uint8Array,
    at: number,
  ): { command: number; keys: CircuitKeys; reply: Uint8Array } | undefined {
    const message = decodeCreate2(bytes, at);
    if (message?.handshakeType !== handshakeType.ntor) return undefined;
    const { ntor, rsaIdentity } = this.#keys;
    const served = ntorServer(this.#entropy, rsaIdentity.fingerprint, [ntor], message.handshake);
    if (!served.ok) return undefined;
    const { keys, reply } = served.value;
    return { command: cellCommand.created2, keys, reply: encodeCreated2(reply) };
  }

  /** Whoever has most circuits loses the oldest: a client that asks for documents has one or two. */
  #makeRoom(): void {
    let most: ReadonlyMap<number, RelayCircuit> | undefined;
    for (const circuits of this.#circuits.values()) if (circuits.size > (most?.size ?? 0)) most = circuits;
    const [oldest] = most?.values() ?? [];
    oldest?.destroy(destroyReason.resourceLimit);
  }

  #gone(circuit: RelayCircuit, reason: number | undefined): void {
    const { link, id } = circuit.previous;
    this.#all.delete(circuit);
    const circuits = this.#circuits.get(link);
    circuits?.delete(id);
    if (circuits?.size === 0) this.#circuits.delete(link);
    this.#mux.releaseCircuit(link, id, reason);
  }
}
