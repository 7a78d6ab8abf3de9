import { toHex } from '../base/bytes.ts';
import {
  type AuthorityCertificate,
  parseAuthorityCertificate,
  splitCertificates,
} from './authority-certificate.ts';
import type { Consensus } from './consensus.ts';
import { missingCertificates } from './consensus-verify.ts';
import type { DirectoryAuthority } from './directory-authority.ts';

/** Certificates kept: a current and a next one of each authority. */
const certificatesMax = 32;

/** Verified certificates of the authorities that are trusted, and of nobody else. */
export class CertificateShelf {
  readonly #authorities: readonly DirectoryAuthority[];
  readonly #certificates: AuthorityCertificate[] = [];

  constructor(authorities: readonly DirectoryAuthority[]) {
    this.#authorities = authorities;
  }

  get all(): readonly AuthorityCertificate[] {
    return this.#certificates;
  }

  /** Takes what verifies, is of a trusted authority and not known yet; says how many. */
  add(text: string, wallMs: number): number {
    let added = 0;
    for (const piece of splitCertificates(text, certificatesMax)) {
      const parsed = parseAuthorityCertificate(piece);
      if (!parsed.ok || parsed.value.expiresMs < wallMs) continue;
      const ident = toHex(parsed.value.v3Ident);
      if (!this.#authorities.some(each => each.v3Ident !== undefined && toHex(each.v3Ident) === ident))
        continue;
      if (this.#certificates.some(each => each.text === piece)) continue;
      this.#certificates.push(parsed.value);
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
