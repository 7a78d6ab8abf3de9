import { createHash } from 'node:crypto';
import { generateNodeRsaKeys, makeNodeKeys, type NodeKeys } from '../crypto/node-keys.ts';
import type { RsaKey } from '../crypto/rsa.ts';
import { generateRsaKey } from '../crypto/rsa.ts';
import type { Clock, Entropy } from '../ports.ts';
import { acceptEverything, rejectEverything } from './address-policy.ts';
import {
  type AuthorityCertificate,
  buildAuthorityCertificate,
  parseAuthorityCertificate,
} from './authority-certificate.ts';
import { type ConsensusFacts, formatConsensus } from './consensus-builder.ts';
import type { ConsensusFlavor } from './consensus-entry.ts';
import { pricedMethod } from './consensus-method.ts';
import { consensusOf } from './consensus-of-votes.ts';
import { attachSignatures, signedAlgorithm, signText } from './consensus-signatures.ts';
import { buildServerDescriptor, parseServerDescriptor } from './descriptor.ts';
import type { DirectoryAuthority } from './directory-authority.ts';
import { knownFlags, labFlagRules, voteEntries } from './flag-rules.ts';
import { parseProtocols } from './protocols.ts';
import {
  type DescriptorFacts,
  microdescriptorOf,
  relayProtocolsText,
  type ServerDescriptor,
} from './server-descriptor.ts';
import { eachDemand } from './status-document.ts';
import { buildVote, parseVote, type Vote, type VoteFacts } from './vote.ts';
import type { VoteEntry } from './vote-entry.ts';

export const wallMs = Math.floor(1_790_000_000_000 / 1000) * 1000;

/** Bytes that follow from a seed. */
export function seeded(seed: string): Entropy {
  let count = 0;
  return {
    bytes(length) {
      const out = new Uint8Array(length);
      for (let at = 0; at < length; at += 32) {
        const block = createHash('sha256').update(`${seed}/${count++}`).digest();
        out.set(block.subarray(0, Math.min(32, length - at)), at);
      }
      return out;
    },
  };
}

export class ManualClock implements Clock {
  wall = wallMs;
  monotonic = 0;
  monotonicMs(): number {
    return this.monotonic;
  }
  wallMs(): number {
    return this.wall;
  }
  after(): () => void {
    return () => {};
  }
  pass(ms: number): void {
    this.wall += ms;
    this.monotonic += ms;
  }
}

export function makeKeys(seed: string): NodeKeys {
  return makeNodeKeys(seeded(seed), generateNodeRsaKeys());
}

export function facts(change: Partial<DescriptorFacts> = {}): DescriptorFacts {
  const protocols = parseProtocols(`${relayProtocolsText} Pay=1`);
  if (protocols === undefined) throw new Error('protocols');
  return {
    nickname: 'relay1',
    address: { host: '127.0.0.1', port: 9001 },
    ipv6: undefined,
    dirPort: 0,
    platform: 'naulon 0.1.0 on Node',
    protocols,
    publishedMs: wallMs - 60_000,
    uptimeSeconds: 60,
    bandwidth: { rate: 1_000_000_000, burst: 1_000_000_000, observed: 50_000_000 },
    exitPolicy: [rejectEverything],
    ipv6Policy: undefined,
    family: [],
    contact: 'operator <nobody at example dot org>',
    servesDirectory: true,
    hibernating: false,
    price: { priceMsatPer2Pow20: 50_000_000n, paySchemes: [1] },
    ...change,
  };
}

export function must<T>(
  result: { ok: true; value: T } | { ok: false; fault: { code: string; detail?: string } },
): T {
  if (!result.ok) throw new Error(`${result.fault.code} ${result.fault.detail}`);
  return result.value;
}

export interface TestAuthority {
  readonly identity: RsaKey;
  readonly signing: RsaKey;
  readonly certificate: AuthorityCertificate;
  readonly trusted: DirectoryAuthority;
}

