import { exitCode, OperatorError } from '../../base/fault.ts';
import { HdKey, harden } from '../../bitcoin/keys.ts';
import { Wallet } from '../../bitcoin/wallet.ts';
import type { StoreWrite } from '../../ports.ts';
import { type Records, type Role, rolePrefix } from './channel-record.ts';

/** Branches below the seed: 84' is the wallet's (BIP84), these are the channels'. */
const channelBranches = { payer: harden(7_001), payee: harden(7_002) } as const;

const seedBytes = 32;

/**
 * 32 secret bytes from which all keys of a role follow; undefined: the store has no wallet of that role.
 * @throws OperatorError for a record that is no seed.
 */
export function readSeed(records: Pick<Records, 'get'>, role: Role): Uint8Array | undefined {
  const seed = records.get(seedKey(role))?.slice();
  if (seed === undefined || seed.length === seedBytes) return seed;
  throw new OperatorError('STORE_UNUSABLE', `the record of the ${role}'s seed is damaged`, exitCode.missing);
}

export function seedWrite(role: Role, seed: Uint8Array): StoreWrite {
  return { key: seedKey(role), value: seed };
}

/** The node whose named children are the channels' keys. */
export function channelKeyRoot(seed: Uint8Array, role: Role): HdKey {
  return HdKey.fromSeed(seed).child(channelBranches[role]);
}

export function walletOf(seed: Uint8Array, role: Role, records: Records, birthHeight = 0): Wallet {
  return new Wallet({ seed, prefix: `${rolePrefix(role)}wallet/`, birthHeight }, records);
}

function seedKey(role: Role): string {
  return `${rolePrefix(role)}seed`;
}
