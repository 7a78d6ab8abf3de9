import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { connectThrough } from '../client/socks-connect.ts';
import { readFileStore } from '../src/node-io/file-store.ts';
import { isRunning } from '../src/node-io/process-identity.ts';
import { SystemEntropy } from '../src/node-io/system-entropy.ts';
import type { BrokeredNode } from '../src/payment/brokered.ts';
import type { SchemeHost } from '../src/payment/scheme.ts';
import { brokeredScheme } from '../src/schemes/brokered.ts';
import { download } from './download.ts';
import { labUrl } from './lab-server.ts';
import { runNaulon } from './naulon.fixture.ts';
import { parseNetFile } from './net-file.ts';
import { accountOf, withBroker } from './network-broker.ts';
import { type NodeProcess, startNode } from './node-process.ts';
import { type Network, spawnNetwork } from './spawn-network.ts';

const timeoutMs = 300_000;
let root: string;
let network: Network | undefined;
let relay: NodeProcess | undefined;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'naulon-purse-test-'));
});
afterEach(async () => {
  await relay?.stop();
  await network?.stop();
  [relay, network] = [undefined, undefined];
  if (process.env.KEEP === undefined) rmSync(root, { recursive: true, force: true });
  else console.log(root);
}, 60_000);

/** The relay whose operator has a client in its process; the client's and the operator's paths differ in it alone. */
const spender = 'middle2';
const clientPath = ['guard1', spender, 'exit1'];
const operatorPath = ['guard1', 'middle1', 'exit1'];
const dirOf = (node: string) => join(root, 'net', node);

async function spawnIt(scheme: string): Promise<Network> {
  const text = `relays: [{count: 1, flags: [guard]}, {count: 2}, {count: 1, exit: true}]\npay: {scheme: ${scheme}, window: 256}`;
  const plan = parseNetFile('net.yaml', text);
  return spawnNetwork({ dir: join(root, 'net'), plan, exitTo: [], say: () => {} });
}

/** Runs the relay as its operator would by hand, in place of the process that it ran in. */
async function runRelay(): Promise<NodeProcess> {
  const node = network?.state.nodes.find(({ name }) => name === spender);
  if (node !== undefined && isRunning(node.process)) {
    process.kill(node.process.pid, 'SIGTERM');
    await settled(() => !isRunning(node.process));
  }
  await relay?.stop();
  const dir = dirOf(spender);
  return startNode({
    name: spender,
    args: ['relay', '-f', join(dir, 'torrc'), '--pay', join(dir, 'pay.yaml')],
    log: join(dir, 'log'),
    readyLine: /"event":"ready"/,
    readyMsMax: 60_000,
  });
}

async function settled(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await pause(100);
}

/** What a node's own records say of its coins, in msat. */
async function purseOf(scheme: string, node: string) {
  const store = readFileStore(dirOf(node));
  try {
    const never = (): never => {
      throw new Error('records are read alone');
    };
    const host: SchemeHost = {
      clock: { monotonicMs: () => 0, wallMs: () => Date.now(), after: () => () => {} },
      entropy: new SystemEntropy(),
      chain: { broadcast: never, output: never, feerate: never, watch: never, unwatch: never },
      store: { get: key => store.get(key), list: prefix => store.list(prefix), commit: never },
      parties: { ask: never },
      observer: { log: () => {}, count: () => {} },
      newAsk: () => 1,
    };
    const none = { host: '127.0.0.1', port: 1 };
    const key = Buffer.from(network?.state.broker?.key ?? '', 'hex');
    const made = brokeredScheme(scheme)?.node({
      broker: { endpoint: none, key: new Uint8Array(key) },
      account: accountOf(dirOf(node)),
      self: none,
      variant: undefined,
    }) as BrokeredNode;
    made.payer(host);
    const { receivedMsat, partedMsat, spendableMsat } = made.desk;
    return { receivedMsat, partedMsat, spendableMsat };
  } finally {
    await store.close();
  }
}

const balanceOf = (node: string): Promise<bigint> =>
  withBroker(
    network?.state.broker?.address ?? '',
    async broker => (await broker.balance(accountOf(dirOf(node)))).msat,
  );

