import { Transaction } from 'bitcoinjs-lib';
import { signCoinInput } from '../src/bitcoin/spend-coin.ts';
import type { ChannelLab } from './channel-lab.fixture.ts';

/** What a payer makes of its own share: as large as a child of version 3 may be, and cheap for its size. */
export function pinOf(lab: ChannelLab, settlement: Transaction): Transaction {
  const [, share] = settlement.outs;
  const key = lab.payerScheme.desk.wallet('payer')!.keyOf(share.script)!;
  const coin = { outpoint: { txid: settlement.getHash(), index: 1 }, valueSat: share.value, key };
  const pin = new Transaction();
  pin.version = 3;
  pin.addInput(coin.outpoint.txid, coin.outpoint.index, 0xfffffffd);
  const script = (filled: number) => Uint8Array.of(0, 20, ...new Uint8Array(20).fill(filled));
  for (let output = 0; output < 28; output++) pin.addOutput(script(output), 300n);
  pin.addOutput(script(99), share.value - 28n * 300n - 15_000n);
  signCoinInput(pin, 0, coin);
  return pin;
}
