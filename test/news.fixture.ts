/** Lets a test wait for what peers will do: looked at when something came, with an end that says what did not. */
export class News {
  readonly #looks = new Set<() => void>();

  /** Something came. */
  tell(): void {
    for (const look of [...this.#looks]) look();
  }

  /** Resolves to the first value that `look` finds; rejects when it throws, or when `what` never comes. */
  until<T>(look: () => T | undefined, what: string, msMax = 20_000): Promise<T> {
    return new Promise((found, failed) => {
      const end = (): void => {
        clearTimeout(timer);
        this.#looks.delete(attempt);
      };
      const timer = setTimeout(() => {
        end();
        failed(new Error(`${what} did not come`));
      }, msMax);
      const attempt = (): void => {
        try {
          const value = look();
          if (value === undefined) return;
          end();
          found(value);
        } catch (error) {
          end();
          failed(error);
        }
      };
      this.#looks.add(attempt);
      attempt();
    });
  }
}
