import type { PlannedHop } from '../../../client/circuit-want.ts';
import { ok } from '../../../src/base/fault.ts';
import { encodeCircuitResponse } from '../../../src/cell/circuit-extensions.ts';
import { handshakeType } from '../../../src/cell/commands.ts';
import type { CircuitKeys } from '../../../src/crypto/circuit-keys.ts';
import { ntorServer } from '../../../src/crypto/ntor.ts';
import { ntorV3Server } from '../../../src/crypto/ntor-v3.ts';
import { generateX25519, type X25519KeyPair } from '../../../src/crypto/x25519.ts';
import { parseProtocols } from '../../../src/directory/protocols.ts';
import type { RelayInfo } from '../../../src/directory/relay-info.ts';
import type { Endpoint, Entropy } from '../../../src/ports.ts';
import { paperMoney } from './paper-money.ts';

/** What a priced relay asks for 2^20 cells, msat. */
export const farPriceMsat = 1_000_000n;
const sendmeCells = 31;
const congested = parseProtocols('FlowCtrl=2 Relay=4') ?? new Map();

/** How a client is to see a relay. */
export interface FarLooks {
  readonly priced: boolean;
  /** Whether it is asked for congestion control when it is the last hop. */
  readonly congested: boolean;
}

/** A relay that clients extend to, as whoever plays it knows it. */
export class FarRelay {
  readonly rsaId: Uint8Array;
  readonly ed25519: Uint8Array;
  readonly #address: Endpoint;
  readonly #entropy: Entropy;
  readonly #onionKey: X25519KeyPair;

  constructor(entropy: Entropy, address: Endpoint, ids?: { rsaId: Uint8Array; ed25519: Uint8Array }) {
    this.#entropy = entropy;
    this.#address = address;
    this.rsaId = ids?.rsaId ?? entropy.bytes(20);
    this.ed25519 = ids?.ed25519 ?? entropy.bytes(32);
    this.#onionKey = generateX25519(entropy);
  }

  asHop({ priced, congested: controlled }: FarLooks): PlannedHop {
    const target = {
      nickname: 'far',
      rsaId: this.rsaId,
      ed25519: this.ed25519,
      ntorKey: this.#onionKey.publicKey,
      address: this.#address,
    };
    const relay: RelayInfo = {
      ...target,
      ipv6: undefined,
      dirPort: 0,
      flags: new Set(['Running', 'Valid']),
      bandwidth: 1_000,
      exitPolicy: { kind: 'accept', ranges: [{ low: 1, high: 65_535 }] },
      exitPolicyIpv6: { kind: 'accept', ranges: [{ low: 1, high: 65_535 }] },
      version: '',
      protocols: controlled ? congested : new Map(),
      family: [],
      familyIds: [],
      microdescriptorDigest: new Uint8Array(32),
      priceMsatPer2Pow20: priced ? farPriceMsat : 0n,
      paySchemes: [paperMoney.id],
    };
    return { ...target, relay };
  }

  /** Answers ntor of either version; undefined for what is meant for another relay. */
  answer(type: number, request: Uint8Array): { reply: Uint8Array; keys: CircuitKeys } | undefined {
    const { rsaId, ed25519: identity } = this;
    const onionKeys = [this.#onionKey];
    const answered =
      type === handshakeType.ntorV3
        ? ntorV3Server(this.#entropy, { identity, onionKeys }, request, () =>
            ok(encodeCircuitResponse({ sendmeCells })),
          )
        : ntorServer(this.#entropy, rsaId, onionKeys, request);
    return answered.ok ? answered.value : undefined;
  }
}
