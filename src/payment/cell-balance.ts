import { assert } from '../base/assert.ts';
import { freeCells } from '../base/limits.ts';
import { cellsFor, type Price } from './price.ts';

const grantedCellsMax = BigInt(Number.MAX_SAFE_INTEGER) - BigInt(freeCells);

/**
 * The cells that one circuit may still cause at one relay (paper 004, section 5). Debits are all or nothing. Free cells
 * go first, but never serve an exit. A relay of price 0 keeps no balance: every debit succeeds.
 */
export class CellBalance {
  readonly price: Price;
  readonly metered: boolean;
  #free: number;
  #paidCells = 0;
  #creditedMsat = 0n;
  #grantedCells = 0n;

  constructor(price: Price, free: number = freeCells) {
    assert(price >= 0n, 'a price is not negative');
    this.price = price;
    this.metered = price > 0n;
    this.#free = free;
  }

  /** Cells left, free and paid. */
  get balance(): number {
    return this.#free + this.#paidCells;
  }

  /** Of these, the cells that may serve an exit. */
  get paidCells(): number {
    return this.#paidCells;
  }

  /** All value ever credited. */
  get creditedMsat(): bigint {
    return this.#creditedMsat;
  }

  /** True once exits may be used: a payment was credited, or this relay is free. */
  get paid(): boolean {
    return !this.metered || this.#creditedMsat > 0n;
  }

  /** Takes `cells` of any kind; false: too few are left, nothing was taken. */
  debit(cells: number): boolean {
    if (!this.metered) return true;
    assert(Number.isSafeInteger(cells) && cells >= 0, 'whole cells are debited');
    if (cells > this.#free + this.#paidCells) return false;
    const fromFree = Math.min(cells, this.#free);
    this.#free -= fromFree;
    this.#paidCells -= cells - fromFree;
    assert(this.#free >= 0 && this.#paidCells >= 0, 'a balance is never negative');
    return true;
  }

  /** Takes paid cells alone, for the data of exits. */
  debitExit(cells: number): boolean {
    if (!this.metered) return true;
    assert(Number.isSafeInteger(cells) && cells >= 0, 'whole cells are debited');
    if (cells > this.#paidCells) return false;
    this.#paidCells -= cells;
    return true;
  }

  /** Adds what `msat` more has bought: the floor of all value, less what was granted before. Returns the cells added. */
  credit(msat: bigint): bigint {
    assert(msat >= 0n, 'credit is not negative');
    this.#creditedMsat += msat;
    if (!this.metered) return 0n;
    const bought = cellsFor(this.#creditedMsat, this.price);
    // 2^53 cells are four exabytes: whoever has bought them has bought enough for one circuit.
    const granted = bought > grantedCellsMax ? grantedCellsMax : bought;
    const added = granted - this.#grantedCells;
    assert(added >= 0n, 'cells granted only grow');
    this.#grantedCells = granted;
    this.#paidCells += Number(added);
    return added;
  }
}
