import { Transaction } from 'bitcoinjs-lib';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Bitcoind, startBitcoind } from '../../regtest/bitcoind.ts';
import type { RpcFault } from '../../regtest/bitcoind-rpc.ts';
import { openFunds } from '../../regtest/funds.ts';
import { dustSatOf } from './output-scripts.ts';

let bitcoind: Bitcoind;

beforeAll(async () => {
  bitcoind = await startBitcoind();
  await openFunds(bitcoind);
});
afterAll(() => bitcoind.stop());

/** Why bitcoind does not take a transaction with such an output; undefined when it does. */
async function refusal(script: Uint8Array, valueSat: bigint): Promise<string | undefined> {
  const wallet = bitcoind.walletRpc('faucet');
  const transaction = new Transaction();
  transaction.version = 2;
  transaction.addOutput(script, valueSat);
  // Without inputs a serialization reads as one with a witness: told that it is none.
  const funded = wallet<{ hex: string }>('fundrawtransaction', transaction.toHex(), {}, false);
  const { hex } = await funded.catch((fault: RpcFault) => ({ hex: fault.message }));
  if (hex.includes(' ')) return hex;
  const signed = await wallet<{ hex: string }>('signrawtransactionwithwallet', hex);
  const [judged] = await bitcoind.rpc<{ allowed: boolean; 'reject-reason'?: string }[]>('testmempoolaccept', [
    signed.hex,
  ]);
  return judged.allowed ? undefined : judged['reject-reason'];
}

const seven = (length: number): number[] => Array(length).fill(7);

it.each([
  ['P2WPKH', [0, 20, ...seven(20)]],
  ['P2WSH', [0, 32, ...seven(32)]],
  ['P2TR', [0x51, 32, ...seven(32)]],
  ['P2SH', [0xa9, 20, ...seven(20), 0x87]],
  ['P2PKH', [0x76, 0xa9, 20, ...seven(20), 0x88, 0xac]],
])('%s is relayed from that sum on', async (_, bytes) => {
  const script = Uint8Array.from(bytes);
  const leastSat = dustSatOf(script) as bigint;
  expect(await refusal(script, leastSat)).toBeUndefined();
  expect(await refusal(script, leastSat - 1n)).toMatch(/too small/);
});

it.each([[[0x51]], [[0x76, 0xa9, 20, ...seven(20), 0x88]], [[0xa9, 20, ...seven(20), 0x88]]])(
  'what is no such script is not relayed: %j',
  async bytes => {
    const script = Uint8Array.from(bytes);
    expect(dustSatOf(script)).toBeUndefined();
    expect(await refusal(script, 100_000n)).toMatch(/scriptpubkey/);
  },
);
