import type { CircuitReport } from '../client/circuit-report.ts';
import { type ClientControl, controlOf } from '../scripts/client-control.ts';
import { parseNetFile } from '../scripts/net-file.ts';
import { splitAddress } from '../scripts/network-ports.ts';
import type { NetworkState, NodeState } from '../scripts/network-state.ts';
import { NetworkStart } from '../scripts/spawn-network.ts';
import { type ShapedRelay, shapeByNetem, startNamespaceNetwork } from './netem.ts';
import type { Stage } from './run-bench.ts';
import { type WideArea, writeShapedProgram } from './wide-area.ts';

/** The relays with a price, and the same once more free of charge, as the control. */
export type Tariff = 'paid' | 'free';

const relaysOf: Readonly<Record<Tariff, readonly string[]>> = {
  paid: ['guard1', 'middle1', 'exit1'],
  free: ['guard2', 'middle2', 'exit2'],
};

/** Exits of a wide-area network that are as far away as the whole path of three is long. */
const farExits: Readonly<Record<Tariff, string>> = { paid: 'exit3', free: 'exit4' };

/** A network of our own: three relays that are paid, three that cost nothing, one client. */
export interface PaidLab {
  readonly state: NetworkState;
  readonly control: ClientControl;
  /** A circuit that streams of that user go over. Wallet or account is filled first, should it need that. */
  open(tariff: Tariff, hops: 1 | 3, user: string, windowCells?: number): Promise<CircuitReport>;
  /** Processes of the nodes on a path of three hops, the client among them, by what they are. */
  pids(tariff: Tariff): Readonly<Record<'client' | 'guard' | 'middle' | 'exit', number>>;
  /** The process behind the payments: the broker, or bitcoind where there is none. */
  readonly thirdParty: number;
}

export interface PaidLabOptions {
  /** Of the paid relays, as net.yaml has it. */
  readonly price: string;
  /** How they are paid, by the names of pay.yaml; absent: over Bitcoin channels. */
  readonly scheme?: string;
  readonly variant?: string;
  readonly channelSizeSat?: number;
  readonly bitcoind?: string;
  /** Of the consensus. */
  readonly params?: Readonly<Record<string, number>>;
  /** Servers of this machine that the exits may reach, beside the lab's own. */
  readonly exitTo?: readonly string[];
  /** How far away the last hop is, of one as of three; absent: all is on loopback. */
  readonly wide?: WideArea;
}

/** Starts it; it ends with the stage. */
export async function startPaidLab(stage: Stage, options: PaidLabOptions): Promise<PaidLab> {
  const { terminal, dir } = stage;
  const { price, scheme, variant, channelSizeSat, wide } = options;
  const free = '0 sat/GiB';
  const group = (price: string) =>
    ['flags: [guard]', 'flags: [middle]', 'exit: true'].map(kind => `  - {${kind}, price: ${price}}`);
  const plan = [
    'relays:',
    ...group(price),
    ...group(free),
    ...(wide === undefined ? [] : [price, free].map(each => `  - {exit: true, price: ${each}}`)),
    `pay: ${JSON.stringify({ scheme, variant, channel_size: channelSizeSat })}`,
    `params: ${JSON.stringify(options.params ?? {})}`,
  ];
  const start = new NetworkStart({
    dir,
    plan: parseNetFile('the benchmark', plan.join('\n')),
    bitcoind: options.bitcoind,
    program: wide?.by === 'links' ? writeShapedProgram(dir, wide, Object.values(farExits)) : undefined,
    exitTo: options.exitTo ?? [],
    say: line => terminal.detail(line),
    signal: stage.signal,
    removeWhenOrphaned: dir,
  });
  stage.defer(() => start.stop());
  terminal.say(`starting bitcoind, an authority, three priced relays and three free ones${paidHow(options)}`);
  if (wide?.by === 'netem') await startNamespaceNetwork();
  await start.chain();
  await start.nodes();
  const { state } = start.network();
  const { broker } = state;
  if (wide?.by === 'netem') await shapeByNetem(wide, state.nodes.flatMap(shapedRelay));
  const control = await controlOf(state.control);
  stage.defer(async () => control.close());
  const pidOf = (name: string): number => state.nodes.find(node => node.name === name)?.process.pid ?? 0;
  return {
    state,
    control,
    open: async (tariff, hops, user, windowCells) => {
      if (tariff === 'paid') await (broker === undefined ? start.fund(control) : start.fundAccounts());
      const path = wide && hops === 1 ? [farExits[tariff]] : relaysOf[tariff].slice(-hops);
      return control.openCircuit(path, user, windowCells);
    },
    pids: tariff => {
      const [guard, middle, exit] = relaysOf[tariff].map(pidOf);
      return { client: pidOf('client'), guard, middle, exit };
    },
    thirdParty: pidOf(broker === undefined ? 'bitcoind' : 'broker'),
  };
}

function paidHow({ scheme, variant }: PaidLabOptions): string {
  const names = [scheme, variant].filter(name => name !== undefined);
  return names.length === 0 ? '' : `, paid by ${names.join(', ')}`;
}

function shapedRelay({ name, role, listens }: NodeState): ShapedRelay[] {
  if (role !== 'relay') return [];
  const [, orPort] = splitAddress(listens.or);
  return [{ orPort, hops: Object.values(farExits).includes(name) ? 1 : 3 }];
}
