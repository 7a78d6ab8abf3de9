import { isMap, isScalar, LineCounter, parseDocument } from 'yaml';
import { z } from 'zod';
import { fail, ok, type Result } from '../base/fault.ts';
import { parsePrice } from '../payment/price.ts';
import { nearestName } from './nearest.ts';
import type { ConfigFault } from './torrc.ts';

/** pay.yaml: all that C tor's torrc does not know. Amounts people write are satoshi. */

const sat = z
  .union([z.int().nonnegative(), z.string().regex(/^[0-9]{1,16}$/)])
  .transform(value => BigInt(value));
/** Millisatoshi for 2^20 cells. */
const price = z.union([z.literal(0), z.string()]).transform((value, context) => {
  if (value === 0) return 0n;
  const parsed = parsePrice(value);
  if (parsed.ok) return parsed.value;
  context.addIssue({ code: 'custom', message: parsed.fault.detail ?? 'not a price' });
  return z.NEVER;
});
const chain = z.strictObject({
  /** Private test chains alone: nothing here has been reviewed for coins that are worth something. */
  kind: z.literal('regtest').default('regtest'),
  /** bitcoind's RPC address, `http://127.0.0.1:18443`. */
  rpc: z.url({ protocol: /^https?$/ }),
  /** bitcoind's cookie file. */
  cookie: z.string().min(1),
});

const endpoint = z
  .string()
  .regex(/^(\d{1,3}(\.\d{1,3}){3}|\[[0-9a-f:.]+\]):\d{1,5}$/i, 'an address reads like 127.0.0.1:8045')
  .transform(text => {
    const at = text.lastIndexOf(':');
    return { host: text.slice(0, at).replace(/^\[|\]$/g, ''), port: Number(text.slice(at + 1)) };
  });
/** Where the account is that payments by scheme with a broker come from and go to. */
const broker = z.strictObject({
  address: endpoint,
  /** What it issues under, 66 hex digits; it says so when it starts. */
  key: z
    .string()
    .regex(/^0[23][0-9a-f]{64}$/i, 'a key is 66 hex digits')
    .transform(text => new Uint8Array(Buffer.from(text, 'hex'))),
});

const paySchema = z.strictObject({
  /** Schemes offered or used, by name, the preferred one first; `none`: neither pays nor is paid. */
  scheme: z
    .union([z.string(), z.array(z.string()).nonempty()])
    .default('bitcoin-channel')
    .transform(value => (typeof value !== 'string' ? value : value === 'none' ? [] : [value])),
  /** What a relay asks: `100000 sat/GiB`; absent or 0: free. */
  price: price.default(0n),
  chain: chain.optional(),
  /** Address that settlements pay to; absent: the node's own wallet. */
  payout: z.string().optional(),
  min_confirmations: z.int().min(0).max(100).default(1),
  /** One of the scheme's ways: `spillman` or `cltv`; `prepaid` or `credit`. */
  variant: z.string().optional(),
  broker: broker.optional(),
  /** Where other parties ask this node: HOST:PORT, port 0 for any that is free. */
  party: endpoint.default({ host: '127.0.0.1', port: 0 }),
  /** How a client asks the broker and other parties: through circuits, or from its own address. Relays ask from theirs. */
  ask_parties: z.enum(['circuit', 'direct']).default('circuit'),
  /** Blocks from opening to refund. */
  refund_blocks: z.int().min(144).max(65_535).optional(),
  /** What raising the fees of settlements and refunds may cost, all together, while they wait for a block. */
  fee_reserve: sat.optional(),
  /** Cells that one payment buys. */
  window: z.union([z.literal('auto'), z.int().min(1).max(1_048_576)]).default('auto'),
  /** What a channel locks up. */
  channel_size: sat.optional(),
  /** Spending limits. */
  max_spend: z
    .strictObject({ circuit: sat.optional(), relay: sat.optional(), day: sat.optional() })
    .default({}),
  /** The highest price worth paying. */
  max_price: price.optional(),
  /** `3`, `3-5` or `4-5`. Version 3 alone, by default: its cells are 512 bytes, and C tor takes it in every role. */
  link_protocols: z
    .string()
    .regex(/^[345](-[345])?$/)
    .default('3'),
});

