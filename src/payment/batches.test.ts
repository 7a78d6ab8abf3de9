import { expect, it } from 'vitest';
import { partyBatchMax } from '../base/limits.ts';
import type { Answer, AskId } from '../ports.ts';
import { BatchedParty, batchOp, batchReply, batchRequest } from './batches.ts';
import { type Party, paymentStatus, refused, type Served } from './scheme.ts';

const [echoOp, refuseOp, waitOp] = [1, 2, 3];
const none = new Uint8Array(0);
const write = (value: number) => ({ key: 'last', value: Uint8Array.of(value) });

/** Says back what it is asked, refuses it, or waits for an answer of that id. */
function lab() {
  let lastAsk = 100;
  const party: Party = {
    serve(request): Served {
      const [op, value] = request;
      if (op === waitOp) return { kind: 'pending', ask: value };
      if (op !== echoOp) return refused('stale');
      return { kind: 'reply', reply: request, persist: [write(value)] };
    },
    onAnswer({ ask }) {
      if (answered.delete(ask) === false) return undefined;
      return { ask, served: { kind: 'reply', reply: Uint8Array.of(ask), persist: [write(ask)] } };
    },
  };
  const answered = new Set<AskId>();
  const batched = new BatchedParty(party, () => ++lastAsk);
  const answer = (ask: AskId) => {
    answered.add(ask);
    return batched.onAnswer({ kind: 'stored', ask } as Answer);
  };
  return { batched, answer };
}

function batchOf(...requests: readonly (readonly number[])[]): Uint8Array {
  return batchRequest.encode({ op: batchOp, requests: requests.map(each => Uint8Array.from(each)) });
}

it('serves each request of a batch as if it had come alone, and makes all durable at once', () => {
  const served = lab().batched.serve(batchOf([echoOp, 7], [refuseOp], [echoOp, 8]));
  expect(served.kind === 'reply' && served.persist).toEqual([write(7), write(8)]);
  expect(served.kind === 'reply' && batchReply.decode(served.reply)?.answers).toEqual([
    { status: paymentStatus.ok, reply: Uint8Array.of(echoOp, 7) },
    { status: paymentStatus.stale, reply: none },
    { status: paymentStatus.ok, reply: Uint8Array.of(echoOp, 8) },
  ]);
});

it('answers a batch once all of it is answered, in whatever order that comes', () => {
  const { batched, answer } = lab();
  const served = batched.serve(batchOf([waitOp, 1], [echoOp, 7], [waitOp, 2]));
  const other = batched.serve(Uint8Array.of(waitOp, 3));
  expect(other).toEqual({ kind: 'pending', ask: 3 });
  expect(answer(2)).toBeUndefined();
  // What came alone meanwhile is answered alone.
  expect(answer(3)?.ask).toBe(3);
  const outcome = answer(1);
  expect(served).toEqual({ kind: 'pending', ask: outcome?.ask });
  const told = outcome?.served;
  expect(told?.kind === 'reply' && told.persist).toEqual([write(1), write(7), write(2)]);
});

it.each([
  ['empty', batchOf()],
  ['longer than any', batchOf(...Array.from({ length: partyBatchMax + 1 }, () => [echoOp, 1]))],
  ['within another', batchOf([...batchOf([echoOp, 1])])],
  ['cut off', batchOf([echoOp, 1]).subarray(0, 4)],
])('refuses a batch that is %s', (_what, request) => {
  expect(lab().batched.serve(request)).toEqual(refused('malformed'));
});
