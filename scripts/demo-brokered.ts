import { join } from 'node:path';
import type { HopReport } from '../client/circuit-report.ts';
import { satText } from '../client/command-output.ts';
import { sumOf } from '../src/payment/scheme.ts';
import type { BrokerAudit } from './broker-commands.ts';
import { demoHeadings } from './demo-accounts.ts';
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

/**
 * The table of the demo. What a client locks up is for all relays together; no payment or redemption costs a fee on
 * the chain.
 */
export function brokeredLines(
  accounts: readonly BrokeredAccount[],
  { books }: Pick<BrokerAudit['ledger'], 'books'>,
  outstandingMsat: BrokerAudit['outstandingMsat'],
): string[] {
  const sum = (of: (account: BrokeredAccount) => bigint) => sumOf(accounts.map(of));
  const rows = accounts.map(each => [
    each.relay,
    grouped(each.cells),
    each.price,
    satText(each.paidMsat),
    satText(each.earnedMsat),
    String(each.payments),
    '',
    '0',
    '',
  ]);
  const sold = [...books.schemes.values()];
  const [issued, deposited] = [
    sumOf(sold.map(each => each.issuedMsat)),
    sumOf(sold.map(each => each.depositedMsat)),
  ];
  const earned = sum(each => each.earnedMsat);
  rows.push([
    'sum',
    grouped(accounts.reduce((total, each) => total + each.cells, 0)),
    '',
    satText(sum(each => each.paidMsat)),
    satText(earned),
    String(accounts.reduce((total, each) => total + each.payments, 0)),
    satText(deposited - earned),
    '0',
    satText(issued),
  ]);
  const unspent = sumOf([...outstandingMsat.values()]);
  return [
    ...table(demoHeadings, rows),
    '',
    `Locked is what the client paid in ahead; ${satText(unspent)} sat of it are still its own, to spend or to get back.`,
  ];
}
