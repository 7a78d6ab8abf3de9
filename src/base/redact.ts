/**
 * A value that must not reach a log: keys, addresses of clients, channel and payment ids. Printing it by accident, by
 * string, JSON or inspection, shows only what kind of value it is.
 */
export class Secret<T> {
  readonly #value: T;
  readonly #kind: string;

  constructor(kind: string, value: T) {
    this.#kind = kind;
    this.#value = value;
  }

  /** The value itself; the call is easy to find in review. */
  reveal(): T {
    return this.#value;
  }

  toString(): string {
    return `[${this.#kind}]`;
  }

  toJSON(): string {
    return this.toString();
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString();
  }
}
