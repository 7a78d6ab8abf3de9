import { assert } from '../base/assert.ts';
import { AesCtr } from '../crypto/aes-ctr.ts';
import type { CircuitKeys } from '../crypto/circuit-keys.ts';
import { RunningDigest } from '../crypto/running-digest.ts';
import { SealingDigest } from '../crypto/sealing-digest.ts';
import { type RunTaker, sortRun } from './recognise.ts';

interface Layer {
  readonly forward: AesCtr;
  readonly backward: AesCtr;
  readonly forwardDigest: SealingDigest;
  readonly backwardDigest: RunningDigest;
  readonly taker: RunTaker;
}

/** The circuit whose layers they are. False from any of these: the circuit is over. */
export interface LayersUser {
  /** Cells that this hop sent. */
  opened(hop: number, bytes: Uint8Array, at: number, stride: number, count: number): boolean;
  /** No hop sent what came. */
  unrecognised(): false;
  /** How many cells may come from this hop before one whose digest is asked for; that one counts. */
  cellsToMark(hop: number): number;
}

/** Takes what one hop's layer was taken off. */
class HopTaker implements RunTaker {
  readonly #layers: ClientLayers;
  readonly #user: LayersUser;
  readonly #hop: number;

  constructor(layers: ClientLayers, user: LayersUser, hop: number) {
    this.#layers = layers;
    this.#user = user;
    this.#hop = hop;
  }

  get ownCellsMost(): number {
    return this.#user.cellsToMark(this.#hop);
  }

  own(bytes: Uint8Array, at: number, stride: number, count: number): boolean {
    return this.#user.opened(this.#hop, bytes, at, stride, count);
  }

  foreign(bytes: Uint8Array, at: number, stride: number, count: number): boolean {
    return this.#layers.openFrom(this.#hop + 1, bytes, at, stride, count);
  }
}

/** All layers of a circuit as its client holds them (tor1), hop 0 first. Cells are changed in place. */
export class ClientLayers {
  readonly #user: LayersUser;
  #layers: Layer[] = [];

  constructor(user: LayersUser) {
    this.#user = user;
  }

  get hops(): number {
    return this.#layers.length;
  }

  /** A hop more, from the keys that were agreed with it. */
  push(keys: CircuitKeys): void {
    this.#layers.push({
      forward: new AesCtr(keys.forwardKey),
      backward: new AesCtr(keys.backwardKey),
      forwardDigest: new SealingDigest(keys.forwardDigest),
      backwardDigest: new RunningDigest(keys.backwardDigest),
      taker: new HopTaker(this, this.#user, this.#layers.length),
    });
  }

  /** Forgets the hops behind the first `hops`: TRUNCATED said they are gone. */
  truncate(hops: number): void {
    this.#layers.length = Math.min(this.#layers.length, hops);
  }

  /** Makes a run of plain cells ready for `hop`: their digests, then its layer and all nearer ones. */
  seal(bytes: Uint8Array, at: number, stride: number, count: number, hop: number): void {
    this.#layer(hop).forwardDigest.seal(bytes, at, stride, count);
    for (let i = hop; i >= 0; i--) this.#layers[i].forward.applyToCells(bytes, at, stride, count);
  }

  /** Takes layers off a run, and hands its cells in order to the user, each by the hop that it came from. */
  open(bytes: Uint8Array, at: number, stride: number, count: number): void {
    this.openFrom(0, bytes, at, stride, count);
  }

  /** Takes the layer of `hop` off a run, and then those behind it. */
  openFrom(hop: number, bytes: Uint8Array, at: number, stride: number, count: number): boolean {
    const layer = this.#layers[hop];
    if (layer === undefined) return this.#user.unrecognised();
    layer.backward.applyToCells(bytes, at, stride, count);
    return sortRun(layer.backwardDigest, bytes, at, stride, count, layer.taker);
  }

  /** The 20 bytes by which `hop` proves receipt of the last cell that we sealed for it. */
  lastForwardDigest(hop: number): Uint8Array {
    return this.#layer(hop).forwardDigest.peek();
  }

  /** The 20 bytes that prove receipt of the last cell that came from `hop`. */
  lastBackwardDigest(hop: number): Uint8Array {
    return this.#layer(hop).backwardDigest.peek();
  }

  #layer(hop: number): Layer {
    const layer = this.#layers[hop];
    assert(layer !== undefined, 'the hop exists');
    return layer;
  }
}
