import { toHex } from '../../src/base/bytes.ts';
import { freeCells, relayBodyBytesMax } from '../../src/base/limits.ts';
import type { CellBalance } from '../../src/payment/cell-balance.ts';
import { cellsFor } from '../../src/payment/price.ts';
import type { AuditedCircuit } from './audit.ts';
import type { PaidNetwork } from './paid-network.ts';

/** A rule that does not hold, in words. */
export type Finding = string;

function granted(balance: CellBalance): number {
  return Number(cellsFor(balance.creditedMsat, balance.price));
}

/** Cells that the relay has taken from a balance. */
function debited(balance: CellBalance): number {
  return freeCells + granted(balance) - balance.balance;
}

/**
 * Cells forwarded are cells debited. Each RELAY cell that a relay takes in or sends on passes the side where the
 * circuit came from, once; so what was seen there is what the balance must have lost. To be asked while circuits are open
 * and nothing is under way. Circuits on which nothing was paid may have carried directory cells, which cost nothing.
 */
export function checkDebits({ audit, relays }: PaidNetwork): Finding[] {
  const alive = new Set(relays.flatMap(({ core }) => [...core.circuits].map(({ previous }) => previous)));
  const findings: Finding[] = [];
  for (const circuit of audit.circuits) {
    const { relay, balance, seen, previous } = circuit;
    if (!balance.metered || seen === undefined) continue;
    const cells = seen.relayIn + seen.relayOut;
    const open = alive.has(previous);
    if (open && balance.paid && cells !== debited(balance)) {
      findings.push(`${relay}: an open circuit carried ${cells} cells and was debited ${debited(balance)}`);
    }
    if (balance.paid && seen.relayOut > debited(balance)) {
      findings.push(`${relay}: ${seen.relayOut} cells went back to a client for ${debited(balance)} debited`);
    }
    if (open && debited(balance) > cells) {
      findings.push(`${relay}: a circuit was debited ${debited(balance)} cells for the ${cells} it carried`);
    }
  }
  return findings;
}

/** Free cells never serve an exit: what an exit fetched fits into the cells that were bought there. */
export function checkExits({ audit, relays, web }: PaidNetwork): Finding[] {
  const findings: Finding[] = [];
  for (const { core, machine } of relays) {
    const { nickname } = core.settings;
    const own = audit.circuits.filter(({ relay, balance }) => relay === nickname && balance.metered);
    if (own.length === 0) continue;
    const bought = own.reduce((sum, { balance }) => sum + granted(balance), 0);
    const fetched = web.servedTo.get(machine.host.ip) ?? 0;
    if (fetched > bought * relayBodyBytesMax) {
      findings.push(`${nickname} fetched ${fetched} bytes for ${bought} paid cells`);
    }
  }
  return findings;
}

/** Credit is never above what was redeemed, and that never above what payers sent. */
export function checkCredit({ audit, relays }: PaidNetwork): Finding[] {
  const findings: Finding[] = [];
  for (const { core, keys } of relays) {
    const identity = toHex(keys.identity.publicKey);
    const { nickname } = core.settings;
    const credited = sumCredit(audit.circuits.filter(({ relay }) => relay === nickname));
    const redeemed = audit.redeemedMsat.get(identity) ?? 0n;
    const sent = audit.sentMsat.get(identity) ?? 0n;
    if (credited > redeemed) findings.push(`${nickname} credited ${credited} msat of ${redeemed} redeemed`);
    if (redeemed > sent) findings.push(`${nickname} redeemed ${redeemed} msat of ${sent} sent`);
  }
  return findings;
}

/** Every satoshi that was issued is in an unspent output or was taken by a miner. */
export function checkCoins({ chain }: PaidNetwork): Finding[] {
  const [unspent, fees, issued] = [chain.unspentSat(), chain.feesSat(), chain.issuedSat()];
  return unspent + fees === issued ? [] : [`${issued} sat issued, ${unspent} unspent, ${fees} in fees`];
}

/** After all clients have stopped nothing is left of their circuits. */
export function checkEnds({ relays }: PaidNetwork): Finding[] {
  return relays.flatMap(({ core }) =>
    core.circuits.size === 0 ? [] : [`${core.settings.nickname} keeps ${core.circuits.size} circuits`],
  );
}

/** All rules that hold at any time when nothing is under way. */
export function checkMoney(network: PaidNetwork): Finding[] {
  return [...checkDebits(network), ...checkExits(network), ...checkCredit(network), ...checkCoins(network)];
}

function sumCredit(circuits: readonly AuditedCircuit[]): bigint {
  return circuits.reduce((sum, { balance }) => sum + balance.creditedMsat, 0n);
}
