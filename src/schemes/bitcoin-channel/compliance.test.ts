import { Wallet } from '../../bitcoin/wallet.ts';
import { Ed25519Key } from '../../crypto/ed25519.ts';
import { type SchemeWorld, type SideName, schemeCompliance } from '../../payment/compliance.ts';
import { SimChain } from '../../sim/sim-chain.ts';
import { SimProcess } from '../../sim/sim-process.ts';
import { World } from '../../sim/world.ts';
import { rolePrefix } from './channel-record.ts';
import { bitcoinChannel, readLedger } from './index.ts';
import type { BitcoinChannelOptions } from './options.ts';

const identity = new Ed25519Key(new Uint8Array(32).fill(7));
const coinSat = 100_000_000n;
const coins = 12;

/** A payer with coins in many blocks, a payee, and the simulated chain. */
async function channelWorld(variant: 'spillman' | 'cltv'): Promise<SchemeWorld> {
  const world = new World({ seed: `compliance ${variant}` });
  const chain = new SimChain();
  const seed = new Uint8Array(32).fill(9);
  const options: Readonly<Record<SideName, BitcoinChannelOptions>> = {
    payer: { network: 'regtest', variant, seed },
    payee: { network: 'regtest', variant },
  };
  const empty = { get: () => undefined, list: () => [], commit: () => {} };
  const { script } = new Wallet({ seed, prefix: `${rolePrefix('payer')}wallet/` }, empty).address;
  for (let coin = 0; coin < coins; coin++) {
    chain.issue(script, coinSat);
    chain.mine();
  }
  const [payer, payee] = ['payer', 'payee'].map(name => SimProcess.start(world, name, chain));
  const settle = async (): Promise<void> => void world.runUntilIdle();
  const mine = async (): Promise<void> => {
    world.runUntilIdle();
    chain.mine();
    world.runUntilIdle();
  };
  const paidMsat = (process: SimProcess, side: SideName): bigint => {
    const { rows } = process.turn(() => readLedger(process.store, 'regtest'));
    return rows.filter(({ role }) => role === side).reduce((sum, row) => sum + row.paidSat * 1_000n, 0n);
  };
  return {
    payer,
    payee,
    signer: { ed25519: identity.publicKey, sign: message => identity.sign(message) },
    scheme: side => bitcoinChannel(options[side]),
    settle,
    mine,
    firstMsat: 634_000n,
    budgetMsat: 20_000_000n,
    beyondMsat: coinSat * 1_000n * BigInt(coins + 1),
    held: () => paidMsat(payee, 'payee'),
    parted: () => paidMsat(payer, 'payer'),
    breakChain: broken => {
      payer.chain.reach(!broken);
      payee.chain.reach(!broken);
    },
  };
}

schemeCompliance('bitcoin-channel, spillman', () => channelWorld('spillman'));
schemeCompliance('bitcoin-channel, cltv', () => channelWorld('cltv'));
