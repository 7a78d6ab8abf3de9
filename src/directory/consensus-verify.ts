import { equalBytes } from '../base/bytes.ts';
import { type Fault, fail, ok, type Result } from '../base/fault.ts';
import { rsaVerifyDigest } from '../crypto/rsa.ts';
import { type AuthorityCertificate, findCertificate } from './authority-certificate.ts';
import { type Consensus, consensusDigest } from './consensus.ts';
import type { DirectoryAuthority } from './directory-authority.ts';

export type ConsensusVerifyFault = Fault<
  'CONSENSUS_TOO_FEW_SIGNATURES' | 'CONSENSUS_CERTIFICATES_MISSING' | 'CONSENSUS_NO_AUTHORITIES'
>;

/**
 * Over half of the configured authorities must have signed, each counted once, with a signing key that its certificate
 * vouches for at that time. CONSENSUS_CERTIFICATES_MISSING: with further certificates it could still come true.
 * spec: dir-spec/client-operation (more than half)
 */
export function verifyConsensus<Signer extends Pick<DirectoryAuthority, 'v3Ident'>>(
  consensus: Consensus,
  authorities: readonly Signer[],
  certificates: readonly AuthorityCertificate[],
  wallMs: number,
): Result<readonly Signer[], ConsensusVerifyFault> {
  const voters = authorities.filter(authority => authority.v3Ident !== undefined);
  if (voters.length === 0) return fail('CONSENSUS_NO_AUTHORITIES');
  const needed = Math.floor(voters.length / 2) + 1;
  const good: Signer[] = [];
  let unknown = 0;
  for (const authority of voters) {
    const verdict = signatureOf(authority.v3Ident as Uint8Array, consensus, certificates, wallMs);
    if (verdict === 'good') good.push(authority);
    if (verdict === 'unknown') unknown += 1;
  }
  if (good.length >= needed) return ok(good);
  const detail = `${good.length} of ${needed} needed`;
  if (good.length + unknown >= needed) return fail('CONSENSUS_CERTIFICATES_MISSING', detail);
  return fail('CONSENSUS_TOO_FEW_SIGNATURES', detail);
}

function signatureOf(
  v3Ident: Uint8Array,
  consensus: Consensus,
  certificates: readonly AuthorityCertificate[],
  wallMs: number,
): 'good' | 'bad' | 'unknown' {
  let verdict: 'bad' | 'unknown' = 'bad';
  for (const each of consensus.signatures) {
    if (!equalBytes(each.v3Ident, v3Ident)) continue;
    // An expired certificate is as good as none: a newer one may be had.
    const certificate = findCertificate(certificates, v3Ident, each.signingKeyDigest);
    if (certificate === undefined || certificate.expiresMs < wallMs) verdict = 'unknown';
    else if (
      rsaVerifyDigest(certificate.signingKey, consensusDigest(consensus, each.algorithm), each.signature)
    )
      return 'good';
  }
  return verdict;
}

/** The certificates that signatures of configured authorities still need. */
export function missingCertificates(
  consensus: Consensus,
  authorities: readonly DirectoryAuthority[],
  certificates: readonly AuthorityCertificate[],
  wallMs: number,
): readonly { readonly v3Ident: Uint8Array; readonly signingKeyDigest: Uint8Array }[] {
  return consensus.signatures.filter(signature => {
    const trusted = authorities.some(each => each.v3Ident && equalBytes(each.v3Ident, signature.v3Ident));
    const certificate = findCertificate(certificates, signature.v3Ident, signature.signingKeyDigest);
    return trusted && (certificate === undefined || certificate.expiresMs < wallMs);
  });
}
