import { assert } from './assert.ts';

/** A first-in first-out queue of at most `capacity` items; never grows, so a caller must say what full means. */
export class Ring<T> {
  readonly capacity: number;
  /** Made with the first item: most rings of most circuits never get one. */
  #items: (T | undefined)[] | undefined;
  #head = 0;
  #length = 0;

  constructor(capacity: number) {
    assert(Number.isInteger(capacity) && capacity > 0, 'a ring holds at least one item');
    this.capacity = capacity;
  }

  get length(): number {
    return this.#length;
  }

  get full(): boolean {
    return this.#length === this.capacity;
  }

  /** False when full: nothing was taken. */
  push(item: T): boolean {
    if (this.full) return false;
    this.#items ??= new Array(this.capacity);
    this.#items[(this.#head + this.#length) % this.capacity] = item;
    this.#length += 1;
    return true;
  }

  peek(): T | undefined {
    return this.#items?.[this.#head];
  }

  shift(): T | undefined {
    if (this.#items === undefined || this.#length === 0) return undefined;
    const item = this.#items[this.#head];
    this.#items[this.#head] = undefined;
    this.#head = (this.#head + 1) % this.capacity;
    this.#length -= 1;
    return item;
  }
}
