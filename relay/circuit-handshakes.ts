import { fail, ok, type Result } from '../src/base/fault.ts';
import { decodeCircuitRequest, encodeCircuitResponse } from '../src/cell/circuit-extensions.ts';
import { cellCommand, handshakeType } from '../src/cell/commands.ts';
import {
  decodeCreate2,
  decodeCreateFast,
  encodeCreated2,
  encodeCreatedFast,
} from '../src/cell/link-messages.ts';
import { type CircuitKeys, createFastKeys } from '../src/crypto/circuit-keys.ts';
import type { NodeKeys } from '../src/crypto/node-keys.ts';
import { ntorServer } from '../src/crypto/ntor.ts';
import { ntorV3Server } from '../src/crypto/ntor-v3.ts';
import type { X25519KeyPair } from '../src/crypto/x25519.ts';
import type { CongestionParams } from '../src/flow/congestion-params.ts';
import type { Entropy } from '../src/ports.ts';

/** A circuit as its client's first cell and our answer agree on it. */
export interface AnsweredCreate {
  readonly keys: CircuitKeys;
  /** DATA cells that a circuit SENDME answers under congestion control; undefined: fixed windows. */
  readonly sendmeCells: number | undefined;
  /** CREATED_FAST or CREATED2. */
  readonly command: number;
  /** Its payload, 509 bytes. */
  readonly reply: Uint8Array;
}

/** Answers CREATE_FAST and CREATE2. spec: tor-spec/create-created-cells */
export class CircuitHandshakes {
  /** That a client may know: the current one, and the one before for a while. */
  onionKeys: readonly X25519KeyPair[];
  readonly #keys: NodeKeys;
  readonly #entropy: Entropy;

  constructor(keys: NodeKeys, entropy: Entropy) {
    this.#keys = keys;
    this.onionKeys = [keys.ntor];
    this.#entropy = entropy;
  }

  /** @param congestion what we grant to whoever asks. */
  answer(
    command: number,
    bytes: Uint8Array,
    at: number,
    congestion: Pick<CongestionParams, 'enabled' | 'sendmeCells'>,
  ): Result<AnsweredCreate> {
    if (command === cellCommand.createFast) return ok(this.#answerFast(bytes, at));
    const message = decodeCreate2(bytes, at);
    if (message === undefined) return fail('CREATE_MALFORMED');
    if (message.handshakeType === handshakeType.ntor) return this.#answerNtor(message.handshake);
    if (message.handshakeType === handshakeType.ntorV3)
      return this.#answerNtorV3(message.handshake, congestion);
    return fail('CREATE_UNKNOWN_HANDSHAKE', String(message.handshakeType));
  }

  #answerFast(bytes: Uint8Array, at: number): AnsweredCreate {
    const x = decodeCreateFast(bytes, at);
    const y = this.#entropy.bytes(20);
    const { keys, verify } = createFastKeys(x, y);
    const reply = encodeCreatedFast(y, verify);
    return { keys, sendmeCells: undefined, command: cellCommand.createdFast, reply };
  }

  #answerNtor(request: Uint8Array): Result<AnsweredCreate> {
    const { fingerprint } = this.#keys.rsaIdentity;
    const served = ntorServer(this.#entropy, fingerprint, this.onionKeys, request);
    return served.ok ? ok(createdOf(served.value, undefined)) : served;
  }

  #answerNtorV3(
    request: Uint8Array,
    congestion: Pick<CongestionParams, 'enabled' | 'sendmeCells'>,
  ): Result<AnsweredCreate> {
    const { identity } = this.#keys;
    let sendmeCells: number | undefined;
    const relay = { identity: identity.publicKey, onionKeys: this.onionKeys };
    const served = ntorV3Server(this.#entropy, relay, request, message => {
      const asked = decodeCircuitRequest(message);
      if (!asked.ok) return asked;
      sendmeCells = asked.value.congestionControl && congestion.enabled ? congestion.sendmeCells : undefined;
      return ok(encodeCircuitResponse({ sendmeCells }));
    });
    return served.ok ? ok(createdOf(served.value, sendmeCells)) : served;
  }
}

function createdOf(
  served: { readonly reply: Uint8Array; readonly keys: CircuitKeys },
  sendmeCells: number | undefined,
): AnsweredCreate {
  const { keys, reply } = served;
  return { keys, sendmeCells, command: cellCommand.created2, reply: encodeCreated2(reply) };
}
