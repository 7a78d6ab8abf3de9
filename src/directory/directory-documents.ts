import type { AuthorityCertificate } from './authority-certificate.ts';
import type { Consensus } from './consensus.ts';
import type { ConsensusFlavor } from './consensus-entry.ts';

/** The documents that a mirror or an authority has to give away; keys are lower-case hex. */
export interface DirectoryDocuments {
  consensus(flavor: ConsensusFlavor): Consensus | undefined;
  certificates(): readonly AuthorityCertificate[];
  /** By SHA-256. */
  microdescriptor(digest: string): string | undefined;
  /** By SHA-1. */
  descriptor(digest: string): string | undefined;
  /** The latest of a relay, by its RSA identity. */
  descriptorOf(rsaId: string): string | undefined;
  descriptors(): Iterable<string>;
  /** This node's own server descriptor. */
  ownDescriptor(): string | undefined;
}
