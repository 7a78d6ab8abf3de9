import { sizedBytes, struct, u8, u32, u64 } from '../base/struct.ts';

/** What account holders ask of a broker's till, as bodies of their requests; scheme 0 in the party port. */

export const tillScheme = 0;

export const tillOperation = { balance: 1, address: 2, withdraw: 3 } as const;

export const plainBody = struct({ operation: u8 });

export const withdrawBody = struct({ operation: u8, sat: u64, script: sizedBytes(u8, 83) });

/** Below 0 a balance is what the account owes. */
export const balanceReply = struct({ heldMsat: u64, owedMsat: u64, waitingSat: u64, confirmations: u32 });

/** Text of the address that pays into the account. */
export const addressReply = struct({ address: sizedBytes(u8) });

export const withdrawReply = struct({ txid: sizedBytes(u8, 32), feeSat: u64 });
