import { fail, ok, type Result } from '../base/fault.ts';
import { parseIpv4 } from '../base/ip.ts';
import { decodeCircuitResponse, encodeCircuitRequest } from '../cell/circuit-extensions.ts';
import { handshakeType } from '../cell/commands.ts';
import { encodeCreate2, encodeCreateFast } from '../cell/link-messages.ts';
import type { LinkTarget } from '../cell/link-specifier.ts';
import { encodeExtend2 } from '../cell/relay-messages.ts';
import { type CircuitKeys, createFastKeys } from '../crypto/circuit-keys.ts';
import { equalSecrets } from '../crypto/constant-time.ts';
import { ntorClientFinish, ntorClientRequest, ntorClientStart } from '../crypto/ntor.ts';
import { ntorV3ClientFinish, ntorV3ClientStart } from '../crypto/ntor-v3.ts';
import { congestionFlow } from '../flow/congestion-flow.ts';
import type { CongestionParams } from '../flow/congestion-params.ts';
import type { CircuitFlow } from '../flow/flow-control.ts';
import { fixedFlow } from '../flow/sendme-window.ts';
import type { Clock, Endpoint, Entropy } from '../ports.ts';

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

/** Congestion control, as a hop is asked for it that is known to grant it. */
export interface CongestionOffer {
  readonly params: CongestionParams;
  readonly clock: Clock;
  /** True while the circuit's queue on its link is long. */
  readonly blocked: () => boolean;
}

/** A hop as it was agreed on. */
export interface AgreedHop {
  readonly keys: CircuitKeys;
  readonly flow: CircuitFlow;
}

/** A key exchange with one hop that waits for its answer. */
export interface Exchange {
  /** What goes out: the payload of CREATE_FAST or CREATE2, or the body of EXTEND2. */
  readonly message: Uint8Array;
  /** Takes the answer's handshake bytes; for CREATED_FAST the 40 bytes of Y and proof. */
  finish(reply: Uint8Array): Result<AgreedHop>;
}

/** CREATE_FAST: no public keys, for the first hop, whose link has proven who it is. spec: tor-spec/create-created-cells */
export function startCreateFast(entropy: Entropy): Exchange {
  const x = entropy.bytes(20);
  return {
    message: encodeCreateFast(x),
    finish(reply) {
      const { keys, verify } = createFastKeys(x, reply.subarray(0, 20));
      if (!equalSecrets(verify, reply.subarray(20, 40))) return fail('HANDSHAKE_BAD_PROOF');
      return ok({ keys, flow: fixedFlow() });
    },
  };
}

/** CREATE2 for the first hop, whose onion key is known. */
export function startCreate2(entropy: Entropy, target: HopTarget, offer?: CongestionOffer): Exchange {
  const { type, request, finish } = startHandshake(entropy, target, offer);
  return { message: encodeCreate2(type, request), finish };
}

/** EXTEND2 for a later hop, sent to the one before. */
export function startExtend2(entropy: Entropy, target: HopTarget, offer?: CongestionOffer): Exchange {
  const { type, request, finish } = startHandshake(entropy, target, offer);
  const message = encodeExtend2({ target: linkTargetOf(target), handshakeType: type, handshake: request });
  return { message, finish };
}

interface Handshake {
  readonly type: number;
  readonly request: Uint8Array;
  readonly finish: Exchange['finish'];
}

/** Version 3 where there is something to ask, as C tor does. spec: proposal 324, 10 */
function startHandshake(entropy: Entropy, target: HopTarget, offer?: CongestionOffer): Handshake {
  return offer === undefined ? startNtor(entropy, target) : startNtorV3(entropy, target, offer);
}

function startNtor(entropy: Entropy, target: HopTarget): Handshake {
  const state = ntorClientStart(entropy, target.rsaId, target.ntorKey);
  return {
    type: handshakeType.ntor,
    request: ntorClientRequest(state),
    finish(reply) {
      const keys = ntorClientFinish(state, reply);
      return keys.ok ? ok({ keys: keys.value, flow: fixedFlow() }) : keys;
    },
  };
}

function startNtorV3(entropy: Entropy, target: HopTarget, offer: CongestionOffer): Handshake {
  const relay = { identity: target.ed25519, onionKey: target.ntorKey };
  const started = ntorV3ClientStart(entropy, relay, encodeCircuitRequest({ congestionControl: true }));
  // With a key that is none, ntor fails too, and says so at its end.
  if (!started.ok) return startNtor(entropy, target);
  const finish = (reply: Uint8Array): Result<AgreedHop> => {
    const finished = ntorV3ClientFinish(started.value, reply);
    if (!finished.ok) return finished;
    const { keys, message } = finished.value;
    const response = decodeCircuitResponse(message);
    if (!response.ok) return response;
    const { sendmeCells } = response.value;
    if (sendmeCells === undefined) return ok({ keys, flow: fixedFlow() });
    // spec: proposal 324, 10.5: the consensus changes it by steps, so a relay whose value is far off would stand out
    if (Math.abs(sendmeCells - offer.params.sendmeCells) > 1) return fail('SENDME_CELLS_REFUSED');
    return ok({ keys, flow: congestionFlow({ ...offer, sendmeCells, end: 'client' }) });
  };
  return { type: handshakeType.ntorV3, request: started.value.request, finish };
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
