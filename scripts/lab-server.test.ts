import { createHash } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { connect, createServer, type Server } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { download } from './download.ts';
import { type LabServer, labUrl, startLabServer } from './lab-server.ts';
import { seededChunks, seededSha256 } from './seeded-bytes.ts';
import { connectThrough } from './socks-client.ts';

let lab: LabServer;
beforeAll(async () => {
  lab = await startLabServer();
});
afterAll(() => lab.close());

it('serves the bytes whose hash is known beforehand, whatever their number', async () => {
  for (const bytes of [0, 1, 65_535, 65_536, 65_537, 1_000_000]) {
    const file = { seed: `seed ${bytes}`, bytes };
    const response = await fetch(lab.url(file));
    const body = Buffer.from(await response.arrayBuffer());
    expect(body.length).toBe(bytes);
    expect(createHash('sha256').update(body).digest('hex')).toBe(await seededSha256(file));
  }
});

it('gives other bytes for another seed', () => {
  const [one] = seededChunks({ seed: '1', bytes: 32 });
  const [two] = seededChunks({ seed: '2', bytes: 32 });
  expect(one.equals(two)).toBe(false);
});

it('refuses what it does not have', async () => {
  const base = `http://127.0.0.1:${lab.port}`;
  for (const path of ['/', '/seed', '/seed/12x', '/seed/99999999999'])
    expect((await fetch(base + path)).status).toBe(404);
});

describe('a download through a SOCKS5 proxy', () => {
  let proxy: Server;
  let address: string;
  let signedIn: string[] = [];

  /** Answers one request in the shape of RFC 1928, and connects to the target itself. */
  beforeAll(async () => {
    proxy = createServer(socket => {
      let step = 0;
      socket.on('error', () => {});
      socket.on('data', chunk => {
        if (step === 0) socket.write(Uint8Array.of(5, chunk[2]));
        else if (step === 1 && chunk[0] === 1) {
          signedIn.push(chunk.subarray(2, 2 + chunk[1]).toString());
          socket.write(Uint8Array.of(1, 0));
          return;
        } else if (step === 1) {
          const port = chunk.readUInt16BE(chunk.length - 2);
          if (port !== lab.port) {
            socket.end(Uint8Array.of(5, 5, 0, 1, 0, 0, 0, 0, 0, 0));
            return;
          }
          const target = connect(port, '127.0.0.1');
          socket.removeAllListeners('data');
          socket.write(Uint8Array.of(5, 0, 0, 1, 127, 0, 0, 1, 0, 0));
          socket.pipe(target).pipe(socket);
        }
        step = 1;
      });
    });
    await new Promise<void>(ready => proxy.listen(0, '127.0.0.1', ready));
    address = `127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  });
  afterAll(() => void proxy.close());

  it('comes whole, with progress', async () => {
    signedIn = [];
    const file = { seed: 'x', bytes: 3_000_000 };
    const url = labUrl(`127.0.0.1:${lab.port}`, file);
    const socket = await connectThrough({
      proxy: address,
      host: '127.0.0.1',
      port: lab.port,
      user: 'a',
      password: 'b',
    });
    let last = 0;
    const got = await download(socket, url, bytes => {
      expect(bytes).toBeGreaterThanOrEqual(last);
      last = bytes;
    });
    expect(got).toMatchObject({ bytes: file.bytes, sha256: await seededSha256(file) });
    expect(last).toBe(file.bytes);
    expect(signedIn).toEqual(['a']);
  });

  it('says why a connection is refused', async () => {
    const refused = connectThrough({ proxy: address, host: '127.0.0.1', port: 1 });
    await expect(refused).rejects.toMatchObject({
      exitCode: 4,
      message: expect.stringContaining('refused by the target'),
    });
  });

  it('says so when the server has no such file', async () => {
    const socket = await connectThrough({ proxy: address, host: 'localhost', port: lab.port });
    const refused = download(socket, `http://127.0.0.1:${lab.port}/nothing`, () => {});
    await expect(refused).rejects.toMatchObject({ code: 'DOWNLOAD_REFUSED' });
  });
});
