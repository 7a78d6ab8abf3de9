import { join } from 'node:path';
import type { HopReport } from '../client/circuit-report.ts';
import { accountOf, withBroker } from './network-broker.ts';
import type { NetworkState } from './network-state.ts';
import { grouped, table } from './terminal.ts';

/** One relay's line of the demo: the client's word beside the broker's. */
export interface BrokeredAccount {
  readonly relay: string;
  readonly price: string;
  /** Cells that the client counted at this hop. */
  readonly cells: number;
  readonly payments: number;
  readonly paidMsat: bigint;
  /** What the relay's account holds at the broker, which began with nothing. */
  readonly earnedMsat: bigint;
}

/** What the broker has in the account of each relay of a circuit. */
export async function brokeredAccounts(
  { broker, nodes }: Pick<NetworkState, 'broker' | 'nodes'>,
  hops: readonly HopReport[],
): Promise<BrokeredAccount[]> {
  return withBroker(broker?.address ?? '', asked =>
    Promise.all(
      hops.map(async ({ relay, cells, payments, paidMsat, priceMsat }) => {
        const dataDir = nodes.find(({ name }) => name === relay)?.dataDir ?? '';
        const { msat } = await asked.balance(accountOf(join(dataDir)));
        const price = `${grouped((priceMsat * 2n) / 1_000n)} sat/GiB`;
        return { relay, price, cells, payments, paidMsat, earnedMsat: msat };
      }),
    ),
  );
}

/** What does not agree between the client's word and the broker's; empty when all sums are equal. */
export function brokeredDisagreements(accounts: readonly BrokeredAccount[]): string[] {
  return accounts
    .filter(({ paidMsat, earnedMsat }) => paidMsat !== earnedMsat)
    .map(
      ({ relay, paidMsat, earnedMsat }) =>
        `${relay}: the client says it paid ${paidMsat} msat, the broker has ${earnedMsat} msat in its account`,
    );
}

export function brokeredLines(accounts: readonly BrokeredAccount[]): string[] {
  const sum = (of: (account: BrokeredAccount) => bigint) =>
    grouped(accounts.reduce((total, each) => total + of(each), 0n));
  const rows = accounts.map(each => [
    each.relay,
    grouped(each.cells),
    each.price,
    grouped(each.paidMsat),
    grouped(each.earnedMsat),
    String(each.payments),
  ]);
  const cells = grouped(accounts.reduce((total, each) => total + each.cells, 0));
  const payments = String(accounts.reduce((total, each) => total + each.payments, 0));
  rows.push(['sum', cells, '', sum(each => each.paidMsat), sum(each => each.earnedMsat), payments]);
  return table(['relay', 'cells', 'price', 'paid msat', 'earned msat', 'payments'], rows);
}
