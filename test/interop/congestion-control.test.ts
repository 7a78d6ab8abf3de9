import { mkdirSync } from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectThrough } from '../../client/socks-connect.ts';
import { type ClientControl, controlOf } from '../../scripts/client-control.ts';
import { parseNetFile, relaysOf } from '../../scripts/net-file.ts';
import { writeClient, writeRelay } from '../../scripts/network-config.ts';
import { splitAddress } from '../../scripts/network-ports.ts';
import { until } from '../lab-network.fixture.ts';
import { hasTor, type TorClient } from './c-tor.fixture.ts';
import { FarEnd, receive, Sending } from './far-end.fixture.ts';
import './interop-table.ts';
import { TorNetwork } from './tor-network.fixture.ts';

const timeoutMs = 240_000;
const link = '3-5';
const plan = parseNetFile(
  'ours',
  `
relays: [{count: 1, flags: [guard]}, {count: 1}, {count: 1, exit: true}]
link_protocols: ${link}
pay: {scheme: none}
`,
);
const [transferBytes, trickleBytes] = [20_000_000, 262_144];
/** More than all sockets on the way hold. At the rate that XON tells after a standstill, C tor takes half a minute for it. */
const restBytes = 12_000_000;

/** A stream from a program's end to a server's, and who it goes over. */
interface Dialled {
  readonly near: Socket;
  readonly far: Socket;
}

type Direction = 'down' | 'up';

const ends = ({ near, far }: Dialled, direction: Direction) =>
  direction === 'down' ? { from: far, to: near } : { from: near, to: far };

/** Bytes from one end to the other, all of them and no others. Returns how many. */
async function carried(dialled: Dialled, direction: Direction, bytes: number): Promise<number> {
  const { from, to } = ends(dialled, direction);
  const sending = new Sending(from);
  sending.put(bytes);
  const sent = sending.end();
  const got = await receive(to, sent.bytes);
  expect(got).toEqual(sent);
  return got.bytes;
}

/**
 * Sends to an end that reads nothing, until XOFF was `told`; then nothing moves. Once it reads, XON must be told, and
 * all of it comes.
 */
async function readLate(
  dialled: Dialled,
  direction: Direction,
  told: (signal: 'XOFF' | 'XON') => boolean,
): Promise<number> {
  const { from, to } = ends(dialled, direction);
  const sending = new Sending(from);
  // C tor sends XOFF when DATA comes a while after too much of it has begun to wait.
  const trickled = () => {
    sending.put(trickleBytes);
    return told('XOFF');
  };
  await until(trickled, 'XOFF is told');
  expect(told('XON')).toBe(false);
  sending.put(restBytes);
  expect(await sending.standstill()).toBeGreaterThan(0);
  const sent = sending.end();
  const got = await receive(to, sent.bytes);
  expect(got).toEqual(sent);
  expect(told('XON')).toBe(true);
  return got.bytes;
}

