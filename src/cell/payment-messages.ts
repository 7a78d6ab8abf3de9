import { assert } from '../base/assert.ts';
import { ByteReader, ByteWriter, concatBytes } from '../base/bytes.ts';
import { fail, ok, type Result } from '../base/fault.ts';
import { paymentFragmentsMax, relayBodyBytesMax } from '../base/limits.ts';
import { type Holds, sizedBytes, struct, u8, u16, u64 } from '../base/struct.ts';

/**
 * Payment messages in the bodies of REDEEM and RECEIPT cells. A message longer than a cell goes in fragments:
 *
 *     message id (2) | index (1) | count (1) | length (2) | piece (length)
 */
const headerBytes = 6;
export const fragmentPieceBytesMax = relayBodyBytesMax - headerBytes;
export const paymentMessageBytesMax = fragmentPieceBytesMax * paymentFragmentsMax;

/** Cells that carry a message of that length. */
export function fragmentsOf(messageBytes: number): number {
  return Math.max(1, Math.ceil(messageBytes / fragmentPieceBytesMax));
}

/** The bodies of the cells that carry `message`, in order; one, with an empty piece, for an empty message. */
export function fragment(messageId: number, message: Uint8Array): Uint8Array[] {
  const count = fragmentsOf(message.length);
  assert(count <= paymentFragmentsMax, 'a payment message fits its fragments');
  return Array.from({ length: count }, (_, index) => {
    const piece = message.subarray(index * fragmentPieceBytesMax, (index + 1) * fragmentPieceBytesMax);
    return new ByteWriter().u16(messageId).u8(index).u8(count).u16(piece.length).bytes(piece).finish();
  });
}

export interface PaymentMessage {
  readonly messageId: number;
  readonly bytes: Uint8Array;
}

export type FragmentFault = 'FRAGMENT_MALFORMED' | 'FRAGMENT_OUT_OF_ORDER';

/**
 * Puts one message together at a time. Cells of a circuit keep their order, so fragments come in order or the peer is
 * wrong; a second message before the first is whole is wrong too.
 */
export class FragmentAssembler {
  #pieces: Uint8Array[] = [];
  #messageId = 0;
  #count = 0;

  /** Some fragments are here and others are not. */
  get halfBuilt(): boolean {
    return this.#pieces.length > 0;
  }

  /** @param body of a REDEEM or RECEIPT cell. The message once it is whole, undefined until then. */
  add(body: Uint8Array): Result<PaymentMessage | undefined, { code: FragmentFault }> {
    const reader = new ByteReader(body);
    const messageId = reader.u16();
    const index = reader.u8();
    const count = reader.u8();
    const piece = reader.bytes(reader.u16());
    if (!reader.exhausted || count === 0 || count > paymentFragmentsMax || index >= count)
      return fail('FRAGMENT_MALFORMED');
    if (piece.length < fragmentPieceBytesMax && index < count - 1) return fail('FRAGMENT_MALFORMED');
    if (index !== this.#pieces.length) return fail('FRAGMENT_OUT_OF_ORDER');
    if (index > 0 && (messageId !== this.#messageId || count !== this.#count))
      return fail('FRAGMENT_OUT_OF_ORDER');
    this.#messageId = messageId;
    this.#count = count;
    this.#pieces.push(piece.slice());
    if (this.#pieces.length < count) return ok(undefined);
    const bytes = count === 1 ? this.#pieces[0] : concatBytes(...this.#pieces);
    this.#pieces = [];
    return ok({ messageId, bytes });
  }
}

/**
 * A payee's answer to one REDEEM (paper 004, section 5).
 *
 * `messageId` names the REDEEM; `price` is msat per 2^20 cells; `balance` counts cells after this REDEEM; `creditedMsat` is
 * all value ever credited to this circuit; `target` is how to pay next.
 */
const receiptBody = struct({
  version: u8,
  status: u8,
  messageId: u16,
  price: u64,
  balance: u64,
  creditedMsat: u64,
  target: sizedBytes(u16),
});
/** A RECEIPT once its fragments are together. */
export type Receipt = Omit<Holds<typeof receiptBody>, 'version'>;
const receiptVersion = 1;

/** The message that goes into fragments. */
export function encodeReceipt(receipt: Receipt): Uint8Array {
  return receiptBody.encode({ version: receiptVersion, ...receipt });
}

/** Undefined for bytes that are no receipt. */
export function decodeReceipt(bytes: Uint8Array): Receipt | undefined {
  const body = receiptBody.decode(bytes);
  return body?.version === receiptVersion ? body : undefined;
}
