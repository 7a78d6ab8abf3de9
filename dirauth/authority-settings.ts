import type { DirectoryAuthority } from '../src/directory/directory-authority.ts';
import type { FlagRules } from '../src/directory/flag-rules.ts';
import type { LinkProtocol } from '../src/link/link-faults.ts';
import type { VoteSchedule } from './vote-clock.ts';

/** What an authority's configuration comes down to; its torrc is read in config.ts. */
export interface AuthoritySettings {
  readonly nickname: string;
  readonly contact: string | undefined;
  /** `naulon 0.1.0 on Node` */
  readonly platform: string;
  /** IPv4 text that others reach it by. */
  readonly address: string;
  readonly orPort: number;
  readonly dirPort: number;
  /** Take relays at private addresses, publish changes at once. */
  readonly lab: boolean;
  /** Every relay with a recent descriptor runs; otherwise it must answer a link handshake. */
  readonly assumeReachable: boolean;
  /** All that vote on the consensus, this one among them; empty: this one alone. */
  readonly authorities: readonly DirectoryAuthority[];
  readonly schedule: VoteSchedule;
  readonly params: ReadonlyMap<string, number>;
  readonly flagRules: FlagRules;
  readonly protocols: readonly LinkProtocol[];
}