export function makeAuthority(index: number): TestAuthority {
  const identity = generateRsaKey(2048);
  const signing = generateRsaKey(2048);
  const text = buildAuthorityCertificate(identity, signing, {
    publishedMs: wallMs - 3_600_000,
    expiresMs: wallMs + 90 * 86_400_000,
  });
  const trusted = {
    nickname: `auth${index}`,
    dirAddress: { host: '127.0.0.1', port: 7000 + index },
    orAddress: { host: '127.0.0.1', port: 5000 + index },
    rsaId: seeded(`authority ${index}`).bytes(20),
    v3Ident: identity.fingerprint,
  };
  return { identity, signing, certificate: must(parseAuthorityCertificate(text)), trusted };
}

/** Three relays, the last an exit. */
export function makeRelays(): ServerDescriptor[] {
  return [0, 1, 2].map(index => {
    const text = buildServerDescriptor(
      makeKeys(`relay ${index}`),
      facts({
        nickname: `relay${index}`,
        address: { host: `127.${index}.0.1`, port: 9001 + index },
        exitPolicy: [index === 2 ? acceptEverything : rejectEverything],
        bandwidth: { rate: 1e9, burst: 1e9, observed: 10_000_000 * (index + 1) },
      }),
    );
    return must(parseServerDescriptor(text, wallMs));
  });
}

/** What an authority votes, with all relays running. */
export function makeVote(
  voter: TestAuthority,
  relays: readonly VoteEntry[],
  change: Partial<VoteFacts> = {},
): Vote {
  const { trusted, certificate, signing } = voter;
  const v3Ident = trusted.v3Ident as Uint8Array;
  const voteFacts: VoteFacts = {
    publishedMs: wallMs,
    validAfterMs: wallMs,
    freshUntilMs: wallMs + 3_600_000,
    validUntilMs: wallMs + 3 * 3_600_000,
    votingDelay: [2, 2],
    knownFlags,
    params: new Map([['cc_alg', 0]]),
    protocols: eachDemand(() => new Map()),
    authority: {
      nickname: trusted.nickname,
      v3Ident,
      hostname: '127.0.0.1',
      address: '127.0.0.1',
      dirPort: trusted.dirAddress.port,
      orPort: trusted.orAddress.port,
      contact: 'somebody',
    },
    relays,
    ...change,
  };
  return must(parseVote(buildVote(voteFacts, certificate, { v3Ident, signingKey: signing })));
}

export function entriesOf(relays: readonly ServerDescriptor[]): VoteEntry[] {
  const standing = { running: true, measuredKBps: undefined, authority: false };
  return voteEntries(
    relays.map(descriptor => ({ descriptor, ...standing })),
    labFlagRules,
  );
}

/** What authorities agree on when all of them have voted, or so many as there are. */
export function agreedOn(votes: readonly Vote[], authorities = votes.length): ConsensusFacts {
  const facts = consensusOf(votes, authorities);
  if (facts === undefined) throw new Error('no common method');
  return facts;
}

/** As authorities of ours make it. */
export function microOf(descriptor: ServerDescriptor): string {
  const text = microdescriptorOf(descriptor, pricedMethod);
  if (text === undefined) throw new Error('no microdescriptor');
  return text;
}

/** The consensus that authorities make of equal votes, signed by all of them. */
export function makeConsensus(
  relays: readonly ServerDescriptor[],
  signers: readonly TestAuthority[],
  flavor: ConsensusFlavor,
  validAfterMs = wallMs - 10_000,
): string {
  const times = {
    validAfterMs,
    freshUntilMs: validAfterMs + 3_600_000,
    validUntilMs: validAfterMs + 3 * 3_600_000,
  };
  const votes = signers.map(signer => makeVote(signer, entriesOf(relays), times));
  return signConsensus(formatConsensus(agreedOn(votes), flavor), flavor, signers);
}

export function signConsensus(
  signed: string,
  flavor: ConsensusFlavor,
  signers: readonly TestAuthority[],
): string {
  const signatures = signers.map(({ identity, signing }) =>
    signText(signed, signedAlgorithm[flavor], { v3Ident: identity.fingerprint, signingKey: signing }),
  );
  return attachSignatures(signed, flavor, signatures);
}
