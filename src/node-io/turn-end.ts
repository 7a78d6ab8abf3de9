/**
 * What sockets of this process put off until the event loop has told all that has come: reads are told first, so that what
 * they come to is written in the same turn.
 */
class TurnEnd {
  readonly #reads: (() => void)[] = [];
  readonly #writes: (() => void)[] = [];
  #waits = false;

  read(tell: () => void): void {
    this.#reads.push(tell);
    this.#wait();
  }

  write(flush: () => void): void {
    this.#writes.push(flush);
    this.#wait();
  }

  #wait(): void {
    if (this.#waits) return;
    this.#waits = true;
    setImmediate(this.#run);
  }

  readonly #run = (): void => {
    try {
      for (let tell = this.#reads.shift(); tell !== undefined; tell = this.#reads.shift()) tell();
      for (let flush = this.#writes.shift(); flush !== undefined; flush = this.#writes.shift()) flush();
    } finally {
      // One that throws does not take the others' turn.
      this.#waits = false;
      if (this.#reads.length + this.#writes.length > 0) this.#wait();
    }
  };
}

export const turnEnd = new TurnEnd();
