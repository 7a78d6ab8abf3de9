import { expect, it } from 'vitest';
import type { ChainEvent } from '../ports.ts';
import { BlockFollower } from './block-follower.ts';

const script = Uint8Array.of(0x51);
const hashAt = (height: number) => height.toString(16).padStart(64, '0');

/** A chain whose block 1 pays the script, and that grows when a follower has read its tip. */
function growingChain() {
  let tip = 3;
  const answers: Record<string, (parameter: unknown) => unknown> = {
    getbestblockhash: () => hashAt(tip),
    getblockhash: height => hashAt(height as number),
    getblockheader: hash => {
      const height = Number.parseInt(hash as string, 16);
      return { height, previousblockhash: hashAt(height - 1) };
    },
    getblock: hash => {
      const value = Number.parseInt(hash as string, 16) === 1 ? 0.5 : 0;
      const vout = value === 0 ? [] : [{ value, scriptPubKey: { hex: '51' } }];
      return { tx: [{ txid: hash, hex: '', vin: [], vout }] };
    },
  };
  const call = async <T>(method: string, [parameter]: readonly unknown[]): Promise<T> => {
    const answer = answers[method](parameter) as T;
    if (method === 'getbestblockhash' && tip === 3) tip = 4;
    return answer;
  };
  return call;
}

it('tells what past blocks hold before it tells of a block that came while it started', async () => {
  const told: ChainEvent[] = [];
  const poll = async <T>(): Promise<T> => undefined as T;
  const follower = new BlockFollower(growingChain(), poll, event => told.push(event));
  follower.watch(script, 0);
  await follower.next();
  expect(told.map(({ kind, height }) => `${kind} ${height}`)).toEqual(['block 3', 'paid 1', 'block 4']);
});
