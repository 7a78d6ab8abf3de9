import { contractDescriptor, walletDescriptor } from '../../bitcoin/descriptor.ts';
import type { Entropy, StoreWrite } from '../../ports.ts';
import { type Records, type Role, readChannels, roles } from './channel-record.ts';
import { channelKeyRoot, readSeed, seedWrite, walletOf } from './role-keys.ts';

/** What an owner's commands may know of a wallet without the node that uses it, from its records alone. */

/** A script that a node looks for in the chain, or a whole row of them. */
export interface WatchedScript {
  readonly role: Role;
  readonly what: 'wallet' | 'contract';
  /** With its checksum; spec: bip-0380. */
  readonly descriptor: string;
  /** Indexes of the wallet's addresses that are watched, the last one included. */
  readonly range?: readonly [number, number];
}

/** Secrets let whoever has them spend the coins; without, they may only be seen. */
export function watchedScripts(records: Records, withSecrets: boolean): readonly WatchedScript[] {
  return roles.flatMap(role => {
    const seed = readSeed(records, role);
    if (seed === undefined) return [];
    const wallet = walletOf(seed, role, records);
    const descriptor = walletDescriptor(seed, withSecrets);
    const range = [0, wallet.watchedAddresses - 1] as const;
    return [
      { role, what: 'wallet', descriptor, range },
      ...contractScripts(records, role, seed, withSecrets),
    ];
  });
}

function contractScripts(
  records: Records,
  role: Role,
  seed: Uint8Array,
  withSecrets: boolean,
): readonly WatchedScript[] {
  const keyRoot = channelKeyRoot(seed, role);
  return readChannels(records, role).flatMap(({ record }) => {
    if (record === undefined) return [];
    const own = { of: role, bytes: keyRoot.named(record.keyName).secret };
    const secret = withSecrets ? own : undefined;
    return [{ role, what: 'contract', descriptor: contractDescriptor({ ...record.terms, secret }) } as const];
  });
}

/** True where a payer's wallet is kept. */
export function hasWallet(records: Records): boolean {
  return readSeed(records, 'payer') !== undefined;
}

/** A payer's wallet that is in no store yet: its first address, and the records that are to be stored for it. */
export function newWallet(entropy: Entropy): {
  readonly address: string;
  readonly writes: readonly StoreWrite[];
} {
  const seed = entropy.bytes(32);
  const { address, writes } = walletOf(seed, 'payer', { get: () => undefined, list: () => [] }).takeAddress();
  return { address, writes: [seedWrite('payer', seed), ...writes] };
}
