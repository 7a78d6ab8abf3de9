import { toHex } from '../base/bytes.ts';
import { type CongestionParams, readCongestionParams } from '../flow/congestion-params.ts';
import type { Consensus } from './consensus.ts';
import { noEdConsensus } from './consensus-entry.ts';
import type { Microdescriptor } from './microdescriptor.ts';
import { rejectsAllPorts } from './port-policy.ts';
import { asksPrice, type PriceShelf } from './price-shelf.ts';
import type { RelayInfo } from './relay-info.ts';

/** The network as a verified consensus and the microdescriptors at hand show it. Never changes: a newer one is a new object. */
export class NetworkView {
  /** Relays whose microdescriptor is known, in the consensus' order (by identity). */
  readonly relays: readonly RelayInfo[];
  /** Relays in the consensus, with or without microdescriptor. */
  readonly relaysListed: number;
  readonly validAfterMs: number;
  readonly freshUntilMs: number;
  readonly validUntilMs: number;
  readonly params: ReadonlyMap<string, number>;
  /** What it demands of its nodes. */
  readonly protocols: Consensus['protocols'];
  /** `bandwidth-weights`, in ten-thousandths: Wgg, Wmd … Empty when the consensus has none. */
  readonly bandwidthWeights: ReadonlyMap<string, number>;
  readonly #byId = new Map<string, RelayInfo>();
  readonly #byEd25519 = new Map<string, RelayInfo>();
  readonly #byName = new Map<string, RelayInfo | undefined>();

  constructor(consensus: Consensus, relays: readonly RelayInfo[]) {
    this.relays = relays;
    this.relaysListed = consensus.relays.length;
    this.validAfterMs = consensus.validAfterMs;
    this.freshUntilMs = consensus.freshUntilMs;
    this.validUntilMs = consensus.validUntilMs;
    this.params = consensus.params;
    this.protocols = consensus.protocols;
    this.bandwidthWeights = consensus.bandwidthWeights;
    for (const relay of relays) {
      this.#byId.set(toHex(relay.rsaId), relay);
      this.#byEd25519.set(toHex(relay.ed25519), relay);
      const name = relay.nickname.toLowerCase();
      this.#byName.set(name, this.#byName.has(name) ? undefined : relay);
    }
  }

  /** By RSA identity (20 bytes). */
  relayById(rsaId: Uint8Array): RelayInfo | undefined {
    return this.#byId.get(toHex(rsaId));
  }

  relayByEd25519(ed25519: Uint8Array): RelayInfo | undefined {
    return this.#byEd25519.get(toHex(ed25519));
  }

  /** By nickname, whatever its case; undefined too when two relays share it. Also takes `$FINGERPRINT` or 40 hex digits. */
  relayByName(name: string): RelayInfo | undefined {
    const fingerprint = /^\$?([0-9A-Fa-f]{40})$/.exec(name);
    if (fingerprint !== null) return this.#byId.get(fingerprint[1].toLowerCase());
    return this.#byName.get(name.toLowerCase());
  }

  /** A consensus parameter within its bounds, or `otherwise` when the consensus does not say. */
  param(name: string, otherwise: number, low: number, high: number): number {
    return Math.min(Math.max(this.params.get(name) ?? otherwise, low), high);
  }
}

/**
 * How circuits are controlled: as the consensus says. Without one by fixed windows: a relay that guessed how many cells a SENDME
 * answers would be refused by whoever knows. spec: proposal 324, 10.5
 */
export function congestionOf(view: NetworkView | undefined): CongestionParams {
  const params = readCongestionParams(
    (name, otherwise, low, high) => view?.param(name, otherwise, low, high) ?? otherwise,
  );
  return view === undefined ? { ...params, enabled: false } : params;
}

/**
 * Joins consensus entries with their microdescriptors; `microdescriptors` are found by the hex of their SHA-256. A
 * relay whose price nobody has told yet is left out: it would be taken for a free one.
 */
export function joinView(
  consensus: Consensus,
  microdescriptors: ReadonlyMap<string, Microdescriptor>,
  prices: PriceShelf,
): NetworkView {
  const relays: RelayInfo[] = [];
  // spec: param-spec (use-family-lists, use-family-ids): 1 unless authorities say otherwise
  const uses = (param: string): boolean => (consensus.params.get(param) ?? 1) > 0;
  for (const entry of consensus.relays) {
    // One whose Ed25519 identity is not agreed on could be another relay than the microdescriptor's.
    if (entry.microdescriptorDigest === undefined || entry.flags.has(noEdConsensus)) continue;
    const micro = microdescriptors.get(toHex(entry.microdescriptorDigest));
    if (micro?.ed25519 === undefined) continue;
    // The consensus is what authorities signed in full; a microdescriptor's price is what the relay published.
    const price = micro.price ?? entry.price ?? prices.priceOf(entry);
    if (price === undefined && asksPrice(entry)) continue;
    relays.push({
      nickname: entry.nickname,
      rsaId: entry.rsaId,
      ed25519: micro.ed25519,
      ntorKey: micro.ntorKey,
      address: entry.address,
      ipv6: entry.ipv6 ?? micro.ipv6,
      dirPort: entry.dirPort,
      flags: entry.flags,
      bandwidth: entry.bandwidth,
      exitPolicy: micro.exitPolicy ?? rejectsAllPorts,
      exitPolicyIpv6: micro.exitPolicyIpv6 ?? rejectsAllPorts,
      version: entry.version,
      protocols: entry.protocols,
      family: uses('use-family-lists') ? micro.family : [],
      familyIds: uses('use-family-ids') ? micro.familyIds : [],
      microdescriptorDigest: entry.microdescriptorDigest,
      priceMsatPer2Pow20: price?.priceMsatPer2Pow20 ?? 0n,
      paySchemes: price?.paySchemes ?? [],
    });
  }
  return new NetworkView(consensus, relays);
}
