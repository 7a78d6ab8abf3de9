import { resolve } from 'node:path';
import { getCommand } from '../client/get-command.ts';
import { streamCommand } from '../client/stream-command.ts';
import type { GlobalOptions } from './global-options.ts';
import { interruption } from './interruption.ts';
import { clientControl, runningNetwork } from './network-state.ts';
import type { Terminal } from './terminal.ts';

interface CircuitFlags extends GlobalOptions {
  readonly control?: string;
  readonly path?: readonly string[];
  readonly hops?: number;
  readonly window?: number | 'auto';
  readonly maxSpend?: number;
}

/** The control socket that was named, or that of the network in the data folder. */
export function controlSocket(options: GlobalOptions & { readonly control?: string }): string {
  return options.control === undefined
    ? clientControl(runningNetwork(resolve(options.dataDir)))
    : resolve(options.control);
}

export async function get(
  options: CircuitFlags & { readonly output?: string },
  terminal: Terminal,
  [url]: string[],
): Promise<number> {
  const stopping = interruption();
  try {
    const { output } = options;
    return await getCommand(url, { ...circuitOptions(options), output, signal: stopping.signal }, terminal);
  } finally {
    stopping.done();
  }
}

export async function stream(options: CircuitFlags, terminal: Terminal, [target]: string[]): Promise<number> {
  const stopping = interruption();
  try {
    return await streamCommand(target, { ...circuitOptions(options), signal: stopping.signal }, terminal);
  } finally {
    stopping.done();
  }
}

function circuitOptions(options: CircuitFlags) {
  const { path, hops, window, maxSpend } = options;
  const maxSpendSat = maxSpend === undefined ? undefined : BigInt(maxSpend);
  return { control: controlSocket(options), path, hops, window, maxSpendSat };
}
