import { toHex } from '../../base/bytes.ts';
import { partyBatchBytesMax, partyBatchMax } from '../../base/limits.ts';
import type { PartyAddress } from '../../ports.ts';
import { batchOp, batchReply, batchRequest } from '../batches.ts';
import { paymentStatus } from '../scheme.ts';

/** A question to another party; told undefined when there is no reply. */
export interface Question {
  readonly to: PartyAddress;
  readonly request: Uint8Array;
  readonly done: (reply: Uint8Array | undefined) => void;
}

/** What goes to one party in one request. */
export interface Batch {
  readonly to: PartyAddress;
  readonly request: Uint8Array;
  /** Tells those that asked. */
  readonly done: (reply: Uint8Array | undefined) => void;
}

/** Cut into batches, in their order. */
export function inBatches<T>(things: readonly T[], bytesOf: (thing: T) => number): readonly (readonly T[])[] {
  const batches: T[][] = [];
  let bytes = 0;
  for (const thing of things) {
    const last = batches.at(-1);
    if (last === undefined || last.length === partyBatchMax || bytes >= partyBatchBytesMax) {
      batches.push([thing]);
      bytes = 0;
    } else last.push(thing);
    bytes += bytesOf(thing);
  }
  return batches;
}

/** Questions that are asked at a time: those to one party in one request, and each that several ask once. */
export function together(questions: readonly Question[]): readonly Batch[] {
  const parties = new Map<string, { readonly to: PartyAddress; readonly asked: Map<string, Question[]> }>();
  for (const question of questions) {
    const { to, request } = question;
    const name = `${to.host} ${to.port} ${to.key === undefined ? '' : toHex(to.key)}`;
    const party = parties.get(name) ?? { to, asked: new Map<string, Question[]>() };
    parties.set(name, party);
    const same = party.asked.get(toHex(request));
    if (same === undefined) party.asked.set(toHex(request), [question]);
    else same.push(question);
  }
  return [...parties.values()].flatMap(({ to, asked }) =>
    inBatches([...asked.values()], ([{ request }]) => request.length).map(batch => batchOf(to, batch)),
  );
}

function batchOf(to: PartyAddress, asked: readonly (readonly Question[])[]): Batch {
  const requests = asked.map(([{ request }]) => request);
  const tell = (replies: readonly (Uint8Array | undefined)[]): void => {
    for (const [at, same] of asked.entries()) for (const { done } of same) done(replies[at]);
  };
  if (requests.length === 1) return { to, request: requests[0], done: reply => tell([reply]) };
  return {
    to,
    request: encodeBatch(requests),
    done: reply => tell(reply === undefined ? [] : (readBatch(reply, requests.length) ?? [])),
  };
}

export function encodeBatch(requests: readonly Uint8Array[]): Uint8Array {
  return batchRequest.encode({ op: batchOp, requests });
}

/** The reply to each, where there is one; undefined for what answers no such batch. */
function readBatch(reply: Uint8Array, count: number): readonly (Uint8Array | undefined)[] | undefined {
  const answers = batchReply.decode(reply)?.answers;
  if (answers?.length !== count) return undefined;
  return answers.map(each => (each.status === paymentStatus.ok ? each.reply : undefined));
}