describe.skipIf(!hasTor())('congestion control', () => {
  let network: TorNetwork;
  let farEnd: FarEnd;
  let tor: TorClient;
  let control: ClientControl;
  let socks: string;
  let users = 0;

  beforeAll(async () => {
    farEnd = await FarEnd.listen();
    network = await TorNetwork.start(farEnd.address);
    const folder = (name: string) => {
      const made = join(network.dir, name);
      mkdirSync(made, { mode: 0o700 });
      return made;
    };
    const chain = { rpcUrl: '', cookieFile: '' };
    const shared = { authorities: [network.trusted], exitTo: network.exitTo, chain, plan };
    const relays = relaysOf(plan);
    for (const relay of relays) {
      const { args } = writeRelay({ ...relay, ...shared, dir: folder(relay.nickname) });
      await network.add(relay.nickname, args);
    }
    await network.lists('tor1', 'tor2', 'torexit', ...relays.map(({ nickname }) => nickname));
    const written = writeClient({ ...shared, dir: folder('client'), socks: 'auto' });
    const client = await network.add('client', written.args);
    socks = written.listensOf(client.readyLine).socks;
    control = await controlOf(written.control);
    tor = await network.client();
    await tor.control.ask('SETEVENTS CIRC STREAM ADDRMAP CIRC_BW');
  }, timeoutMs);
  afterAll(async () => {
    control?.close();
    await network?.stop();
    await farEnd?.close();
  }, timeoutMs);

  const dial = async (through: string, user: string): Promise<Dialled> => {
    const [host, port] = splitAddress(farEnd.address);
    const near = await connectThrough({ socks: through, user, password: user }, host, port);
    return { near, far: await farEnd.accept() };
  };

  /** A stream of C tor's over that path, on a circuit of its own. */
  const dialTor = async (path: readonly string[]) => {
    const circuit = await tor.extend(path);
    const dialled = await tor.over(circuit, user => dial(tor.socks, user));
    const sent = await tor.control.event(new RegExp(`^STREAM \\d+ SENTCONNECT ${circuit} `));
    return { ...dialled, circuit, stream: sent.split(' ')[1] };
  };

  /** The same of ours; says of each hop whether it has congestion control. */
  const dialOurs = async (path: readonly string[]) => {
    users += 1;
    const user = `user${users}`;
    const { hops } = await control.openCircuit(path, user);
    return { ...(await dial(socks, user)), congestion: hops.map(hop => hop.congestionControl) };
  };

  it.for([
    ['guard1', 'middle1', 'exit1'],
    ['tor1', 'middle1', 'exit1'],
    ['guard1', 'tor2', 'torexit'],
  ])('a C tor client agrees on it over %s > %s > %s', { timeout: timeoutMs }, async (path, { task }) => {
    const told = { scenario: 'C tor client, congestion control', link, path: path.join(' > ') };
    task.meta.interop = told;
    const down = await dialTor(path);
    let bytes = await carried(down, 'down', transferBytes);
    // C tor tells of a congestion window only where it was agreed on.
    await tor.control.event(new RegExp(`^CIRC_BW ID=${down.circuit} .* CWND=\\d+`));
    bytes += await carried(await dialTor(path), 'up', transferBytes);
    task.meta.interop = { ...told, bytes };
    expect(tor.warnings).toEqual([]);
  });

  it.for([
    ['tor1', 'tor2', 'torexit'],
    ['guard1', 'tor2', 'torexit'],
    ['tor1', 'guard1', 'torexit'],
    ['tor1', 'tor2', 'exit1'],
    ['guard1', 'middle1', 'exit1'],
  ])('our client agrees on it over %s > %s > %s', { timeout: timeoutMs }, async (path, { task }) => {
    const told = { scenario: 'our client, congestion control', link, path: path.join(' > ') };
    task.meta.interop = told;
    const down = await dialOurs(path);
    expect(down.congestion).toEqual([false, false, true]);
    let bytes = await carried(down, 'down', transferBytes);
    bytes += await carried(await dialOurs(path), 'up', transferBytes);
    task.meta.interop = { ...told, bytes };
  });

  it.for([
    ['down', 'XOFF from C tor to our exit'],
    ['up', 'XOFF from our exit to C tor'],
  ] as const)(
    'a C tor client reads late, or our exit does: %s',
    { timeout: timeoutMs },
    async ([direction, scenario], { task }) => {
      const path = ['guard1', 'middle1', 'exit1'];
      const told = { scenario, link, path: path.join(' > ') };
      task.meta.interop = told;
      const dialled = await dialTor(path);
      const way = direction === 'down' ? 'SENT' : 'RECV';
      const bytes = await readLate(dialled, direction, signal =>
        tor.control.events.some(event => event.startsWith(`STREAM ${dialled.stream} ${signal}_${way} `)),
      );
      task.meta.interop = { ...told, bytes };
      expect(tor.warnings).toEqual([]);
    },
  );

  it.for([
    ['down', 'XOFF from our client to a C tor exit', { XOFF: 'Got XOFF!', XON: 'Got XON:' }],
    ['up', 'XOFF from a C tor exit to our client', { XOFF: 'Sending XOFF:', XON: 'Sending XON:' }],
  ] as const)(
    "our client reads late, or C tor's exit does: %s",
    { timeout: timeoutMs },
    async ([direction, scenario, lines], { task }) => {
      const path = ['tor1', 'tor2', 'torexit'];
      const told = { scenario, link, path: path.join(' > ') };
      task.meta.interop = told;
      const before = network.streamLog('torexit').length;
      const bytes = await readLate(await dialOurs(path), direction, signal =>
        network.streamLog('torexit').slice(before).includes(lines[signal]),
      );
      task.meta.interop = { ...told, bytes };
    },
  );
});
