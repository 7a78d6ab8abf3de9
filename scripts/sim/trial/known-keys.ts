import secp256k1 from 'secp256k1';
import { toHex } from '../../../src/base/bytes.ts';

/** More keys than a world has; beyond them it begins anew. */
const keysMax = 16_384;

type MakePublicKey = typeof secp256k1.publicKeyCreate;

/**
 * Has each public key made once while a trial runs: a node that starts again makes all keys of its wallet anew from their
 * secrets, and of those that trials made, nine of ten had been made before. Returned: ends that.
 */
export function rememberPublicKeys(): () => void {
  const library = secp256k1 as { publicKeyCreate: MakePublicKey };
  const make = library.publicKeyCreate;
  const known = new Map<string, Uint8Array>();
  library.publicKeyCreate = ((secret: Uint8Array, compressed?: boolean) => {
    const name = `${toHex(secret)} ${compressed}`;
    let publicKey = known.get(name);
    if (publicKey === undefined) {
      publicKey = make(secret, compressed);
      if (known.size === keysMax) known.clear();
      known.set(name, publicKey);
    }
    // Whoever asked may change what it got.
    return publicKey.slice();
  }) as MakePublicKey;
  return () => {
    library.publicKeyCreate = make;
  };
}
