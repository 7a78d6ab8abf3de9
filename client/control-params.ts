import { type Fault, fail, ok, type Result } from '../src/base/fault.ts';

/** Reads the parameters of one control request; the first that is wrong is kept as the fault. */
export class ControlParams {
  readonly #values: Readonly<Record<string, unknown>>;
  #fault: Fault<'CONTROL_BAD_PARAMETER'> | undefined;

  constructor(values: Readonly<Record<string, unknown>>) {
    this.#values = values;
  }

  /** `value`, unless a parameter was wrong. */
  result<T>(value: T): Result<T> {
    return this.#fault === undefined ? ok(value) : { ok: false, fault: this.#fault };
  }

  text(name: string): string | undefined {
    return this.#read(name, value => (typeof value === 'string' ? value : undefined));
  }

  integer(name: string, min: number, max: number): number | undefined {
    return this.#read(name, value => {
      const number = typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value;
      return Number.isSafeInteger(number) && (number as number) >= min && (number as number) <= max
        ? (number as number)
        : undefined;
    });
  }

  /** A decimal string, or a number that is exact. */
  amount(name: string): bigint | undefined {
    return this.#read(name, value => {
      const text = typeof value === 'number' && Number.isSafeInteger(value) ? String(value) : value;
      return typeof text === 'string' && /^\d{1,18}$/.test(text) ? BigInt(text) : undefined;
    });
  }

  flag(name: string): boolean | undefined {
    return this.#read(name, value => (typeof value === 'boolean' ? value : undefined));
  }

  texts(name: string): readonly string[] | undefined {
    return this.#read(name, value =>
      Array.isArray(value) && value.every(each => typeof each === 'string') ? value : undefined,
    );
  }

  window(name: string): number | 'auto' | undefined {
    return this.#values[name] === 'auto' ? 'auto' : this.integer(name, 1, 1_048_576);
  }

  /** Marks a parameter that must be there as missing. */
  require<T>(name: string, value: T | undefined): T | undefined {
    if (value === undefined && this.#fault === undefined) {
      this.#fault = fail('CONTROL_BAD_PARAMETER', `${name} is missing`).fault;
    }
    return value;
  }

  #read<T>(name: string, parse: (value: unknown) => T | undefined): T | undefined {
    const value = this.#values[name];
    if (value === undefined || value === null) return undefined;
    const parsed = parse(value);
    if (parsed === undefined) this.#fault ??= fail('CONTROL_BAD_PARAMETER', `${name} makes no sense`).fault;
    return parsed;
  }
}
