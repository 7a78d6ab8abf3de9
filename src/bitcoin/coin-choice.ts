import { dustSat } from './payment-tx.ts';

interface Spendable {
  readonly valueSat: bigint;
  readonly height: number | undefined;
  /** Change of our own transaction. */
  readonly own: boolean;
}

/** Which coins pay, what the miner gets and what is left; a left-over below dust went to the miner. */
export interface Choice<C> {
  readonly coins: readonly C[];
  readonly feeSat: bigint;
  readonly changeSat: bigint;
}

/** Virtual bytes of a P2WPKH input, a P2WSH and a P2WPKH output, and the rest, rounded up. */
const inputVsize = 68n;
const contractOutputVsize = 43n;
const changeOutputVsize = 31n;
const overheadVsize = 11n;
const inputsMax = 50;

/**
 * Coins that pay `valueSat` and the fee. Coins that are confirmed come first, one coin before several, and change last: a
 * contract on change shows that it has one owner with the contract before, and on unconfirmed change it hangs on that too.
 */
export function chooseCoins<C extends Spendable>(
  coins: readonly C[],
  valueSat: bigint,
  satPerKvb: bigint,
): Choice<C> | undefined {
  const confirmed = coins.filter(coin => coin.height !== undefined).sort(byValue);
  const unconfirmed = coins.filter(coin => coin.height === undefined).sort(byValue);
  return (
    oneOf(
      confirmed.filter(({ own }) => !own),
      valueSat,
      satPerKvb,
    ) ??
    oneOf(confirmed, valueSat, satPerKvb) ??
    severalOf([...confirmed].reverse(), valueSat, satPerKvb) ??
    oneOf(unconfirmed, valueSat, satPerKvb) ??
    severalOf([...confirmed.reverse(), ...unconfirmed.reverse()], valueSat, satPerKvb)
  );
}

/** What a payment leaves to the miner at the least, whatever coins pay it. */
export function leastFeeSat(satPerKvb: bigint): bigint {
  return feeOf(overheadVsize + contractOutputVsize + inputVsize, satPerKvb);
}

function oneOf<C extends Spendable>(
  ascending: readonly C[],
  valueSat: bigint,
  satPerKvb: bigint,
): Choice<C> | undefined {
  for (const coin of ascending) {
    const choice = settle([coin], valueSat, satPerKvb);
    if (choice !== undefined) return choice;
  }
  return undefined;
}

function severalOf<C extends Spendable>(
  inOrder: readonly C[],
  valueSat: bigint,
  satPerKvb: bigint,
): Choice<C> | undefined {
  for (let count = 2; count <= Math.min(inOrder.length, inputsMax); count++) {
    const choice = settle(inOrder.slice(0, count), valueSat, satPerKvb);
    if (choice !== undefined) return choice;
  }
  return undefined;
}

function settle<C extends Spendable>(
  coins: readonly C[],
  valueSat: bigint,
  satPerKvb: bigint,
): Choice<C> | undefined {
  const total = coins.reduce((sum, coin) => sum + coin.valueSat, 0n);
  const vsize = overheadVsize + contractOutputVsize + inputVsize * BigInt(coins.length);
  const feeSat = feeOf(vsize, satPerKvb);
  const feeWithChangeSat = feeOf(vsize + changeOutputVsize, satPerKvb);
  if (total >= valueSat + feeWithChangeSat + dustSat) {
    return { coins, feeSat: feeWithChangeSat, changeSat: total - valueSat - feeWithChangeSat };
  }
  return total >= valueSat + feeSat ? { coins, feeSat: total - valueSat, changeSat: 0n } : undefined;
}

function feeOf(vsize: bigint, satPerKvb: bigint): bigint {
  return (vsize * satPerKvb + 999n) / 1000n;
}

function byValue(a: Spendable, b: Spendable): number {
  return a.valueSat < b.valueSat ? -1 : a.valueSat > b.valueSat ? 1 : 0;
}