export type PayConfig = z.output<typeof paySchema>;

/** What may stand in it; the README says of each what it is for. */
export const payOptions: readonly string[] = Object.keys(paySchema.shape);

/** All defaults: a free relay, or a client that pays by Bitcoin channels once it is told where the chain is. */
export function defaultPayConfig(): PayConfig {
  return paySchema.parse({});
}

/** Never throws; the fault names file, line, option and, for a name that does not exist, the nearest one. */
export function parsePayConfig(text: string, file: string): Result<PayConfig, ConfigFault> {
  const lineCounter = new LineCounter();
  const document = parseDocument(text, { lineCounter, prettyErrors: false, logLevel: 'error' });
  const broken = document.errors[0];
  if (broken !== undefined) {
    const { line } = lineCounter.linePos(broken.pos[0]);
    return fail('CONFIG_BAD_LINE', `${file}:${line}: ${broken.message}`);
  }
  const plain = toPlain(document);
  if (plain === undefined) return fail('CONFIG_BAD_LINE', `${file}: an alias names no anchor`);
  const { contents } = document;
  if (contents !== null && !isMap(contents)) {
    const { line } = lineCounter.linePos(contents.range[0]);
    return fail('CONFIG_BAD_LINE', `${file}:${line}: options read like "scheme: payword", one a line`);
  }
  const parsed = paySchema.safeParse(plain.value ?? {});
  if (parsed.success) return ok(parsed.data);
  const issue = parsed.error.issues[0];
  const unknown = issue.code === 'unrecognized_keys' ? issue.keys[0] : undefined;
  const path = unknown === undefined ? issue.path : [...issue.path, unknown];
  const line = lineOf(document, path, lineCounter);
  const at = line === undefined ? file : `${file}:${line}`;
  if (unknown === undefined) return fail('CONFIG_BAD_VALUE', `${at}: ${path.join('.')}: ${issue.message}`);
  const nearest = nearestName(unknown, namesAt(issue.path));
  const hint = nearest === undefined ? '' : `; did you mean ${nearest}?`;
  return fail('CONFIG_UNKNOWN_OPTION', `${at}: unknown option ${path.join('.')}${hint}`);
}

/** Undefined for a document whose aliases lead nowhere, or everywhere. */
function toPlain(document: ReturnType<typeof parseDocument>): { readonly value: unknown } | undefined {
  try {
    return { value: document.toJS({ maxAliasCount: 100 }) };
  } catch {
    return undefined;
  }
}

function namesAt(path: readonly PropertyKey[]): readonly string[] {
  if (path[0] === 'chain') return Object.keys(chain.shape);
  if (path[0] === 'broker') return Object.keys(broker.shape);
  if (path[0] === 'max_spend') return ['circuit', 'relay', 'day'];
  return payOptions;
}

/** The line of a key, by walking the maps of the document. */
function lineOf(
  document: ReturnType<typeof parseDocument>,
  path: readonly PropertyKey[],
  lineCounter: LineCounter,
): number | undefined {
  let node: unknown = document.contents;
  let line: number | undefined;
  for (const name of path) {
    if (!isMap(node)) break;
    const pair = node.items.find(item => isScalar(item.key) && item.key.value === name);
    if (pair === undefined) break;
    if (isScalar(pair.key) && pair.key.range) line = lineCounter.linePos(pair.key.range[0]).line;
    node = pair.value;
  }
  return line;
}

/** The protocols that `3-5` names, in rising order. */
export function linkProtocols(text: string): readonly (3 | 4 | 5)[] {
  const [low, high = low] = text.split('-').map(Number);
  return ([3, 4, 5] as const).filter(each => each >= low && each <= high);
}
