import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { labUrl } from './lab-server.ts';
import { runNaulon } from './naulon.fixture.ts';
import { type NetworkState, readNetworkState } from './network-state.ts';

const timeoutMs = 180_000;
let root: string;
let dir: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'naulon-asking-test-'));
  dir = join(root, 'net');
});
afterEach(async () => {
  await naulon('down');
  rmSync(root, { recursive: true, force: true });
}, 60_000);

const naulon = (...args: string[]) => runNaulon([...args, '--data-dir', dir]);

/** Inodes of the sockets that lead to one of these ports of this machine, or did until a moment ago. */
function socketsTo(ports: ReadonlySet<number>): Set<string> {
  const rows = readFileSync('/proc/net/tcp', 'utf8').trim().split('\n').slice(1);
  const fields = rows.map(row => row.trim().split(/\s+/));
  return new Set(fields.filter(each => ports.has(parseInt(each[2].split(':')[1], 16))).map(each => each[9]));
}

/** Names of the nodes whose processes hold a socket to the party port of the broker or of a relay. */
function nodesAtParties({ nodes, broker }: NetworkState): Set<string> {
  const addresses = [broker?.address ?? '', ...nodes.map(({ listens }) => listens.party ?? '')];
  const sockets = socketsTo(new Set(addresses.filter(Boolean).map(each => Number(each.split(':').at(-1)))));
  return new Set(
    nodes
      .filter(({ process: { pid } }) =>
        readdirSync(`/proc/${pid}/fd`).some(fd => sockets.has(inodeOf(`/proc/${pid}/fd/${fd}`) ?? '')),
      )
      .map(({ name }) => name),
  );
}

function inodeOf(file: string): string | undefined {
  try {
    return /^socket:\[(\d+)\]$/.exec(readlinkSync(file))?.[1];
  } catch {
    return undefined;
  }
}

/** A network with assistants in which the client has paid; who connected to parties of payments meanwhile, while it was watched. */
async function askersOf(askParties: string): Promise<Set<string>> {
  const file = join(root, 'net.yaml');
  const relays = 'relays: [{count: 1, flags: [guard]}, {count: 1}, {count: 1, exit: true}]';
  writeFileSync(file, `${relays}\npay: {scheme: cpay, ask_parties: ${askParties}}\n`);
  const up = await naulon('up', '-d', file);
  expect({ code: up.code, err: up.code === 0 ? '' : up.err }).toEqual({ code: 0, err: '' });
  const state = readNetworkState(dir) as NetworkState;
  const seen = new Set<string>();
  const look = setInterval(() => {
    for (const name of nodesAtParties(state)) seen.add(name);
  }, 20);
  const url = labUrl(state.lab, { seed: 'asked', bytes: 2_000_000 });
  const got = await naulon('get', url, '-o', join(root, 'got'), '--json');
  clearInterval(look);
  expect({ code: got.code, err: got.code === 0 ? '' : got.err }).toEqual({ code: 0, err: '' });
  expect(JSON.parse(got.out).payments).toBeGreaterThanOrEqual(3);
  return seen;
}

it(
  'a client pays through a broker and assistants, and none of them sees it',
  async () => {
    const seen = await askersOf('circuit');
    expect([...seen]).not.toContain('client');
    expect([...seen].some(name => /^(guard|middle|exit)/.test(name))).toBe(true);
  },
  timeoutMs,
);

it(
  'a client that is told to ask directly is seen',
  async () => {
    expect([...(await askersOf('direct'))]).toContain('client');
  },
  timeoutMs,
);
