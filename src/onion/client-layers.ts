import { assert } from '../base/assert.ts';
import { cellPayloadBytes } from '../cell/link-codec.ts';
import { AesCtr } from '../crypto/aes-ctr.ts';
import type { CircuitKeys } from '../crypto/circuit-keys.ts';
import { RunningDigest } from '../crypto/running-digest.ts';
import { recognise, sealDigest } from './recognise.ts';

interface Layer {
  readonly forward: AesCtr;
  readonly backward: AesCtr;
  readonly forwardDigest: RunningDigest;
  readonly backwardDigest: RunningDigest;
}

/** All layers of a circuit as its client holds them (tor1), hop 0 first. Cells are changed in place. */
export class ClientLayers {
  #layers: Layer[] = [];

  get hops(): number {
    return this.#layers.length;
  }

  /** A hop more, from the keys that were agreed with it. */
  push(keys: CircuitKeys): void {
    this.#layers.push({
      forward: new AesCtr(keys.forwardKey),
      backward: new AesCtr(keys.backwardKey),
      forwardDigest: new RunningDigest(keys.forwardDigest),
      backwardDigest: new RunningDigest(keys.backwardDigest),
    });
  }

  /** Forgets the hops behind the first `hops`: TRUNCATED said they are gone. */
  truncate(hops: number): void {
    this.#layers.length = Math.min(this.#layers.length, hops);
  }

  /** Makes a plain cell ready for `hop`: its digest, then its layer and all nearer ones. */
  seal(bytes: Uint8Array, at: number, hop: number): void {
    const target = this.#layer(hop);
    sealDigest(target.forwardDigest, bytes, at);
    for (let i = hop; i >= 0; i--) this.#layers[i].forward.apply(bytes, at, cellPayloadBytes);
  }

  /** Takes layers off until one recognises the cell: the hop that sent it. Undefined: no hop did, the circuit must die. */
  open(bytes: Uint8Array, at: number): number | undefined {
    for (let hop = 0; hop < this.#layers.length; hop++) {
      const layer = this.#layers[hop];
      layer.backward.apply(bytes, at, cellPayloadBytes);
      if (recognise(layer.backwardDigest, bytes, at)) return hop;
    }
    return undefined;
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
