import { assert } from '../src/base/assert.ts';
import { equalBytes } from '../src/base/bytes.ts';
import { countedList, fixedBytes, sizedBytes, struct, u8, u16 } from '../src/base/struct.ts';
import { cellPayloadBytes } from '../src/cell/link-codec.ts';
import { circuitKeyBytes, circuitKeysOf } from '../src/crypto/circuit-keys.ts';
import { X25519KeyPair } from '../src/crypto/x25519.ts';
import type { CongestionParams } from '../src/flow/congestion-params.ts';
import type { AnsweredCreate, CircuitHandshakes } from './circuit-handshakes.ts';

/** A CREATE cell and its answer as they travel to another thread and back. */
const requestMessage = struct({
  command: u8,
  /** Whether congestion control is granted to whoever asks. */
  congestion: u8,
  sendmeCells: u8,
  /** Secrets of the onion keys that are served. */
  onionKeys: countedList(u8, fixedBytes(32)),
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

export function encodeRequest(
  command: number,
  payload: Uint8Array,
  params: CongestionParams,
  onionKeys: readonly X25519KeyPair[],
): Uint8Array {
  const { enabled, sendmeCells } = params;
  const secrets = onionKeys.map(({ secret }) => secret);
  return requestMessage.encode({
    command,
    congestion: enabled ? 1 : 0,
    sendmeCells,
    onionKeys: secrets,
    payload,
  });
}

/** What a helping thread does. */
export function answerRequest(handshakes: CircuitHandshakes, work: Uint8Array): Uint8Array {
  const request = requestMessage.decode(work);
  assert(request !== undefined, 'requests are made by encodeRequest');
  const { command, payload, sendmeCells } = request;
  const { onionKeys } = handshakes;
  // To make a pair of a secret costs as much as a handshake.
  const isKnown = request.onionKeys.every((secret, i) => equalBytes(secret, onionKeys[i]?.secret ?? nothing));
  if (!isKnown || onionKeys.length !== request.onionKeys.length)
    handshakes.onionKeys = request.onionKeys.map(secret => new X25519KeyPair(secret.slice()));
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
