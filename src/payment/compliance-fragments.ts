import { expect } from 'vitest';
import { ByteWriter, concatBytes } from '../base/bytes.ts';
import {
  FragmentAssembler,
  fragment,
  fragmentPieceBytesMax,
  paymentMessageBytesMax,
} from '../cell/payment-messages.ts';
import type { Lab, Talk } from './compliance-talk.ts';

/** So much that schemes whose money comes in pieces need many of them, and several cells. */
const largeMsat = 1_234_567n;

/**
 * All that a payment's cells can do on their circuit: it is credited once they are all there, in order, and not for any part
 * of it.
 */
export async function fragments(lab: Lab): Promise<void> {
  const talk = lab.talk();
  for (const asked of [lab.world.firstMsat, largeMsat]) {
    const { payment, value } = await talk.makeWithValue(asked);
    const before = lab.credited;
    for (const cells of badly(payment)) await carried(talk, cells);
    for (let at = 1; at < payment.length; at++) {
      await carried(talk, fragment(0, payment.subarray(0, at)));
      await carried(talk, fragment(1, payment.subarray(at)));
    }
    expect(lab.credited).toBe(before);
    const [{ kind }, ...more] = await carried(talk, fragment(2, payment));
    expect({ kind, more }).toEqual({ kind: 'added', more: [] });
    expect(lab.credited).toBe(before + value);
  }
}

/** Cells that are not a payment: cut elsewhere than it may be, one of them missing, twice there, mixed with another's. */
function* badly(payment: Uint8Array): Iterable<readonly Uint8Array[]> {
  const cells = fragment(7, payment);
  for (let at = 0; at < Math.min(payment.length, fragmentPieceBytesMax); at++)
    yield [
      cellOf(0, 2, payment.subarray(0, at)),
      cellOf(1, 2, payment.subarray(at, at + fragmentPieceBytesMax)),
    ];
  for (const [at, cell] of cells.entries()) {
    yield cells.filter((_, other) => other !== at);
    if (at < cells.length - 1) yield [...cells.slice(0, at), cell, ...cells.slice(at)];
  }
  yield fragment(7, concatBytes(payment, payment).subarray(0, paymentMessageBytesMax));
  if (cells.length === 1) return;
  yield [...cells].reverse();
  const others = fragment(8, payment);
  yield cells.flatMap((cell, at) => [cell, others[at]]);
}

function cellOf(index: number, count: number, piece: Uint8Array): Uint8Array {
  return new ByteWriter().u16(7).u8(index).u8(count).u16(piece.length).bytes(piece).finish();
}

/** What comes of each message that these cells make, until one of them ends the circuit. */
async function carried(
  talk: Talk,
  cells: readonly Uint8Array[],
): Promise<readonly { readonly kind: string }[]> {
  const assembler = new FragmentAssembler();
  const outcomes: { readonly kind: string }[] = [];
  for (const cell of cells) {
    const message = assembler.add(cell);
    if (!message.ok) break;
    if (message.value === undefined) continue;
    outcomes.push((await talk.deliver(message.value.bytes)) ?? { kind: 'waiting' });
  }
  return outcomes;
}
