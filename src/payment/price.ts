import { assert } from '../base/assert.ts';
import { fail, ok, type Result } from '../base/fault.ts';

/** Cells that a price is for: 2^20, of 512 bytes, is 512 MiB. */
const cellsPerPrice = 1n << 20n;
/** A GiB is 2^21 cells of 512 bytes. */
const pricesPerGib = 2n;
const msatPerSat = 1000n;
const priceMax = (1n << 64n) - 1n;

/** Millisatoshi for 2^20 cells. */
export type Price = bigint;

/** All cells that `msat` in all has bought: rounded down once, never payment by payment. */
export function cellsFor(msat: bigint, price: Price): bigint {
  assert(msat >= 0n && price > 0n, 'value and price are positive');
  return (msat * cellsPerPrice) / price;
}

/** The least value that buys so many cells in all. */
export function msatFor(cells: bigint, price: Price): bigint {
  assert(cells >= 0n && price > 0n, 'cells and price are positive');
  return (cells * price + cellsPerPrice - 1n) / cellsPerPrice;
}

/**
 * Reads what people write: `100000 sat/GiB`, `0.5 sat/GiB`, `2 msat/cell`, or `0` for what is free. Refuses what is no whole number of
 * millisatoshi for 2^20 cells, so that the price charged is the price written.
 */
export function parsePrice(text: string): Result<Price, { code: 'PRICE_MALFORMED'; detail?: string }> {
  if (text.trim() === '0') return ok(0n);
  const match = /^\s*(\d{1,20})(?:\.(\d{1,6}))?\s*(sat\/GiB|msat\/cell)\s*$/.exec(text);
  if (match === null) return fail('PRICE_MALFORMED', 'a price reads like "100000 sat/GiB" or "2 msat/cell"');
  const [, whole, decimals = '', unit] = match;
  const scale = 10n ** BigInt(decimals.length);
  const amount = BigInt(whole + decimals);
  const scaled = unit === 'sat/GiB' ? (amount * msatPerSat) / pricesPerGib : amount * cellsPerPrice;
  const exact = unit === 'sat/GiB' ? (amount * msatPerSat) % pricesPerGib === 0n : true;
  if (!exact || scaled % scale !== 0n)
    return fail('PRICE_MALFORMED', `${text.trim()} is no whole number of msat for 512 MiB`);
  const price = scaled / scale;
  return price <= priceMax
    ? ok(price)
    : fail('PRICE_MALFORMED', `${text.trim()} is beyond the largest price`);
}

/** As people read it: sat per GiB, with decimals where it needs them. */
export function formatPrice(price: Price): string {
  const msatPerGib = price * pricesPerGib;
  const rest = msatPerGib % msatPerSat;
  const decimals = rest === 0n ? '' : `.${String(rest).padStart(3, '0').replace(/0+$/, '')}`;
  return `${msatPerGib / msatPerSat}${decimals} sat/GiB`;
}
