import { toHex } from '../base/bytes.ts';
import {
  type AuthorityCertificate,
  findCertificate,
  parseAuthorityCertificate,
  splitCertificates,
} from './authority-certificate.ts';
import type { Consensus } from './consensus.ts';
import { missingCertificates } from './consensus-verify.ts';
import type { DirectoryAuthority } from './directory-authority.ts';

/** Certificates kept: a current and a next one of each authority. */
const certificatesMax = 32;

/** Verified certificates of the authorities that are trusted, and of nobody else; one of each signing key. */
export class CertificateShelf {
  readonly #authorities: readonly DirectoryAuthority[];
  #certificates: AuthorityCertificate[] = [];

  constructor(authorities: readonly DirectoryAuthority[]) {
    this.#authorities = authorities;
  }

  get all(): readonly AuthorityCertificate[] {
    return this.#certificates;
  }

  /** Takes what verifies, is of a trusted authority, and holds for longer than what is known of that signing key; says how many. */
  add(text: string, wallMs: number): number {
    let added = 0;
    for (const piece of splitCertificates(text, certificatesMax)) {
      const parsed = parseAuthorityCertificate(piece);
      if (!parsed.ok || parsed.value.expiresMs < wallMs) continue;
      const ident = toHex(parsed.value.v3Ident);
      if (!this.#authorities.some(each => each.v3Ident !== undefined && toHex(each.v3Ident) === ident))
        continue;
      const { v3Ident, signingKeyDigest, expiresMs } = parsed.value;
      const known = findCertificate(this.#certificates, v3Ident, signingKeyDigest);
      if (known !== undefined && known.expiresMs >= expiresMs) continue;
      this.#certificates = [...this.#certificates.filter(each => each !== known), parsed.value];
      if (this.#certificates.length > certificatesMax) this.#certificates.shift();
      added += 1;
    }
    return added;
  }

  /** What is needed to verify a consensus and is not here. */
  missing(consensus: Consensus, wallMs: number): ReturnType<typeof missingCertificates> {
    return missingCertificates(consensus, this.#authorities, this.#certificates, wallMs);
  }
}
