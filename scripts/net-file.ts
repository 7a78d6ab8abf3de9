import { isIP } from 'node:net';
import { dirname } from 'node:path';
import { isMap, LineCounter, parseDocument } from 'yaml';
import { z } from 'zod';
import { exitCode, OperatorError } from '../src/base/fault.ts';
import { nearestName } from '../src/config/nearest.ts';
import { readInput } from '../src/node-io/input-file.ts';
import { chosenScheme, isModulePath, noScheme, schemeAt } from '../src/node-io/scheme-module.ts';
import { formatPrice, parsePrice } from '../src/payment/price.ts';
import { channelVariants } from '../src/schemes/bitcoin-channel/index.ts';
import { brokeredScheme, brokeredSchemes, type ChosenScheme } from '../src/schemes/brokered.ts';

/** Either way of writing a price, as pay.yaml has it. */
const price = z.union([z.literal(0), z.string()]).transform((value, context) => {
  const parsed = parsePrice(String(value));
  if (parsed.ok) return formatPrice(parsed.value);
  context.addIssue(parsed.fault.detail ?? 'not a price');
  return z.NEVER;
});
const satoshi = z.union([z.number().int().positive(), z.string()]).transform((value, context) => {
  const digits = /^(\d+)(?:\s*sat)?$/.exec(String(value))?.[1];
  if (digits !== undefined && Number(digits) > 0) return Number(digits);
  context.addIssue('an amount reads like "100000 sat"');
  return z.NEVER;
});

const schemeNames = ['channel', 'bitcoin-channel', 'none', ...brokeredSchemes.map(({ name }) => name)];
const addressHint = 'an address reads like 127.0.0.1:8080';
const exitTarget = z.string().refine(isAddress, addressHint);

function isAddress(text: string): boolean {
  const [, ipv6, host = ipv6, port] = /^(?:\[(.+)\]|([^:]+)):(\d{1,5})$/.exec(text) ?? [];
  return isIP(host ?? '') === (ipv6 === undefined ? 4 : 6) && Number(port) >= 1 && Number(port) <= 65_535;
}

const relayGroup = z.strictObject({
  count: z.number().int().min(1).max(200).default(1),
  flags: z.array(z.enum(['guard', 'middle', 'exit'])).default([]),
  exit: z.boolean().default(false),
  impl: z.enum(['naulon', 'tor']).default('naulon'),
  price: price.optional(),
});

const netSchema = z.strictObject({
  /** So many vote; more than half of them must run. */
  authorities: z.number().int().min(1).max(9).default(1),
  relays: z
    .array(
      relayGroup.refine(({ impl, price }) => impl !== 'tor' || price === undefined, {
        path: ['price'],
        message: 'C tor takes no payment; leave the price out',
      }),
    )
    .min(1),
  exit_to: z.array(exitTarget).optional(),
  /** What the authorities say in the consensus, by the names of tor-spec. */
  params: z
    .record(z.string().regex(/^[A-Za-z0-9_-]{1,100}$/, 'a name of letters, digits, _ and -'), z.int32())
    .default({}),
  /** As pay.yaml has it, for all of our relays and the client. */
  link_protocols: z
    .union([z.int(), z.string()])
    .transform(String)
    .pipe(z.string().regex(/^[345](-[345])?$/, 'reads like 3, 3-5 or 4-5'))
    .optional(),
  pay: z
    .strictObject({
      /** One of ours, or the path of a module, from the file's own folder on. */
      scheme: z
        .string()
        .refine(name => schemeNames.includes(name) || isModulePath(name), {
          error: ({ input }) => noScheme(String(input), schemeNames),
        })
        .default('channel'),
      variant: z.string().optional(),
      window: z.union([z.literal('auto'), z.number().int().min(1)]).optional(),
      max_spend: satoshi.optional(),
      channel_size: satoshi.optional(),
      min_confirmations: z.number().int().min(0).max(100).optional(),
      /** As the client's pay.yaml has it. */
      ask_parties: z.enum(['circuit', 'direct']).optional(),
    })
    .superRefine(({ scheme, variant }, context) => {
      if (variant === undefined || isModulePath(scheme)) return;
      const known = variantsOf(scheme);
      if (known.includes(variant)) return;
      const message = `${scheme} knows ${known.join(', ') || 'none'}; not "${variant}"`;
      context.addIssue({ code: 'custom', path: ['variant'], message });
    })
    .prefault({}),
  chain: z
    .discriminatedUnion('kind', [
      z.strictObject({ kind: z.literal('regtest') }),
      z.strictObject({ kind: z.literal('rpc'), url: z.url(), cookie: z.string() }),
    ])
    .default({ kind: 'regtest' }),
});

