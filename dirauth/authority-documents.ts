import { toHex } from '../src/base/bytes.ts';
import { sha256 } from '../src/crypto/sha.ts';
import type { AuthorityCertificate } from '../src/directory/authority-certificate.ts';
import type { Consensus } from '../src/directory/consensus.ts';
import type { ConsensusFlavor } from '../src/directory/consensus-entry.ts';
import { consensusMethods } from '../src/directory/consensus-method.ts';
import type { DirectoryDocuments } from '../src/directory/directory-documents.ts';
import { documentBytes } from '../src/directory/document-lines.ts';
import { microdescriptorOf, type ServerDescriptor } from '../src/directory/server-descriptor.ts';
import type { DescriptorRegistry } from './descriptor-registry.ts';
import type { KnownCertificates } from './known-certificates.ts';

interface Listed {
  readonly text: string;
  /** Until then somebody may ask for it. */
  readonly untilMs: number;
}

/** What an authority has to give away: consensuses, and what votes and consensuses name. */
export class AuthorityDocuments implements DirectoryDocuments {
  readonly #certificates: KnownCertificates;
  readonly #registry: DescriptorRegistry;
  readonly #consensuses = new Map<ConsensusFlavor, Consensus>();
  readonly #microdescriptors = new Map<string, Listed>();
  readonly #descriptors = new Map<string, Listed>();
  own: string | undefined;

  constructor(certificates: KnownCertificates, registry: DescriptorRegistry) {
    this.#certificates = certificates;
    this.#registry = registry;
  }

  /** Has these descriptors, and what follows from them, ready until then: a vote names them, and a consensus may. */
  remember(descriptors: Iterable<ServerDescriptor>, untilMs: number): void {
    for (const descriptor of descriptors) {
      for (const method of consensusMethods) {
        const text = microdescriptorOf(descriptor, method);
        if (text !== undefined)
          this.#microdescriptors.set(toHex(sha256(documentBytes(text))), { text, untilMs });
      }
      this.#descriptors.set(toHex(descriptor.digest), { text: descriptor.text, untilMs });
    }
  }

  /** Serves a new consensus, and drops what none names any more. */
  publish(consensuses: readonly Consensus[], wallMs: number): void {
    for (const consensus of consensuses) this.#consensuses.set(consensus.flavor, consensus);
    for (const documents of [this.#microdescriptors, this.#descriptors])
      for (const [digest, { untilMs }] of documents) if (untilMs < wallMs) documents.delete(digest);
  }

  consensus(flavor: ConsensusFlavor): Consensus | undefined {
    return this.#consensuses.get(flavor);
  }

  certificates(): readonly AuthorityCertificate[] {
    return this.#certificates.all;
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
