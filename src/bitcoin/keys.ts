import { createHmac } from 'node:crypto';
import { crypto, networks } from 'bitcoinjs-lib';
import { ECPairFactory } from 'ecpair';
import * as ecc from 'tiny-secp256k1';
import { assert } from '../base/assert.ts';
import { ByteWriter, utf8 } from '../base/bytes.ts';
import { SigningKey } from '../crypto/ecdsa.ts';
import { base58Check } from './base58.ts';

const ecPair = ECPairFactory(ecc);

/** secp256k1; the secret is 32 bytes, the public key 33 (compressed). */
export interface KeyPair {
  readonly secret: Uint8Array;
  readonly publicKey: Uint8Array;
}

/** @throws for a secret that is not within the order of the curve. */
export function keyPairFromSecret(secret: Uint8Array): KeyPair {
  const { publicKey } = new SigningKey(secret);
  return { secret, publicKey };
}

/** In wallet import format, for `importdescriptors` and other wallets. */
export function secretToWif(secret: Uint8Array): string {
  return ecPair.fromPrivateKey(secret, { network: networks.regtest }).toWIF();
}

const hardened = 0x80000000;

/** A node of a BIP32 key tree: one seed yields every key, so that a backup of the seed backs all of them up. */
export class HdKey {
  readonly secret: Uint8Array;
  readonly #chainCode: Uint8Array;
  /** Absent for the root of a tree. */
  readonly #born: { readonly parent: HdKey; readonly index: number } | undefined;
  /** Made once: each child that is not hardened asks for it. */
  #pair: KeyPair | undefined;

  private constructor(extended: Extended, born?: { readonly parent: HdKey; readonly index: number }) {
    this.secret = extended.secret;
    this.#chainCode = extended.chainCode;
    this.#born = born;
  }

  /** spec: bip-0032 (master key generation); a seed has 16 to 64 bytes. */
  static fromSeed(seed: Uint8Array): HdKey {
    assert(seed.length >= 16 && seed.length <= 64, 'a seed of 16 to 64 bytes');
    return new HdKey(split(hmacSha512(utf8('Bitcoin seed'), seed), bytes => bytes));
  }

  /** One child. `index` from 2^31 on is hardened. spec: bip-0032 (private parent to private child) */
  child(index: number): HdKey {
    const data = new ByteWriter();
    if (index >= hardened) data.u8(0).bytes(this.secret);
    else data.bytes(this.keyPair().publicKey);
    const extended = split(hmacSha512(this.#chainCode, data.u32(index).finish()), tweak => {
      const secret = ecc.privateAdd(this.secret, tweak);
      assert(secret !== null, 'a child key exists, but for one chance in 2^127');
      return secret;
    });
    return new HdKey(extended, { parent: this, index });
  }

  /** `84'/1'/0'/0/7` as hardened(84), hardened(1), hardened(0), 0, 7. */
  path(...indexes: readonly number[]): HdKey {
    return indexes.reduce<HdKey>((node, index) => node.child(index), this);
  }

  /**
   * The child that 16 random bytes name: five hardened steps. It needs no counter that a crash could set back, and no
   * two names share a key.
   */
  named(name: Uint8Array): HdKey {
    assert(name.length === 16, 'a name of 16 bytes');
    const bits = name.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
    const steps = Array.from({ length: 5 }, (_, i) => Number((bits >> BigInt(31 * i)) & 0x7fffffffn));
    return this.path(...steps.map(harden));
  }

  keyPair(): KeyPair {
    this.#pair ??= keyPairFromSecret(this.secret);
    return this.#pair;
  }

  /** Four bytes by which wallets name a key. spec: bip-0032 (key identifiers) */
  get fingerprint(): Uint8Array {
    return crypto.hash160(this.keyPair().publicKey).subarray(0, 4);
  }

  /** For other wallets: tpub…, from which the public keys below follow, or with the secret tprv…. spec: bip-0032 (serialization format) */
  extendedKey(withSecret: boolean): string {
    const bytes = new ByteWriter()
      .u32(withSecret ? 0x04358394 : 0x043587cf)
      .u8(this.#depth)
      .bytes(this.#born?.parent.fingerprint ?? new Uint8Array(4))
      .u32(this.#born?.index ?? 0)
      .bytes(this.#chainCode);
    if (withSecret) bytes.u8(0).bytes(this.secret);
    else bytes.bytes(this.keyPair().publicKey);
    return base58Check(bytes.finish());
  }

  get #depth(): number {
    return this.#born === undefined ? 0 : this.#born.parent.#depth + 1;
  }
}

interface Extended {
  readonly secret: Uint8Array;
  readonly chainCode: Uint8Array;
}

function split(bytes: Uint8Array, toSecret: (left: Uint8Array) => Uint8Array): Extended {
  const secret = toSecret(bytes.subarray(0, 32));
  assert(ecc.isPrivate(secret), 'a secret within the order of the curve, but for one chance in 2^127');
  return { secret, chainCode: bytes.subarray(32) };
}

export function harden(index: number): number {
  return index + hardened;
}

function hmacSha512(key: Uint8Array, data: Uint8Array): Uint8Array {
  return new Uint8Array(createHmac('sha512', key).update(data).digest());
}
