/** A process of its own for one hunt: what it takes stands in a file before it takes it, should it hang or die of it. */
import { openSync, writeSync } from 'node:fs';
import { targetNamed } from './all-targets.ts';
import { type HuntResult, hunt } from './hunt.ts';

/** What a hunt is told to do. */
export interface HuntOrder {
  readonly target: string;
  readonly seed: string;
  readonly cases: number;
  readonly guided: boolean;
  readonly journal: string;
}

/** What it tells, the result last. */
export type HuntNews = { readonly cases: number } | { readonly result: HuntResult };

const order = JSON.parse(process.argv[2]) as HuntOrder;
const journal = openSync(order.journal, 'w');
const head = new Uint8Array(4);
const tell = (news: HuntNews): void => void process.send?.(news);

const result = await hunt(targetNamed(order.target), {
  ...order,
  timed: true,
  onInput: input => {
    new DataView(head.buffer).setUint32(0, input.length);
    writeSync(journal, head, 0, head.length, 0);
    writeSync(journal, input, 0, input.length, head.length);
  },
  onProgress: cases => tell({ cases }),
});
tell({ result });
process.disconnect?.();
