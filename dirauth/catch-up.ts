import {
  type AuthorityCertificate,
  parseAuthorityCertificate,
  splitCertificates,
} from '../src/directory/authority-certificate.ts';
import { type Consensus, parseConsensus } from '../src/directory/consensus.ts';
import type { DirectoryAuthority } from '../src/directory/directory-authority.ts';
import type { Peers } from './peers.ts';
import type { ConsensusPair } from './voting-round.ts';

export interface CatchUpHost {
  addCertificate(certificate: AuthorityCertificate): void;
  /** Takes the consensus if most authorities signed it, and it is newer than ours. */
  take(consensus: ConsensusPair, from: DirectoryAuthority): void;
}

/** Certificates in one answer. */
const certificatesMax = 32;

/**
 * Fetches the consensus that the others have made without us: while we were down, or when we knew other votes than they.
 * Asks each of them, since some may be no further than we are.
 */
export class CatchUp {
  readonly #peers: Peers;
  readonly #host: CatchUpHost;

  constructor(peers: Peers, host: CatchUpHost) {
    this.#peers = peers;
    this.#host = host;
  }

  start(): void {
    for (const peer of this.#peers.all)
      this.#peers.get(peer, '/tor/keys/all.z', text => {
        for (const piece of splitCertificates(text, certificatesMax)) {
          const parsed = parseAuthorityCertificate(piece);
          if (parsed.ok) this.#host.addCertificate(parsed.value);
        }
        this.#fetch(peer);
      });
  }

  /** One flavour after the other; a consensus that is made in between is fetched the next time. */
  #fetch(peer: DirectoryAuthority): void {
    const path = '/tor/status-vote/current/consensus';
    this.#get(peer, `${path}.z`, ns =>
      this.#get(peer, `${path}-microdesc.z`, microdesc => {
        const ofOne = ns.flavor === 'ns' && microdesc.flavor === 'microdesc';
        if (ofOne && ns.validAfterMs === microdesc.validAfterMs) this.#host.take({ ns, microdesc }, peer);
      }),
    );
  }

  #get(peer: DirectoryAuthority, path: string, take: (consensus: Consensus) => void): void {
    this.#peers.get(peer, path, text => {
      const parsed = parseConsensus(text);
      if (parsed.ok) take(parsed.value);
    });
  }
}
