import { Transaction } from 'bitcoinjs-lib';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { BrokenInvariant } from '../base/assert.ts';
import { childTransaction } from './child-tx.ts';
import { contractOutputScript } from './contract-tx.ts';
import { HdKey } from './keys.ts';
import { assertContractScript, assertKeyScript } from './second-look.ts';
import { keyOutputScript } from './spend-coin.ts';
import { sweepTransaction } from './sweep-tx.ts';

const root = HdKey.fromSeed(new Uint8Array(32).fill(7));
const [payer, payee, thief] = [0, 1, 2].map(index => root.child(index).keyPair());
const own = keyOutputScript(payer.publicKey);
const thiefs = keyOutputScript(thief.publicKey);
const outpoint = { txid: new Uint8Array(32).fill(1), index: 0 };
const coin = { outpoint, valueSat: 50_000n, key: payer };
const terms = { payerKey: payer.publicKey, payeeKey: payee.publicKey, refundHeight: 200 };

/** The library, after somebody got at it, pays another address. */
function swapOutputs(): void {
  const add = Transaction.prototype.addOutput;
  vi.spyOn(Transaction.prototype, 'addOutput').mockImplementation(function (
    this: Transaction,
    _script,
    value,
  ) {
    return add.call(this, thiefs, value);
  });
}

afterEach(() => {
  vi.restoreAllMocks();
});

describe('a library that was tampered with', () => {
  const sweep = () => sweepTransaction([coin, coin], own, 1_000n);
  const bump = { parentVsize: 182n, parentFeeSat: 364n, satPerKvb: 5_000n, feeSatMin: 0n };
  const child = () => childTransaction({ ...bump, anchor: outpoint, coin, changeScript: own });

  it.each([
    ['a sweep', sweep],
    ['a child', child],
  ])('cannot have %s pay another address', (_name, make) => {
    expect(make()?.outs.map(({ script }) => script)).toEqual([own]);
    swapOutputs();
    expect(make).toThrow(BrokenInvariant);
  });

  it('cannot add an output, nor change an amount', () => {
    const write = Transaction.prototype.toBuffer;
    const tamper = (change: (copy: Transaction) => void) =>
      vi.spyOn(Transaction.prototype, 'toBuffer').mockImplementation(function (this: Transaction) {
        const copy = this.clone();
        change(copy);
        return write.call(copy);
      });
    tamper(copy => copy.addOutput(thiefs, 1_000n));
    expect(sweep).toThrow(BrokenInvariant);
    vi.restoreAllMocks();
    tamper(copy => {
      copy.outs[0].value -= 1n;
    });
    expect(sweep).toThrow(BrokenInvariant);
  });

  it('cannot make an address of another key', () => {
    expect(() => assertKeyScript(thiefs, payer.publicKey)).toThrow(BrokenInvariant);
  });

  it.each(['spillman', 'cltv'] as const)('makes the contract that is made by hand: %s', variant => {
    for (const refundHeight of [1, 16, 17, 127, 128, 255, 256, 32_767, 32_768, 8_388_608, 499_999_999])
      expect(contractOutputScript({ ...terms, variant, refundHeight })).toHaveLength(34);
    const stolen = contractOutputScript({ ...terms, variant, payeeKey: thief.publicKey });
    expect(() => assertContractScript(stolen, { ...terms, variant })).toThrow(BrokenInvariant);
  });
});
