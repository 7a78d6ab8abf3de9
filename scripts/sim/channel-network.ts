import { assert } from '../../src/base/assert.ts';
import { toHex } from '../../src/base/bytes.ts';
import type { ContractVariant } from '../../src/bitcoin/contract-tx.ts';
import { anchorSat } from '../../src/bitcoin/payment-tx.ts';
import type { Wallet } from '../../src/bitcoin/wallet.ts';
import { type BitcoinChannelScheme, bitcoinChannel } from '../../src/schemes/bitcoin-channel/index.ts';
import type { Finding } from './checkers.ts';
import { PaidNetwork, type PaidNetworkOptions } from './paid-network.ts';

/** A paid network's options, with those of the channels in place of a scheme. */
export type ChannelNetworkOptions = Omit<PaidNetworkOptions, 'schemeFor'> & {
  readonly variant?: ContractVariant;
  /** Between blocks. */
  readonly blockMs?: number;
};

/** What each client owns at first: a coin for each hop of a circuit, and one more. */
const coinSat = 1_000_000n;
const coinsPerClient = 4;

/** A paid network whose circuits are paid by Bitcoin channels, and the chain that they settle on. */
export class ChannelNetwork extends PaidNetwork {
  /** By index of client and relay; a node that starts again has a new one. */
  readonly payers: readonly BitcoinChannelScheme[];
  readonly payees: readonly BitcoinChannelScheme[];

  constructor(options: ChannelNetworkOptions) {
    const { variant = 'spillman', blockMs = 10_000 } = options;
    const schemes: Record<'payer' | 'payee', BitcoinChannelScheme[]> = { payer: [], payee: [] };
    super({
      ...options,
      schemeFor: (role, index) => {
        const scheme = bitcoinChannel({ network: 'regtest', variant });
        schemes[role][index] = scheme;
        return scheme;
      },
    });
    this.payers = schemes.payer;
    this.payees = schemes.payee;
    const mine = (): void => {
      this.chain.mine();
      this.world.after(blockMs * 1_000, mine);
    };
    this.world.after(blockMs * 1_000, mine);
  }

  /** Gives each client its coins, each with its own address, in blocks. */
  fund(): void {
    for (let coin = 0; coin < coinsPerClient; coin++) {
      for (const { index, machine } of this.clients) {
        const wallet = walletOf(this.payers[index], 'payer');
        this.chain.issue(
          machine.host.node.turn(() => wallet.address.script),
          coinSat,
        );
      }
      this.chain.mine();
      this.world.runFor(1_000);
    }
  }

  /** Mines until all that was paid is in the payees' wallets, deep enough to be final. */
  settle(blocks = 30): void {
    for (let i = 0; i < blocks; i++) {
      this.chain.mine();
      this.world.runFor(1_000);
    }
  }

  /**
   * After settlement each relay has on chain at least what it gave receipts for and at most what was sent to it, and
   * together with the clients' wallets that is all there is.
   */
  checkSettlement(): Finding[] {
    const { audit, chain, relays, payers, payees } = this;
    const findings: Finding[] = [];
    let ownedSat = payers.reduce((sum, each) => sum + walletOf(each, 'payer').balance.confirmedSat, 0n);
    for (const { index, core, keys } of relays) {
      const identity = toHex(keys.identity.publicKey);
      const earnedSat = walletOf(payees[index], 'payee').balance.confirmedSat;
      const receiptedMsat = audit.receiptedMsat.get(identity) ?? 0n;
      const sentMsat = audit.sentMsat.get(identity) ?? 0n;
      ownedSat += earnedSat;
      if (earnedSat * 1_000n < receiptedMsat || earnedSat * 1_000n > sentMsat) {
        const range = `${receiptedMsat} msat receipted and ${sentMsat} sent`;
        findings.push(`${core.settings.nickname} owns ${earnedSat} sat, with ${range}`);
      }
    }
    // What is in no wallet are anchors: one of each settlement.
    const anchorsSat = chain.unspentSat() - ownedSat;
    if (anchorsSat < 0n || anchorsSat % anchorSat !== 0n) {
      findings.push(`wallets own ${ownedSat} of ${chain.unspentSat()} sat that are unspent`);
    }
    return findings;
  }
}

function walletOf(scheme: BitcoinChannelScheme, role: 'payer' | 'payee'): Wallet {
  const wallet = scheme.desk.wallet(role);
  assert(wallet !== undefined, 'a scheme in use has a wallet');
  return wallet;
}
