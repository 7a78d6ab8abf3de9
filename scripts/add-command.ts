import { resolve } from 'node:path';
import { exitCode, OperatorError } from '../src/base/fault.ts';
import { parsePrice } from '../src/payment/price.ts';
import type { GlobalOptions } from './global-options.ts';
import { runningNetwork } from './network-state.ts';
import { askSupervisor } from './supervisor-socket.ts';
import type { Terminal } from './terminal.ts';

interface AddOptions extends GlobalOptions {
  readonly exit?: boolean;
  readonly nickname?: string;
  readonly price?: string;
}

/** Adds a relay to the running network, and returns once circuits can go over it. */
export async function add(options: AddOptions, terminal: Terminal, [kind]: string[]): Promise<undefined> {
  const dir = resolve(options.dataDir);
  runningNetwork(dir);
  const { nickname, price, exit = false } = options;
  const wrong = wrongWish(kind, options);
  if (wrong !== undefined) throw new OperatorError('USAGE', wrong, exitCode.usage);
  terminal.say('waiting until the network lists it');
  const node = await askSupervisor(dir, { add: kind as 'relay' | 'tor', exit, nickname, price });
  terminal.object(node);
  terminal.print(`${node.name}  or ${node.listens.or}${node.price === undefined ? '' : `  ${node.price}`}`);
  return undefined;
}

function wrongWish(kind: string, { nickname, price }: AddOptions): string | undefined {
  if (kind !== 'relay' && kind !== 'tor') return `there is no kind of node ${kind}; there are relay and tor`;
  if (kind === 'tor' && price !== undefined) return 'C tor takes no payment; leave the price out';
  if (nickname !== undefined && !/^[a-zA-Z0-9]{1,19}$/.test(nickname))
    return `${nickname} is no nickname: 1 to 19 letters and digits`;
  const parsed = price === undefined ? undefined : parsePrice(price);
  return parsed?.ok === false ? `--price ${price}: ${parsed.fault.detail ?? 'not a price'}` : undefined;
}
