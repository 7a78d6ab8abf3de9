import { equalBytes, toHex } from '../src/base/bytes.ts';
import {
  type AuthorityCertificate,
  findCertificate,
  parseAuthorityCertificate,
} from '../src/directory/authority-certificate.ts';
import type { DirectoryAuthority } from '../src/directory/directory-authority.ts';
import { documentBytes, documentText } from '../src/directory/document-lines.ts';
import type { StorePort, StoreWrite } from '../src/ports.ts';

const prefix = 'authority/certificate/';

/** The certificates of the trusted authorities, as their votes brought them: whoever reads a consensus needs them. */
export class KnownCertificates {
  readonly #authorities: readonly DirectoryAuthority[];
  #certificates: AuthorityCertificate[] = [];

  constructor(authorities: readonly DirectoryAuthority[]) {
    this.#authorities = authorities;
  }

  restore(store: StorePort, wallMs: number): void {
    for (const [, value] of store.list(prefix)) {
      const parsed = parseAuthorityCertificate(documentText(value));
      if (parsed.ok) this.add(parsed.value, wallMs);
    }
  }

  /** Takes the certificate of a trusted authority if it is new; says what to persist and, of those that are over, remove. */
  add(certificate: AuthorityCertificate, wallMs: number): StoreWrite[] {
    const { v3Ident, signingKeyDigest, expiresMs, text } = certificate;
    const trusted = this.#authorities.some(each => each.v3Ident && equalBytes(each.v3Ident, v3Ident));
    if (!trusted || expiresMs < wallMs || this.find(v3Ident, signingKeyDigest)?.text === text) return [];
    const over = this.#certificates.filter(each => each.expiresMs < wallMs);
    const current = this.#certificates.filter(
      each => keyOf(each) !== keyOf(certificate) && !over.includes(each),
    );
    this.#certificates = [...current, certificate];
    return [
      ...over.map(each => ({ key: keyOf(each), value: undefined })),
      { key: keyOf(certificate), value: documentBytes(text) },
    ];
  }

  find(v3Ident: Uint8Array, signingKeyDigest: Uint8Array): AuthorityCertificate | undefined {
    return findCertificate(this.#certificates, v3Ident, signingKeyDigest);
  }

  get all(): readonly AuthorityCertificate[] {
    return this.#certificates;
  }
}

function keyOf({ v3Ident, signingKeyDigest }: AuthorityCertificate): string {
  return `${prefix}${toHex(v3Ident)}-${toHex(signingKeyDigest)}`;
}