/** What the broker has ever sold of the scheme's coins, by its books, which bitcoind backs. */
async function soldMsat(scheme: string): Promise<bigint> {
  const books = await runNaulon(['books', '--json', '--data-dir', join(root, 'net')]);
  const told = JSON.parse(books.out) as { ok: boolean; schemes: { scheme: string; issuedMsat: string }[] };
  expect({ ok: told.ok, err: books.err }).toEqual({ ok: true, err: '' });
  return BigInt(told.schemes.find(each => each.scheme === scheme)?.issuedMsat ?? 0);
}

/** A client's download over the relay, which earns by it. */
async function earn(lab: string): Promise<void> {
  const url = labUrl(lab, { seed: 'earned', bytes: 4_000_000 });
  const args = ['get', url, '-o', join(root, 'got'), '--json', '--path', clientPath.join(',')];
  const got = await runNaulon([...args, '--data-dir', join(root, 'net')]);
  expect({ code: got.code, err: got.code === 0 ? '' : got.err }).toEqual({ code: 0, err: '' });
}

/** The operator's download through the relay's SocksPort. */
async function spend(lab: string, { readyLine }: NodeProcess): Promise<number> {
  const { socks } = JSON.parse(readyLine) as { socks: string[] };
  const [host, port] = lab.split(':');
  const through = await connectThrough(
    { socks: socks[0], user: 'operator', password: 'x' },
    host,
    Number(port),
  );
  return (await download(through, labUrl(lab, { seed: 'spent', bytes: 500_000 }), () => {})).bytes;
}

/** Its operator's client does not lead over the relay, even when asked to. */
async function expectNoOwnHop(lab: string, { readyLine }: NodeProcess): Promise<void> {
  const { control } = JSON.parse(readyLine) as { control: string };
  const url = labUrl(lab, { seed: 'own', bytes: 1 });
  const got = await runNaulon(['get', url, '--json', '--path', clientPath.join(','), '--control', control]);
  expect(JSON.parse(got.out).error.code).toBe('PATH_CONFLICT');
}

describe('a relay whose torrc has a SocksPort', () => {
  it.each([
    ['ppay', 'direct'],
    ['whopay', 'circuit'],
    ['cpay', 'circuit'],
  ])(
    'hands coins of %s that it earned on to the relays that its operator uses, and so after a restart (asking: %s)',
    async (scheme, askParties) => {
      network = await spawnIt(scheme);
      const { lab } = network.state;
      const torrc = join(dirOf(spender), 'torrc');
      const before = readFileSync(torrc, 'utf8');
      appendFileSync(torrc, 'SocksPort 127.0.0.1:auto\n');
      // It pays as it is paid: many small coins make up no large payment.
      appendFileSync(join(dirOf(spender), 'pay.yaml'), `window: 256\nask_parties: ${askParties}\n`);
      relay = await runRelay();
      await earn(lab);
      relay = await runRelay();
      const earned = await purseOf(scheme, spender);
      const sold = await soldMsat(scheme);
      expect(earned.receivedMsat).toBeGreaterThan(0n);
      expect(earned).toMatchObject({ partedMsat: 0n, spendableMsat: earned.receivedMsat });

      await expectNoOwnHop(lab, relay);
      expect(await spend(lab, relay)).toBe(500_000);
      // It had nothing in its account, and has nothing there: what it paid with is what it was paid with.
      expect(await soldMsat(scheme)).toBe(sold);
      expect(await balanceOf(spender)).toBe(0n);
      writeFileSync(torrc, before);
      relay = await runRelay();
      const spent = await purseOf(scheme, spender);
      expect(spent.partedMsat).toBeGreaterThan(0n);
      await settled(async () => (await balanceOf(spender)) === earned.receivedMsat - spent.partedMsat);

      const client = await purseOf(scheme, 'client');
      const others = await Promise.all(operatorPath.map(async node => purseOf(scheme, node)));
      const received = [earned, ...others].reduce((sum, { receivedMsat }) => sum + receivedMsat, 0n);
      expect(received).toBe(client.partedMsat + spent.partedMsat);
      await settled(async () => {
        const balances = await Promise.all(operatorPath.map(balanceOf));
        return balances.every((msat, at) => msat === others[at].receivedMsat);
      });
    },
    timeoutMs,
  );
});
