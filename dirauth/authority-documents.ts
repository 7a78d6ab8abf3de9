import { toHex } from '../src/base/bytes.ts';
import { sha256 } from '../src/crypto/sha.ts';
import type { AuthorityCertificate } from '../src/directory/authority-certificate.ts';
import type { Consensus } from '../src/directory/consensus.ts';
import type { ConsensusFlavor } from '../src/directory/consensus-entry.ts';
import type { DirectoryDocuments } from '../src/directory/directory-documents.ts';
import { documentBytes } from '../src/directory/document-lines.ts';
import { microdescriptorOf, type ServerDescriptor } from '../src/directory/server-descriptor.ts';
import type { DescriptorRegistry } from './descriptor-registry.ts';

interface Listed {
  readonly text: string;
  /** End of the last consensus that named it: until then somebody may ask. */
  readonly untilMs: number;
}

/** What an authority has to give away: its consensuses, and what they name. */
export class AuthorityDocuments implements DirectoryDocuments {
  readonly #certificate: AuthorityCertificate;
  readonly #registry: DescriptorRegistry;
  readonly #consensuses = new Map<ConsensusFlavor, Consensus>();
  readonly #microdescriptors = new Map<string, Listed>();
  readonly #descriptors = new Map<string, Listed>();
  own: string | undefined;

  constructor(certificate: AuthorityCertificate, registry: DescriptorRegistry) {
    this.#certificate = certificate;
    this.#registry = registry;
  }

  /** Serves a new consensus of both flavours over these relays. */
  publish(consensuses: readonly Consensus[], listed: Iterable<ServerDescriptor>, wallMs: number): void {
    let untilMs = 0;
    for (const consensus of consensuses) {
      this.#consensuses.set(consensus.flavor, consensus);
      untilMs = Math.max(untilMs, consensus.validUntilMs);
    }
    for (const descriptor of listed) {
      const text = microdescriptorOf(descriptor);
      this.#microdescriptors.set(toHex(sha256(documentBytes(text))), { text, untilMs });
      this.#descriptors.set(toHex(descriptor.digest), { text: descriptor.text, untilMs });
    }
    for (const documents of [this.#microdescriptors, this.#descriptors])
      for (const [digest, { untilMs: end }] of documents) if (end < wallMs) documents.delete(digest);
  }

  consensus(flavor: ConsensusFlavor): Consensus | undefined {
    return this.#consensuses.get(flavor);
  }

  certificates(): readonly AuthorityCertificate[] {
    return [this.#certificate];
  }

  microdescriptor(digest: string): string | undefined {
    return this.#microdescriptors.get(digest)?.text;
  }

  descriptor(digest: string): string | undefined {
    return this.#descriptors.get(digest)?.text;
  }

  descriptorOf(rsaId: string): string | undefined {
    return this.#registry.byIdentity(rsaId)?.text;
  }

  *descriptors(): Iterable<string> {
    for (const descriptor of this.#registry.all()) yield descriptor.text;
  }

  ownDescriptor(): string | undefined {
    return this.own;
  }
}
