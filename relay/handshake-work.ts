import { assert } from '../src/base/assert.ts';
import { fixedBytes, sizedBytes, struct, u8, u16 } from '../src/base/struct.ts';
import { cellPayloadBytes } from '../src/cell/link-codec.ts';
import { circuitKeyBytes, circuitKeysOf } from '../src/crypto/circuit-keys.ts';
import type { CongestionParams } from '../src/flow/congestion-params.ts';
import type { AnsweredCreate, CircuitHandshakes } from './circuit-handshakes.ts';

/** A CREATE cell and its answer as they travel to another thread and back. */
const requestMessage = struct({
  command: u8,
  /** Whether congestion control is granted to whoever asks. */
  congestion: u8,
  sendmeCells: u8,
  payload: fixedBytes(cellPayloadBytes),
});
const answerMessage = struct({
  /** 0: the request was malformed, and nothing else counts. */
  made: u8,
  command: u8,
  /** 0: fixed windows. */
  sendmeCells: u16,
  keys: sizedBytes(u8, circuitKeyBytes),
  reply: sizedBytes(u16, cellPayloadBytes),
});
const nothing = new Uint8Array(0);
const malformed = answerMessage.encode({
  made: 0,
  command: 0,
  sendmeCells: 0,
  keys: nothing,
  reply: nothing,
});

export function encodeRequest(command: number, payload: Uint8Array, params: CongestionParams): Uint8Array {
  const { enabled, sendmeCells } = params;
  return requestMessage.encode({ command, congestion: enabled ? 1 : 0, sendmeCells, payload });
}

/** What a helping thread does. */
export function answerRequest(handshakes: CircuitHandshakes, work: Uint8Array): Uint8Array {
  const request = requestMessage.decode(work);
  assert(request !== undefined, 'requests are made by encodeRequest');
  const { command, payload, sendmeCells } = request;
  const made = handshakes.answer(command, payload, 0, { enabled: request.congestion === 1, sendmeCells });
  if (!made.ok) return malformed;
  const { keys, reply } = made.value;
  const { forwardDigest, backwardDigest, forwardKey, backwardKey } = keys;
  return answerMessage.encode({
    made: 1,
    command: made.value.command,
    sendmeCells: made.value.sendmeCells ?? 0,
    keys: Buffer.concat([forwardDigest, backwardDigest, forwardKey, backwardKey]),
    reply,
  });
}

/** Undefined: the request was malformed. */
export function decodeAnswer(bytes: Uint8Array): AnsweredCreate | undefined {
  const answer = answerMessage.decode(bytes);
  assert(answer !== undefined, 'answers are made by answerRequest');
  if (answer.made === 0) return undefined;
  const { command, keys, reply, sendmeCells } = answer;
  return { keys: circuitKeysOf(keys), sendmeCells: sendmeCells || undefined, command, reply };
}
