import { concatBytes, equalBytes, utf8 } from '../../base/bytes.ts';
import { type Field, fixedBytes, type Struct, struct, u8 } from '../../base/struct.ts';
import { ed25519Verify } from '../../crypto/ed25519.ts';
import type { PayeeIdentity, PayeeSigner } from '../scheme.ts';

const head = { scheme: u8, op: u8, version: u8, relayId: fixedBytes(32) };
const [offerOp, version] = [1, 1];

export interface Head {
  readonly scheme: number;
  readonly op: number;
  readonly version: number;
  readonly relayId: Uint8Array;
}

/** A scheme's targets: what its payers must know, signed by the relay's identity. `T`: all but what they have in common. */
export interface CoinTarget<T> {
  readonly message: Struct<Head & T & { readonly signature: Uint8Array }>;
  sign(signer: PayeeSigner, values: T): Uint8Array;
  /** Undefined for what no honest payee of ours hands out. */
  read(payee: PayeeIdentity, broker: Uint8Array, bytes: Uint8Array): (Head & T) | undefined;
}

/** @param fields with the key of the broker whose coins are taken. */
export function coinTarget<T extends { readonly brokerKey: Uint8Array }>(
  { id, name }: { readonly id: number; readonly name: string },
  fields: { readonly [K in keyof T]: Field<T[K]> },
): CoinTarget<T> {
  type Target = Head & T;
  const body = struct({ ...head, ...fields }) as unknown as Struct<Target>;
  const whole = struct({ ...head, ...fields, signature: fixedBytes(64) });
  const message = whole as unknown as CoinTarget<T>['message'];
  const domain = utf8(`naulon ${name} target v1\0`);
  return {
    message,
    sign(signer, values) {
      const said = { scheme: id, op: offerOp, version, relayId: signer.ed25519, ...values };
      return message.encode({ ...said, signature: signer.sign(concatBytes(domain, body.encode(said))) });
    },
    read(payee, broker, bytes) {
      const target = message.decode(bytes);
      if (target?.scheme !== id || target.op !== offerOp || target.version !== version) return undefined;
      const { relayId, brokerKey, signature } = target;
      if (!equalBytes(relayId, payee.ed25519) || !equalBytes(brokerKey, broker)) return undefined;
      return ed25519Verify(relayId, concatBytes(domain, body.encode(target)), signature) ? target : undefined;
    },
  };
}
