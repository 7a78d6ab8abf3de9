import { dirname, resolve } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { OperatorError } from '../src/base/fault.ts';
import { readInput } from '../src/node-io/input-file.ts';
import type { PostgresServer } from '../src/node-io/postgres-session.ts';
import { isModulePath, noScheme, schemeAt } from '../src/node-io/scheme-module.ts';
import { brokeredScheme, brokeredSchemes } from '../src/schemes/brokered.ts';
import { postgresServer, storeSchema } from './postgres-config.ts';

/** All bitcoins that there are, in satoshi. */
const creditSatMax = 2_100_000_000_000_000;

/** broker.yaml: what a broker runs on. */
const schema = z.strictObject({
  /** Where keys and records lie, from the file's own folder on. */
  data_directory: z.string().min(1),
  /** Where the records lie instead, keys never. */
  store: storeSchema.optional(),
  /** Where it is asked: HOST:PORT, port 0 for any that is free. */
  listen: z
    .string()
    .regex(/^\d{1,3}(\.\d{1,3}){3}:\d{1,5}$/, 'an address reads like 127.0.0.1:8045')
    .default('127.0.0.1:8045'),
  chain: z.strictObject({
    /** Private test chains alone: nothing here has been reviewed for coins that are worth something. */
    kind: z.literal('regtest').default('regtest'),
    rpc: z.url({ protocol: /^https?$/ }),
    cookie: z.string().min(1),
  }),
  /** From how many on a deposit counts. */
  min_confirmations: z.int().min(1).max(100).default(1),
  /** Which payment systems it stands behind: names, or paths of modules, from the file's own folder on. */
  schemes: z.array(z.string()).nonempty().optional(),
  /** Whom it lends to, by the account's key in hex, and how much at most, in satoshi. It lends to nobody else. */
  credit: z
    .record(
      z.string().regex(/^0[23][0-9a-f]{64}$/, 'an account reads like 02ab…, 66 digits'),
      z.int().min(2).max(creditSatMax),
    )
    .default({}),
});

/** pay.yaml of an authority: what a broker of its own would have in broker.yaml. */
const mountedSchema = z.strictObject({ broker: schema });

export interface BrokerConfig {
  readonly dataDirectory: string;
  /** Keeps the records; they are in the data directory when absent. */
  readonly store: PostgresServer | undefined;
  readonly listen: { readonly host: string; readonly port: number };
  readonly chain: { readonly rpc: string; readonly cookie: string };
  readonly minConfirmations: number;
  /** By name or, of a module, whole path. */
  readonly schemes: readonly string[];
  /** The most that is lent to an account, by its key in hex. */
  readonly lendsMsat: ReadonlyMap<string, bigint>;
}

/** Throws OperatorError (exit code 2) naming file and option. */
export function readBrokerConfig(file: string): BrokerConfig {
  return configOf(file, check(file, readPlain(file), schema));
}

/** The broker that an authority's pay.yaml asks for. Throws as readBrokerConfig does. */
export function readMountedBroker(file: string): BrokerConfig {
  return configOf(file, check(file, readPlain(file), mountedSchema).broker);
}

/** A broker by its file, whether it has a process of its own or is an authority's. Throws as readBrokerConfig does. */
export function readAnyBroker(file: string): BrokerConfig {
  const plain = readPlain(file);
  const mounted = typeof plain === 'object' && plain !== null && 'broker' in plain;
  return configOf(file, mounted ? check(file, plain, mountedSchema).broker : check(file, plain, schema));
}

function configOf(
  file: string,
  { data_directory, store, listen, chain, min_confirmations, schemes, credit }: z.output<typeof schema>,
): BrokerConfig {
  const [host, port] = listen.split(':');
  const own = brokeredSchemes.map(({ name }) => name);
  const unknown = schemes?.find(name => brokeredScheme(name) === undefined && !isModulePath(name));
  if (unknown !== undefined)
    throw new OperatorError('CONFIG_BAD_VALUE', `${file}: schemes: ${noScheme(unknown, own)}`, 2);
  return {
    dataDirectory: resolve(dirname(file), data_directory),
    store: store && postgresServer(file, store),
    listen: { host, port: Number(port) },
    chain,
    minConfirmations: min_confirmations,
    schemes: schemes?.map(name => schemeAt(dirname(file), name)) ?? own,
    lendsMsat: new Map(Object.entries(credit).map(([account, sat]) => [account, BigInt(sat) * 1_000n])),
  };
}

function readPlain(file: string): unknown {
  const text = readInput(file);
  try {
    return parse(text, { maxAliasCount: 100 }) ?? {};
  } catch (error) {
    throw new OperatorError('CONFIG_BAD_LINE', `${file}: ${(error as Error).message.split('\n')[0]}`, 2);
  }
}

function check<S extends z.ZodType>(file: string, plain: unknown, schema: S): z.output<S> {
  const parsed = schema.safeParse(plain);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  if (issue.code === 'unrecognized_keys')
    throw new OperatorError(
      'CONFIG_UNKNOWN_OPTION',
      `${file}: there is no option ${[...issue.path, issue.keys[0]].join('.')}`,
      2,
    );
  throw new OperatorError('CONFIG_BAD_VALUE', `${file}: ${issue.path.join('.')}: ${issue.message}`, 2);
}
