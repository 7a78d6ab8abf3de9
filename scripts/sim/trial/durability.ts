import { toHex } from '../../../src/base/bytes.ts';
import type { StoreWrite } from '../../../src/ports.ts';

interface Awaited {
  readonly left: Set<string>;
  readonly done: () => void;
}

/** When what somebody wants to be durable is so, as an onlooker at all disks sees it. */
export class Durability {
  readonly #awaited = new Map<string, Awaited[]>();

  /** What the node was about to write when it died is written or not: nothing more of it comes. */
  nextLife(node: string): void {
    this.#awaited.delete(node);
  }

  /** @param done called when all of these are durable. Returned: whether they are. */
  awaits(node: string, writes: readonly StoreWrite[], done: () => void): () => boolean {
    const left = new Set(writes.map(nameOf));
    if (left.size === 0) done();
    else this.#awaited.set(node, [...(this.#awaited.get(node) ?? []), { left, done }]);
    return () => left.size === 0;
  }

  stored(node: string, writes: readonly StoreWrite[]): void {
    const waiting = this.#awaited.get(node);
    if (waiting === undefined || waiting.length === 0) return;
    const names = writes.map(nameOf);
    for (const { left, done } of waiting) {
      const before = left.size;
      for (const name of names) left.delete(name);
      if (before > 0 && left.size === 0) done();
    }
    this.#awaited.set(
      node,
      waiting.filter(({ left }) => left.size > 0),
    );
  }
}

function nameOf({ key, value }: StoreWrite): string {
  return `${key} ${value === undefined ? '' : toHex(value)}`;
}
