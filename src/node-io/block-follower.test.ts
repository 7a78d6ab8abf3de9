import { expect, it } from 'vitest';
import type { ChainEvent } from '../ports.ts';
import { BlockFollower } from './block-follower.ts';

const script = Uint8Array.of(0x51);
const hashAt = (height: number) => height.toString(16).padStart(64, '0');
const heightOf = (hash: unknown) => Number.parseInt(hash as string, 16);
const tipAtStart = 9;

/** A chain whose block 1 pays the script, whose block 8 spends that, and that grows when a follower has read its tip. */
class GrowingChain {
  questions = 0;
  #tip = tipAtStart;

  readonly call = async <T>(method: string, [parameter]: readonly unknown[]): Promise<T> => {
    this.questions += 1;
    const answer = this.#answer(method, parameter);
    if (method === 'getbestblockhash') this.#tip = tipAtStart + 1;
    return answer as T;
  };

  #answer(method: string, parameter: unknown): unknown {
    if (method === 'getbestblockhash') return hashAt(this.#tip);
    if (method === 'getblockhash') return hashAt(parameter as number);
    const height = heightOf(parameter);
    if (method === 'getblockheader') return { height, previousblockhash: hashAt(height - 1) };
    const vin = height === 8 ? [{ txid: hashAt(1), vout: 0 }] : [];
    const vout = height === 1 ? [{ value: 0.5, scriptPubKey: { hex: '51' } }] : [];
    return { tx: [{ txid: hashAt(height), hex: '', vin, vout }] };
  }
}

/** All that a follower tells of that chain in its first round, and after how many questions it told it. */
async function firstRound(): Promise<readonly { readonly event: string; readonly after: number }[]> {
  const chain = new GrowingChain();
  const told: { event: string; after: number }[] = [];
  const tell = ({ kind, height }: ChainEvent) => {
    told.push({ event: `${kind} ${height}`, after: chain.questions });
  };
  const poll = async <T>(): Promise<T> => undefined as T;
  const follower = new BlockFollower(chain.call, poll, tell);
  follower.watch(script, 0);
  await follower.next();
  return told;
}

it('tells what past blocks hold before it tells of any block', async () => {
  const told = await firstRound();
  expect(told.map(({ event }) => event)).toEqual(['tip 9', 'paid 1', 'spent 8', 'block 9', 'block 10']);
});

it('tells how high the chain is before it looks through past blocks', async () => {
  const told = await firstRound();
  const past = 9;
  const tip = told.find(({ event }) => event === 'tip 9');
  const paid = told.find(({ event }) => event === 'paid 1');
  expect((paid?.after ?? 0) - (tip?.after ?? 0)).toBeGreaterThan(past);
});

it('tells of a coin in past blocks only when it knows whether a later one has spent it', async () => {
  const told = await firstRound();
  const after = (wanted: string) => told.find(({ event }) => event === wanted)?.after;
  expect(after('paid 1')).toBe(after('spent 8'));
});

it('says nothing of a script that is not watched any more, nor of what it was paid', async () => {
  const chain = new GrowingChain();
  const told: string[] = [];
  const poll = async <T>(): Promise<T> => undefined as T;
  const follower = new BlockFollower(chain.call, poll, ({ kind, height }) => told.push(`${kind} ${height}`));
  follower.watch(script, 0);
  await follower.next();
  follower.unwatch(script);
  // Has it look through the same blocks again.
  follower.watch(Uint8Array.of(0x52), 0);
  told.length = 0;
  await follower.next();
  expect(told.filter(event => !event.startsWith('block'))).toEqual([]);
});

it('tells how high the chain has grown while past blocks cannot be had', async () => {
  const chain = new GrowingChain();
  let pruned = true;
  const call: typeof chain.call = async (method, parameters) => {
    if (method === 'getblock' && pruned) throw new Error('Block not available (pruned data)');
    return chain.call(method, parameters);
  };
  const told: string[] = [];
  const poll = async <T>(): Promise<T> => undefined as T;
  const follower = new BlockFollower(call, poll, ({ kind, height }) => told.push(`${kind} ${height}`));
  follower.watch(script, 0);
  for (let tries = 0; tries < 3; tries++) await expect(follower.next()).rejects.toThrow('pruned');
  expect(told).toEqual(['tip 9', 'tip 10']);
  pruned = false;
  await follower.next();
  expect(told).toEqual(['tip 9', 'tip 10', 'paid 1', 'spent 8', 'block 10']);
});

it('tells of a block with all its money, though it could be read in part alone at first', async () => {
  const chain = new GrowingChain();
  let garbled = 1;
  const call: typeof chain.call = async (method, parameters) => {
    const answer = await chain.call<never>(method, parameters);
    if (method !== 'getblock' || heightOf(parameters[0]) !== 10) return answer;
    const vout = [{ value: 0.5, scriptPubKey: { hex: '51' } }];
    const whole = { txid: hashAt(10), hex: '', vin: [], vout };
    return { tx: garbled-- > 0 ? [{}, whole] : [whole] } as never;
  };
  const told: string[] = [];
  const poll = async <T>(): Promise<T> => undefined as T;
  const follower = new BlockFollower(call, poll, ({ kind, height }) => told.push(`${kind} ${height}`));
  follower.watch(script, 0);
  await expect(follower.next()).rejects.toThrow();
  await follower.next();
  expect(told).toEqual(['tip 9', 'paid 1', 'spent 8', 'block 9', 'block 10', 'paid 10']);
});

it('tells of a coinbase when a block may spend it, and again when a reorganisation makes it wait once more', async () => {
  let [tip, branch] = [9, 0];
  const nameOf = (height: number) => hashAt(height + (height > 50 ? branch * 1_000 : 0));
  const answers = (method: string, parameter: unknown): unknown => {
    if (method === 'getbestblockhash') return nameOf(tip);
    if (method === 'getblockhash') return nameOf(parameter as number);
    const height = heightOf(parameter) % 1_000;
    if (method === 'getblockheader') return { height, previousblockhash: nameOf(height - 1) };
    const vout = height === 5 || height === 60 ? [{ value: 0.5, scriptPubKey: { hex: '51' } }] : [];
    return { tx: [{ txid: parameter, hex: '', vin: [{}], vout }] };
  };
  const call = async <T>(method: string, [parameter]: readonly unknown[]) => answers(method, parameter) as T;
  const told: string[] = [];
  const follower = new BlockFollower(
    call,
    async <T>() => undefined as T,
    ({ kind, height }) => void (kind !== 'block' && told.push(`${kind} ${height}`)),
  );
  follower.watch(script, 0);
  const grow = async (to: number) => {
    tip = to;
    await follower.next();
    return told.splice(0);
  };
  expect(await grow(9)).toEqual(['tip 9']);
  expect(await grow(103)).toEqual([]);
  expect(await grow(104)).toEqual(['paid 104']);
  branch = 1;
  expect(await grow(105)).toEqual(['reorg 50', 'paid 104']);
  expect(await grow(159)).toEqual(['paid 159']);
  // One who begins only then finds both in past blocks.
  follower.watch(script, 0);
  expect(await grow(160)).toEqual(['paid 104', 'paid 159']);
});
