import { statSync } from 'node:fs';
import { dirname, extname, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { exitCode, OperatorError } from '../base/fault.ts';
import { schemeLoadMsMax } from '../base/limits.ts';
import { nearestName } from '../config/nearest.ts';
import type { PayConfig } from '../config/pay-config.ts';
import type { BrokeredScheme } from '../payment/brokered.ts';
import type { PaymentScheme } from '../payment/scheme.ts';
import { brokeredScheme, brokeredSchemes, type ChosenScheme } from '../schemes/brokered.ts';

/**
 * Schemes by what their operator calls them: a name of ours, or the path of an ES module whose default export is a scheme.
 * To load a module is to run it, with all that this process may do: none is ever loaded for what a peer or a file from
 * elsewhere says.
 */

const schemeNames = ['bitcoin-channel', 'memory-credit', ...brokeredSchemes.map(({ name }) => name)];
/** What cannot be the name of a module's scheme. */
const takenNames = new Set([...schemeNames, 'channel', 'none']);
/** Ids below are for schemes of the package. */
const outsideIdMin = 128;

/** True for the path of a module: it begins with `./`, `../` or `/`. */
export function isModulePath(name: string): boolean {
  return /^\.{0,2}\//.test(name);
}

/** A name as it is, and a module by its whole path. @param folder that a path is relative to. */
export function schemeAt(folder: string, name: string): string {
  return isModulePath(name) ? resolve(folder, name) : name;
}

/** pay.yaml with modules by their whole paths, and with the scheme of the command line, if there is one, in place of its own. */
export function payingBy(pay: PayConfig, payFile: string | undefined, scheme: string | undefined): PayConfig {
  const [folder, names] = scheme === undefined ? [dirname(payFile ?? ''), pay.scheme] : ['', [scheme]];
  return { ...pay, scheme: names.map(name => schemeAt(folder, name)) };
}

/** The line for a scheme that there is not. @param names those that there are. */
export function noScheme(name: string, names = schemeNames): string {
  const nearest = nearestName(name, names);
  const instead = nearest === undefined ? '' : ` did you mean ${nearest}?`;
  return `there is no scheme "${name}";${instead} there are ${names.join(', ')}; a module is named by its path, as ./${name === '' ? 'scheme' : name}.js`;
}

/** All of these, in this order; modules are loaded. Throws OperatorError, exit code 2, for what is no scheme. */
export async function chosenSchemes(names: readonly string[]): Promise<readonly ChosenScheme[]> {
  const chosen: ChosenScheme[] = [];
  const files = new Map<string | number, string>();
  for (const name of names) {
    const scheme = await chosenScheme(name);
    chosen.push(scheme);
    const outside = isModulePath(name) ? (scheme.brokered ?? scheme.brokerless) : undefined;
    for (const mark of outside === undefined ? [] : [outside.id, outside.name]) {
      const other = files.get(mark);
      if (other !== undefined) throw unusable(name, `it has the id or the name of ${other}`);
      files.set(mark, name);
    }
  }
  return chosen;
}

/** One of them. A module is run once in a process, however often it is asked for. */
export async function chosenScheme(name: string): Promise<ChosenScheme> {
  if (isModulePath(name)) return schemeIn(name, await exportedBy(name));
  if (schemeNames.includes(name)) return { name, brokered: brokeredScheme(name) };
  throw new OperatorError('CONFIG_BAD_VALUE', `scheme: ${noScheme(name)}`, exitCode.usage);
}

/** As chosenSchemes does, but only such as a broker stands behind. */
export async function chosenBrokered(names: readonly string[]): Promise<readonly BrokeredScheme[]> {
  return (await chosenSchemes(names)).map(({ brokered }, at) => {
    if (brokered !== undefined) return brokered;
    throw unusable(names[at], 'no broker stands behind it');
  });
}

async function exportedBy(file: string): Promise<unknown> {
  const found = statSync(file, { throwIfNoEntry: false });
  if (found === undefined) throw unusable(file, 'there is no such file');
  if (!found.isFile()) throw unusable(file, 'it is no file; name the module in it');
  try {
    const module: { readonly default?: unknown } = await inTime(file, import(pathToFileURL(file).href));
    return module.default;
  } catch (error) {
    if (error instanceof OperatorError) throw error;
    if ((error as { code?: unknown } | null)?.code === 'ERR_UNKNOWN_FILE_EXTENSION')
      throw unusable(file, `Node runs no ${extname(file)} file; build it to JavaScript and name that`);
    const [why] = String(error).split('\n');
    throw unusable(file, `it fails when it is loaded: ${why}`);
  }
}

/** A module may wait for something while it is loaded. */
async function inTime<T>(file: string, loaded: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const what = `it is not loaded after ${schemeLoadMsMax / 1_000} s: what it waits for does not come`;
    timer = setTimeout(() => reject(unusable(file, what)), schemeLoadMsMax);
  });
  try {
    return await Promise.race([loaded, late]);
  } finally {
    clearTimeout(timer);
  }
}

function schemeIn(file: string, exported: unknown): ChosenScheme {
  const brokered = offers<BrokeredScheme>(exported, ['node', 'broker', 'judge']) ? exported : undefined;
  const brokerless = offers<PaymentScheme>(exported, ['payee', 'payer']) ? exported : undefined;
  const scheme = brokered ?? brokerless;
  if (scheme === undefined)
    throw unusable(file, 'its default export is neither a BrokeredScheme nor a PaymentScheme');
  const { id, name } = scheme;
  if (!Number.isInteger(id) || id < outsideIdMin || id > 255)
    throw unusable(file, `its id is ${String(id)}; one from ${outsideIdMin} to 255 is needed`);
  if (typeof name !== 'string' || !/^[a-z][a-z0-9-]{0,31}$/.test(name))
    throw unusable(file, 'its name is not made of up to 32 of a-z, 0-9 and -');
  if (takenNames.has(name)) throw unusable(file, `its name, ${name}, is that of another scheme`);
  if (brokered === undefined) return { name, brokerless };
  if (!Array.isArray(brokered.variants)) throw unusable(file, 'its variants are no list');
  return { name, brokered };
}

function offers<T>(exported: unknown, calls: readonly (keyof T)[]): exported is T {
  if (typeof exported !== 'object' || exported === null) return false;
  return calls.every(call => typeof (exported as T)[call] === 'function');
}

function unusable(file: string, why: string): OperatorError {
  return new OperatorError('SCHEME_UNUSABLE', `scheme ${file}: ${why}`, exitCode.usage);
}
