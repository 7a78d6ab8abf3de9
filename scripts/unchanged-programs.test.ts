import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readNetworkState } from './network-state.ts';
import { naulonFile } from './node-process.ts';

const run = promisify(execFile);
/** torsocks lets nobody reach a loopback address, so that server is at an address of this machine's network. */
const ownAddress = Object.values(networkInterfaces())
  .flat()
  .find(each => each !== undefined && !each.internal && each.family === 'IPv4')?.address;

const servers: Server[] = [];
let root: string;
let dir: string;
let socks: string;

/** A server that says where it was reached. */
async function serve(host: string): Promise<string> {
  const server = createServer((_, response) => response.end(`reached ${host}`));
  await new Promise<void>(listening => server.listen(0, host, listening));
  servers.push(server);
  const { port } = server.address() as AddressInfo;
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

const places: Record<string, string> = {};

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'naulon-programs-test-'));
  dir = join(root, 'net');
  for (const host of ['127.0.0.1', '::1', ...(ownAddress === undefined ? [] : [ownAddress])])
    places[host] = await serve(host);
  const net = join(root, 'net.yaml');
  const exitTo = Object.values(places).map(place => `'${place}'`);
  writeFileSync(
    net,
    `relays: [{count: 1, flags: [guard]}, {count: 1}, {exit: true}]\nexit_to: [${exitTo.join(', ')}]\n`,
  );
  await run(process.execPath, [naulonFile(), '--data-dir', dir, 'up', '-d', net]);
  socks = readNetworkState(dir)?.socks ?? '';
});

afterAll(async () => {
  await run(process.execPath, [naulonFile(), '--data-dir', dir, 'down']);
  for (const server of servers) server.close();
  rmSync(root, { recursive: true, force: true });
});

async function curl(...args: string[]): Promise<string> {
  const { stdout } = await run('curl', ['-sS', '-g', '--fail', '--max-time', '30', ...args]);
  return stdout;
}

describe('programs that know nothing of naulon', () => {
  it('curl reaches IPv4 addresses, IPv6 addresses and names', async () => {
    const ipv4 = places['127.0.0.1'];
    expect(await curl('--socks5-hostname', socks, `http://${ipv4}/`)).toBe('reached 127.0.0.1');
    expect(await curl('--socks5', socks, `http://${ipv4}/`)).toBe('reached 127.0.0.1');
    expect(await curl('--socks5-hostname', socks, `http://${places['::1']}/`)).toBe('reached ::1');
    const named = `http://localhost:${ipv4.split(':')[1]}/`;
    expect(await curl('--socks5-hostname', socks, named)).toBe('reached 127.0.0.1');
  });

  it('curl learns what went wrong', async () => {
    const refused = curl('--socks5-hostname', socks, 'http://10.255.1.2/');
    // 97: the proxy refused; SOCKS reply 2: its rules do not allow it.
    await expect(refused).rejects.toMatchObject({ code: 97, stderr: expect.stringContaining('(2)') });
  });

  it('a name is resolved at the exit (RESOLVE)', async () => {
    expect(await resolve('localhost')).toEqual([5, 0, 0, 1, 127, 0, 0, 1, 0, 0]);
  });

  it.skipIf(ownAddress === undefined)('torsocks takes curl through paid circuits', async () => {
    const [address, port] = socks.split(':');
    const args = ['-a', address, '-P', port, 'curl', '-sS', '--fail', '--max-time', '30'];
    const { stdout } = await run('torsocks', [...args, `http://${places[ownAddress as string]}/`]);
    expect(stdout).toBe(`reached ${ownAddress}`);
  });
});

/** The reply to Tor's own SOCKS5 command 0xF0. spec: socks-extensions (name lookup) */
function resolve(name: string): Promise<number[]> {
  const [host, port] = socks.split(':');
  return new Promise((replied, failed) => {
    const socket = connect(Number(port), host);
    let reply = Buffer.alloc(0);
    socket.on('error', failed).on('data', chunk => {
      reply = Buffer.concat([reply, chunk]);
      if (reply.length < 12) return;
      socket.destroy();
      replied([...reply.subarray(2)]);
    });
    const text = Buffer.from(name);
    socket.write(Buffer.concat([Buffer.of(5, 1, 0, 5, 0xf0, 0, 3, text.length), text, Buffer.of(0, 0)]));
  });
}