function variantsOf(scheme: string): readonly string[] {
  return brokeredScheme(scheme)?.variants ?? (scheme === 'none' ? [] : channelVariants);
}

/** A network as net.yaml describes it, defaults filled in; prices in sat per GiB as text. */
export type NetPlan = z.output<typeof netSchema>;

/** What relays cost where net.yaml does not say: as relays do in the demo. */
const defaultPrice = '100000 sat/GiB';

/** One relay of a plan. */
export interface PlannedRelay {
  readonly nickname: string;
  readonly exit: boolean;
  /** `tor`: the real C tor, which takes no payment. */
  readonly impl: 'naulon' | 'tor';
  /** As pay.yaml has it; undefined: free of charge. */
  readonly price: string | undefined;
}

/** Those of the plan, and those added to it that are none of them, at what the plan makes of their price. */
export function relaysWith(plan: NetPlan, added: readonly PlannedRelay[]): PlannedRelay[] {
  const planned = relaysOf(plan);
  const others = added.filter(relay => planned.every(({ nickname }) => nickname !== relay.nickname));
  return [...planned, ...others.map(relay => ({ ...relay, price: priceIn(plan, relay) }))];
}

/** The relays in order, named by what they are for: guard1, middle1, exit1. */
export function relaysOf(plan: NetPlan): PlannedRelay[] {
  const counts: Record<string, number> = {};
  return plan.relays.flatMap(group =>
    Array.from({ length: group.count }, () => {
      const exit = group.exit || group.flags.includes('exit');
      const kind = exit ? 'exit' : group.flags.includes('guard') ? 'guard' : 'middle';
      counts[kind] = (counts[kind] ?? 0) + 1;
      return {
        nickname: `${kind}${counts[kind]}`,
        exit,
        impl: group.impl,
        price: priceIn(plan, group),
      };
    }),
  );
}

/** One more, as an operator asks for it while the network runs. */
export function anotherRelay(
  plan: NetPlan,
  wish: { add: 'relay' | 'tor'; exit: boolean; nickname?: string; price?: string },
  nodes: readonly { readonly name: string }[],
): PlannedRelay {
  const impl = wish.add === 'tor' ? 'tor' : 'naulon';
  if (wish.price !== undefined && plan.pay.scheme === 'none')
    throw new OperatorError(
      'USAGE',
      'nothing is paid for in this network; leave the price out',
      exitCode.usage,
    );
  const taken = new Set(nodes.map(({ name }) => name));
  let number = 1;
  while (taken.has(`${wish.add}${number}`)) number += 1;
  const { nickname = `${wish.add}${number}`, exit, price } = wish;
  return { nickname, exit, impl, price: priceIn(plan, { impl, price }) };
}

function priceIn(plan: NetPlan, relay: Pick<PlannedRelay, 'impl'> & { price?: string }): string | undefined {
  const paid = plan.pay.scheme !== 'none' && relay.impl === 'naulon';
  return paid ? (relay.price ?? defaultPrice) : undefined;
}

/** A network of so many relays: guards, middles, and exits at the end, at least one of them. */
export function planOf(relays: number): NetPlan {
  const exits = Math.max(1, Math.floor(relays / 3));
  const guards = Math.ceil((relays - exits) / 2);
  const middles = relays - exits - guards;
  const groups = [
    { count: guards, flags: ['guard'] },
    { count: middles, flags: ['middle'] },
    { count: exits, exit: true },
  ];
  return netSchema.parse({ relays: groups.filter(({ count }) => count > 0) });
}

/** The same network, paid for otherwise. Throws OperatorError for a scheme or variant that there is not. */
export function paidBy(plan: NetPlan, scheme: string | undefined, variant?: string): NetPlan {
  if (scheme === undefined && variant === undefined) return plan;
  const named = scheme === undefined ? plan.pay.scheme : schemeAt('', scheme);
  const parsed = netSchema.shape.pay.safeParse({ ...plan.pay, scheme: named, variant });
  if (parsed.success) return { ...plan, pay: parsed.data };
  const [{ path, message }] = parsed.error.issues;
  throw new OperatorError('USAGE', `--${String(path[0])}: ${message}`, exitCode.usage);
}

