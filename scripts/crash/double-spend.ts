import { bitcoinOf, satoshiOf } from '../../regtest/bitcoind-rpc.ts';
import { fromHex } from '../../src/base/bytes.ts';
import { secretToWif } from '../../src/bitcoin/keys.ts';
import { readFileStore } from '../../src/node-io/file-store.ts';
import { readSeed, walletOf } from '../../src/schemes/bitcoin-channel/role-keys.ts';
import type { CrashLab } from './crash-lab.ts';

const feeSat = 20_000n;

interface Contract {
  readonly vin: readonly { readonly txid: string; readonly vout: number }[];
}
interface Output {
  readonly value: number;
  readonly scriptPubKey: { readonly hex: string };
}

/** A signed transaction (hex) by which the client pays itself the coins that a contract of its own spends. */
export async function doubleSpend(lab: CrashLab, contractTxid: string): Promise<string> {
  const { rpc } = lab.chain;
  const { vin } = await rpc<Contract>('getrawtransaction', contractTxid, 1);
  const spent = await Promise.all(
    vin.map(async ({ txid, vout }) => {
      const { vout: outputs } = await rpc<{ vout: readonly Output[] }>('getrawtransaction', txid, 1);
      const { value, scriptPubKey } = outputs[vout];
      return { txid, vout, amount: value, scriptPubKey: scriptPubKey.hex };
    }),
  );
  const records = readFileStore(lab.client.dataDir);
  const seed = readSeed(records, 'payer');
  if (seed === undefined) throw new Error('the client has no wallet');
  const wallet = walletOf(seed, 'payer', records);
  const { address } = wallet.address;
  await records.close();
  const keys = spent.map(({ scriptPubKey }) => {
    const key = wallet.keyOf(fromHex(scriptPubKey) ?? new Uint8Array(0));
    if (key === undefined) throw new Error("a coin of the contract is not the wallet's");
    return secretToWif(key.secret);
  });
  const sat = spent.reduce((sum, { amount }) => sum + satoshiOf(amount), 0n) - feeSat;
  const inputs = spent.map(({ txid, vout }) => ({ txid, vout }));
  const raw = await rpc<string>('createrawtransaction', inputs, [{ [address]: bitcoinOf(sat) }]);
  const signed = await rpc<{ hex: string; complete: boolean }>('signrawtransactionwithkey', raw, keys, spent);
  if (!signed.complete) throw new Error('the double spend cannot be signed');
  return signed.hex;
}
