import { fail, ok, type Result } from '../base/fault.ts';
import { parseIpv4 } from '../base/ip.ts';
import { handshakeType } from '../cell/commands.ts';
import { encodeCreate2, encodeCreateFast } from '../cell/link-messages.ts';
import type { LinkTarget } from '../cell/link-specifier.ts';
import { encodeExtend2 } from '../cell/relay-messages.ts';
import { type CircuitKeys, createFastKeys } from '../crypto/circuit-keys.ts';
import { equalSecrets } from '../crypto/constant-time.ts';
import { ntorClientFinish, ntorClientRequest, ntorClientStart } from '../crypto/ntor.ts';
import type { Endpoint, Entropy } from '../ports.ts';

/** A relay as a client must know it to make it a hop. */
export interface HopTarget {
  readonly nickname: string;
  /** SHA-1 of the RSA identity: 20 bytes. */
  readonly rsaId: Uint8Array;
  readonly ed25519: Uint8Array;
  /** The ntor onion key: 32 bytes. */
  readonly ntorKey: Uint8Array;
  /** The OR port. */
  readonly address: Endpoint;
}

/** A key exchange with one hop that waits for its answer. */
export interface Exchange {
  /** What goes out: the payload of CREATE_FAST or CREATE2, or the body of EXTEND2. */
  readonly message: Uint8Array;
  /** Takes the answer's handshake bytes; for CREATED_FAST the 40 bytes of Y and proof. */
  finish(reply: Uint8Array): Result<CircuitKeys>;
}

/** CREATE_FAST: no public keys, for the first hop, whose link has proven who it is. spec: tor-spec/create-created-cells */
export function startCreateFast(entropy: Entropy): Exchange {
  const x = entropy.bytes(20);
  return {
    message: encodeCreateFast(x),
    finish(reply) {
      const { keys, verify } = createFastKeys(x, reply.subarray(0, 20));
      if (!equalSecrets(verify, reply.subarray(20, 40))) return fail('HANDSHAKE_BAD_PROOF');
      return ok(keys);
    },
  };
}

/** CREATE2 with ntor, for a first hop whose onion key is known. */
export function startCreate2(entropy: Entropy, target: HopTarget): Exchange {
  const ntor = startNtor(entropy, target);
  return { message: encodeCreate2(handshakeType.ntor, ntor.request), finish: ntor.finish };
}

/** EXTEND2 with ntor, sent to the hop before. */
export function startExtend2(entropy: Entropy, target: HopTarget): Exchange {
  const ntor = startNtor(entropy, target);
  const message = encodeExtend2({
    target: linkTargetOf(target),
    handshakeType: handshakeType.ntor,
    handshake: ntor.request,
  });
  return { message, finish: ntor.finish };
}

function startNtor(
  entropy: Entropy,
  target: HopTarget,
): { request: Uint8Array; finish: (reply: Uint8Array) => Result<CircuitKeys> } {
  const state = ntorClientStart(entropy, target.rsaId, target.ntorKey);
  return { request: ntorClientRequest(state), finish: reply => ntorClientFinish(state, reply) };
}

function linkTargetOf(target: HopTarget): LinkTarget {
  const isIpv4 = parseIpv4(target.address.host) !== undefined;
  return {
    ipv4: isIpv4 ? target.address : undefined,
    ipv6: isIpv4 ? undefined : target.address,
    rsaId: target.rsaId,
    ed25519: target.ed25519,
  };
}
