import { toHex } from '../../../src/base/bytes.ts';
import type { PaymentScheme } from '../../../src/payment/scheme.ts';
import { type BitcoinChannelScheme, bitcoinChannel } from '../../../src/schemes/bitcoin-channel/index.ts';
import type { SeededEntropy } from '../../../src/sim/seeded-entropy.ts';
import type { PaidNetwork } from '../paid-network.ts';
import { ChannelRules } from './channel-rules.ts';
import { type Rival, rivalOf } from './double-spend.ts';
import type { Role, Weather } from './money-rules.ts';
import type { RuleBook } from './rule-book.ts';
import type { SecretRules } from './secret-rules.ts';
import type { TrialMoney } from './trial-money.ts';
import { kindOf, type TrialPlan } from './trial-plan.ts';

const coinsEach = 6;
const channelsPerCoin = 4n;
const reserveSat = 200_000n;

/** Bitcoin channels in a trial: everybody has a wallet. */
export class ChannelMoney implements TrialMoney {
  readonly rules: ChannelRules;
  readonly broker = undefined;
  readonly #plan: TrialPlan;
  readonly #network: () => PaidNetwork;
  /** By role and index; a node that starts again has a new one. */
  readonly #schemes: Record<Role, BitcoinChannelScheme[]> = { payer: [], payee: [] };

  constructor(
    plan: TrialPlan,
    network: () => PaidNetwork,
    book: RuleBook,
    secrets: SecretRules,
    weather: Weather,
  ) {
    this.#plan = plan;
    this.#network = network;
    this.rules = new ChannelRules(book, secrets, () => network().chain, weather);
  }

  scheme(role: Role, index: number): PaymentScheme {
    const { variant, reusePaidChannels } = this.#plan;
    const scheme = bitcoinChannel({ network: 'regtest', variant, reusePaidChannels });
    this.#schemes[role][index] = scheme;
    return scheme;
  }

  /** Coins for the clients, and for the relays what raises the fees of their settlements. */
  endow({ chain, world }: PaidNetwork): void {
    chain.listen(this.rules);
    for (let coin = 0; coin < coinsEach; coin++) {
      this.#issue('payer', channelsPerCoin * this.#plan.channelSat);
      this.#issue('payee', reserveSat);
      chain.mine();
      world.runFor(500);
    }
  }

  refill(): void {
    this.#issue('payer', channelsPerCoin * this.#plan.channelSat);
  }

  #issue(role: Role, sat: bigint): void {
    const { chain, clients, relays } = this.#network();
    for (const { index, machine } of role === 'payer' ? clients : relays) {
      const wallet = this.#schemes[role][index].desk.wallet(role);
      if (wallet !== undefined)
        chain.issue(
          machine.host.node.turn(() => wallet.address.script),
          sat,
        );
    }
  }

  /** A contract that is in a block, of a client that cheats. */
  rival(draw: SeededEntropy): Rival | undefined {
    const { chain, clients } = this.#network();
    const mine = [...this.rules.channels.all].filter(
      ({ payer, terms }) =>
        payer !== undefined &&
        kindOf(this.#plan, payer) === 'spender' &&
        chain.unspent(terms.outpoint) !== undefined,
    );
    if (mine.length === 0) return undefined;
    const { terms, payer = 0 } = draw.pick(mine);
    const seed = clients[payer].machine.store.durable().get('bitcoin-channel/payer/seed');
    return seed && rivalOf(chain, terms.outpoint, seed);
  }

  /** Contracts of which a client has not yet got its money. */
  unfinished(): readonly string[] {
    return (
      [...this.rules.channels.all]
        // The refund of a channel that its payer was put back behind is gone with its record.
        .filter(({ confirmed, putBack }) => confirmed && !putBack.has('payer'))
        .filter(({ terms }) => this.#network().chain.unspent(terms.outpoint) !== undefined)
        .map(
          ({ id, terms }) =>
            `contract ${id.slice(0, 8)} (${toHex(terms.outpoint.txid).slice(0, 8)}) is neither settled nor refunded`,
        )
    );
  }
}
