import type { SigningKey } from '../crypto/ecdsa.ts';
import type { Clock, Entropy, Observer, StorePort, StoreWrite } from '../ports.ts';
import type { CheatProof } from './proof.ts';
import type { Served, Value } from './scheme.ts';

/** An account at a broker: its public key, 33 bytes. */
export type AccountKey = Uint8Array;

/**
 * What a broker holds for others, and what it has issued. Money only moves between accounts, and between an account and
 * a scheme's e-coins; it comes and goes by Bitcoin transactions alone. Each change gives the records to persist.
 */
export interface Accounts {
  /** Undefined: there is no such account. */
  balanceMsat(account: AccountKey): Value | undefined;
  /** An account's money becomes e-coins of a scheme. Undefined: it has not as much. */
  issue(scheme: number, account: AccountKey, msat: Value): readonly StoreWrite[] | undefined;
  /** E-coins of a scheme become an account's money; the account is opened if it is new. */
  deposit(scheme: number, account: AccountKey, msat: Value): readonly StoreWrite[];
  /**
   * Demands a sum for `to`, or else for the broker's own account: what the account has, and the rest, which it owes, of what it
   * gets later. Others are paid before the broker.
   */
  charge(account: AccountKey, msat: Value, to?: AccountKey): readonly StoreWrite[];
}

/** All that a scheme's broker side sees. */
export interface BrokerHost {
  readonly clock: Clock;
  readonly entropy: Entropy;
  /** For reading at the start: what changes is returned to be persisted. */
  readonly store: Pick<StorePort, 'get' | 'list'>;
  readonly observer: Observer;
  /** The broker's own key, under which it issues. */
  readonly key: SigningKey;
  readonly accounts: Accounts;
  /** The most that is ever lent to an account, by its operator's decision; 0 to strangers. */
  lendsMsat(account: AccountKey): Value;
  /**
   * Serves an account's request (accountRequest) once: checks its signature, answers one that comes again as the first time, and else
   * runs `serve` and keeps its reply with it.
   */
  once(request: Uint8Array, serve: (account: AccountKey, body: Uint8Array) => Served): Served;
  /** Keeps a proof for whoever asks the broker for its evidence. */
  file(proof: CheatProof): readonly StoreWrite[];
}

/** The broker's side of one scheme. */
export interface BrokerSide {
  /** Never throws for what somebody sent. */
  serve(request: Uint8Array): Served;
  /** Value of all that was issued and not deposited, counted from the scheme's own records. */
  outstandingMsat(): Value;
  /** Each second: what has expired, which epoch begins. */
  onTick?(): readonly StoreWrite[];
}