/** How a planned network is paid for; a module is loaded. Undefined: not at all. Throws OperatorError. */
export async function schemeOf({ scheme, variant }: NetPlan['pay']): Promise<ChosenScheme | undefined> {
  if (scheme === 'none') return undefined;
  const chosen = await chosenScheme(scheme === 'channel' ? 'bitcoin-channel' : scheme);
  const known = chosen.brokered?.variants ?? [];
  if (variant === undefined || !isModulePath(scheme) || known.includes(variant)) return chosen;
  const what = `${chosen.name} knows ${known.join(', ') || 'none'}; not "${variant}"`;
  throw new OperatorError('USAGE', `variant: ${what}`, exitCode.usage);
}

/** The same network, its exits reaching these servers of this machine, too. Throws OperatorError for what is no address. */
export function exitingTo(plan: NetPlan, targets: readonly string[] = []): NetPlan {
  const wrong = targets.find(target => !isAddress(target));
  if (wrong !== undefined)
    throw new OperatorError('USAGE', `--exit-to "${wrong}": ${addressHint}`, exitCode.usage);
  return { ...plan, exit_to: [...(plan.exit_to ?? []), ...targets] };
}

export function readNetFile(file: string): NetPlan {
  const plan = parseNetFile(file, readInput(file));
  return { ...plan, pay: { ...plan.pay, scheme: schemeAt(dirname(file), plan.pay.scheme) } };
}

/** Reads net.yaml; what is wrong is named with file, line, option and the nearest valid one. */
export function parseNetFile(file: string, text: string): NetPlan {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, logLevel: 'error' });
  const wrong = (code: string, line: number, what: string) =>
    new OperatorError(code, `${file}:${line}: ${what}`, exitCode.usage);
  const [broken] = document.errors;
  if (broken !== undefined)
    throw wrong('CONFIG_BAD_LINE', lines.linePos(broken.pos[0]).line, broken.message.split('\n')[0]);
  const plain = toPlain(document);
  if (plain === undefined) throw wrong('CONFIG_BAD_LINE', 1, 'an alias names no anchor');
  const parsed = netSchema.safeParse(plain.value ?? {});
  if (parsed.success) {
    if (!relaysOf(parsed.data).some(({ exit }) => exit))
      throw wrong('CONFIG_BAD_VALUE', lineAt(document, lines, ['relays']), 'relays: none of them is an exit');
    return parsed.data;
  }
  const { issues } = parsed.error;
  // What is misspelt is missing, too.
  const issue = issues.find(({ code }) => code === 'unrecognized_keys') ?? issues[0];
  const path = issue.path.filter(part => typeof part !== 'symbol');
  if (issue.code !== 'unrecognized_keys')
    throw wrong(
      'CONFIG_BAD_VALUE',
      lineAt(document, lines, path),
      `${path.join('.') || 'the file'}: ${issue.message}`,
    );
  const [key] = issue.keys;
  const nearest = nearestName(key, knownKeys(path));
  throw wrong(
    'CONFIG_UNKNOWN_OPTION',
    lineAt(document, lines, [...path, key]),
    `there is no option ${[...path, key].join('.')}${nearest === undefined ? '' : `; did you mean ${nearest}?`}`,
  );
}

/** Undefined for a document whose aliases lead nowhere, or everywhere. */
function toPlain(document: ReturnType<typeof parseDocument>): { readonly value: unknown } | undefined {
  try {
    return { value: document.toJS({ maxAliasCount: 100 }) };
  } catch {
    return undefined;
  }
}

/** The line that names the option at `path`, or the nearest thing above it. */
function lineAt(
  document: ReturnType<typeof parseDocument>,
  lines: LineCounter,
  path: (string | number)[],
): number {
  for (let depth = path.length; depth > 0; depth--) {
    const owner = depth === 1 ? document.contents : document.getIn(path.slice(0, depth - 1), true);
    const last = path[depth - 1];
    if (isMap(owner)) {
      const pair = owner.items.find(({ key }) => String(key) === String(last));
      const range = (pair?.key as { range?: [number, number, number] } | undefined)?.range;
      if (range !== undefined) return lines.linePos(range[0]).line;
    }
    const node = document.getIn(path.slice(0, depth), true) as
      | { range?: [number, number, number] }
      | undefined;
    if (node?.range) return lines.linePos(node.range[0]).line;
  }
  return 1;
}

function knownKeys(path: readonly (string | number)[]): string[] {
  if (path[0] === 'relays') return Object.keys(relayGroup.shape);
  if (path[0] === 'pay')
    return ['scheme', 'variant', 'window', 'max_spend', 'channel_size', 'min_confirmations', 'ask_parties'];
  if (path[0] === 'chain') return ['kind', 'url', 'cookie'];
  return Object.keys(netSchema.shape);
}
