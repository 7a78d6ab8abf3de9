import type { RpcCall } from '../regtest/bitcoind-rpc.ts';
import { type OutputName, type Settlement, satoshiAt, settlementOf } from './settlement.ts';
import { grouped, table } from './terminal.ts';

/** Columns of what each relay was paid, in satoshi, whichever way it is paid. */
export const demoHeadings = [
  'relay',
  'cells',
  'price',
  'paid',
  'earned',
  'payments',
  'returned',
  'fee+anchor',
  'locked sat',
];

/** What the client says of one hop when the circuit closes. */
export interface HopAccount {
  readonly relay: string;
  readonly price: string;
  /** Cells that the client counted at this hop. */
  readonly cells: number;
  readonly payments: number;
  readonly paidMsat: bigint;
  readonly contract: OutputName;
}

/** One relay's line of the demo: the client's word beside bitcoind's. */
export interface RelayAccount extends HopAccount {
  readonly lockedSat: bigint;
  readonly settlement: Settlement;
  /** What the settlement pays to the relay. */
  readonly earnedSat: bigint;
  /** What it returns to the client. */
  readonly returnedSat: bigint;
  /** What went to the anchor output, which lets either side raise the fee. */
  readonly anchorSat: bigint;
}

/** Output script of pay-to-anchor, which anybody can spend. */
const anchorScript = '51024e73';

/** Reads from the chain what became of a hop's contract; undefined while it is unspent. */
export async function relayAccount(rpc: RpcCall, hop: HopAccount): Promise<RelayAccount | undefined> {
  const settlement = await settlementOf(rpc, hop.contract);
  if (settlement === undefined) return undefined;
  const [first, ...others] = settlement.outputs.filter(({ script }) => script !== anchorScript);
  const sum = (outputs: readonly { sat: bigint }[]) => outputs.reduce((total, { sat }) => total + sat, 0n);
  return {
    ...hop,
    settlement,
    lockedSat: await satoshiAt(rpc, hop.contract),
    earnedSat: first?.sat ?? 0n,
    returnedSat: sum(others),
    anchorSat: sum(settlement.outputs.filter(({ script }) => script === anchorScript)),
  };
}

/** What does not agree between the client's word and the chain; empty when all sums are equal. */
export function disagreements(accounts: readonly RelayAccount[]): string[] {
  const found: string[] = [];
  for (const { relay, paidMsat, earnedSat, lockedSat, returnedSat, anchorSat, settlement } of accounts) {
    if (paidMsat !== earnedSat * 1_000n)
      found.push(`${relay}: the client says it paid ${paidMsat} msat, the chain pays ${earnedSat} sat`);
    if (lockedSat !== earnedSat + returnedSat + anchorSat + settlement.feeSat)
      found.push(`${relay}: the settlement does not add up to the ${lockedSat} sat of its contract`);
  }
  return found;
}

export function accountLines(accounts: readonly RelayAccount[]): string[] {
  const total = (of: (account: RelayAccount) => bigint) =>
    grouped(accounts.reduce((sum, each) => sum + of(each), 0n));
  const rows = accounts.map(each => [
    each.relay,
    grouped(each.cells),
    each.price,
    grouped(each.paidMsat / 1_000n),
    grouped(each.earnedSat),
    String(each.payments),
    grouped(each.returnedSat),
    grouped(each.settlement.feeSat + each.anchorSat),
    grouped(each.lockedSat),
  ]);
  const cells = grouped(accounts.reduce((sum, each) => sum + each.cells, 0));
  const payments = String(accounts.reduce((sum, each) => sum + each.payments, 0));
  rows.push([
    'sum',
    cells,
    '',
    total(each => each.paidMsat / 1_000n),
    total(each => each.earnedSat),
    payments,
    total(each => each.returnedSat),
    total(each => each.settlement.feeSat + each.anchorSat),
    total(each => each.lockedSat),
  ]);
  const transactions = accounts.flatMap(({ relay, contract, settlement }) => [
    [relay, 'contract', contract.txid, ''],
    ['', 'settlement', settlement.txid, `${settlement.confirmations}`],
  ]);
  return [
    ...table(demoHeadings, rows),
    '',
    ...table(['relay', 'transaction', 'id', 'confirmations'], transactions),
  ];
}
