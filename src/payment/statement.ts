import { utf8 } from '../base/bytes.ts';
import { type Field, fixedBytes, type Holds, type Struct, struct } from '../base/struct.ts';
import { type SigningKey, verifyDigest } from '../crypto/ecdsa.ts';
import { sha256 } from '../crypto/sha.ts';

export const publicKeyBytes = 33;
const signatureBytes = 64;

/** What somebody has said, with the 64 bytes by which it is held to that. */
export type Signed<T> = T & { readonly signature: Uint8Array };

/** Fields and a signature over them, which can be taken for no other kind of statement. */
export interface Statement<T> extends Struct<Signed<T>> {
  sign(key: SigningKey, values: T): Signed<T>;
  /** True when the holder of that key has said just this. False, never a throw, for bytes that are no key. */
  isBy(publicKey: Uint8Array, said: Signed<T>): boolean;
}

type Fields = Readonly<Record<string, Field<unknown>>>;
type Values<F extends Fields> = { readonly [K in keyof F]: Holds<F[K]> };

/**
 * A kind of signed message, ready to be encoded, signed and verified.
 * @param kind names the scheme and what is said in it: 'ppay assignment'. The signature is the last 64 bytes.
 */
export function statement<F extends Fields>(kind: string, fields: F): Statement<Values<F>> {
  type T = Values<F>;
  const domain = utf8(`naulon regtest ${kind} v1\0`);
  const body = struct(fields);
  const whole = struct({ ...fields, signature: fixedBytes(signatureBytes) }) as unknown as Struct<Signed<T>>;
  const digest = (values: T) => sha256(domain, body.encode(values));
  return {
    ...whole,
    sign: (key, values) => ({ ...values, signature: key.sign(digest(values)) }),
    isBy: (publicKey, said) => verifyDigest(publicKey, digest(said), said.signature),
  };
}
