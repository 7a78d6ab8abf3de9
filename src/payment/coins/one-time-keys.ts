import { concatBytes, equalBytes, utf8 } from '../../base/bytes.ts';
import { SigningKey, tweakedPublicKey } from '../../crypto/ecdsa.ts';
import { hmacSha256, sha256 } from '../../crypto/sha.ts';
import type { Entropy } from '../../ports.ts';

const randomBytes = 8;

/**
 * Keys under which a payee holds one coin each. They follow from one secret, the nonce of a target and the coin, so that
 * nothing need be kept of a target, and what was made out before a restart is still good after it. Nobody but payer and
 * payee can tell that two such keys are one payee's.
 */
export class OneTimeKeys {
  readonly #secret: Uint8Array;

  constructor(account: SigningKey, scheme: string) {
    this.#secret = hmacSha256(account.secret, utf8(`naulon ${scheme} payee`));
  }

  /** 16 bytes: random ones, and others by which we know that they are ours. */
  freshNonce(entropy: Entropy): Uint8Array {
    return this.#nonceOf(entropy.bytes(randomBytes));
  }

  isOurs(nonce: Uint8Array): boolean {
    return equalBytes(nonce, this.#nonceOf(nonce.subarray(0, randomBytes)));
  }

  /** For a target: the keys of all coins that are paid by it derive from its public key. */
  targetKey(nonce: Uint8Array): SigningKey {
    return new SigningKey(hmacSha256(this.#secret, concatBytes(utf8('target'), nonce)));
  }

  /** @param coin names the coin. Undefined for one coin in 2^128. */
  holderKey(nonce: Uint8Array, coin: Uint8Array): SigningKey | undefined {
    return this.targetKey(nonce).tweaked(tweakOf(nonce, coin));
  }

  #nonceOf(random: Uint8Array): Uint8Array {
    return concatBytes(random, hmacSha256(this.#secret, random).subarray(0, 16 - randomBytes));
  }
}

/** The same key as its payer knows it, from what the target says. */
export function oneTimePublicKey(
  targetKey: Uint8Array,
  nonce: Uint8Array,
  coin: Uint8Array,
): Uint8Array | undefined {
  return tweakedPublicKey(targetKey, tweakOf(nonce, coin));
}

function tweakOf(nonce: Uint8Array, coin: Uint8Array): Uint8Array {
  return sha256(utf8('naulon one-time key\0'), nonce, coin);
}
