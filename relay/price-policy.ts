import type { RelayPrice } from '../src/directory/relay-info.ts';
import { CellBalance } from '../src/payment/cell-balance.ts';
import type { PaymentScheme } from '../src/payment/scheme.ts';

/** What a relay asks of all circuits alike: one price, by any of its schemes. */
export class PricePolicy {
  readonly priceMsatPer2Pow20: bigint;
  readonly #schemes: readonly PaymentScheme[];

  /** A price without a scheme to pay it by would shut everybody out, so it is none. */
  constructor(priceMsatPer2Pow20: bigint, schemes: readonly PaymentScheme[]) {
    this.priceMsatPer2Pow20 = schemes.length === 0 ? 0n : priceMsatPer2Pow20;
    this.#schemes = schemes;
  }

  get charges(): boolean {
    return this.priceMsatPer2Pow20 > 0n;
  }

  /** As the descriptor states it; undefined: free of charge. */
  published(): RelayPrice | undefined {
    if (!this.charges) return undefined;
    const { priceMsatPer2Pow20 } = this;
    return { priceMsatPer2Pow20, paySchemes: this.#schemes.map(scheme => scheme.id) };
  }

  newBalance(): CellBalance {
    return new CellBalance(this.priceMsatPer2Pow20);
  }
}
