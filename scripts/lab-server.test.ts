import { createHash } from 'node:crypto';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { download } from './download.ts';
import { type LabServer, startLabServer } from './lab-server.ts';
import { seededChunks, seededSha256 } from './seeded-bytes.ts';

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

describe('a download', () => {
  const connected = () =>
    new Promise<Socket>(ready => {
      const socket = connect(lab.port, '127.0.0.1', () => ready(socket));
    });

  it('comes whole, with progress', async () => {
    const file = { seed: 'x', bytes: 3_000_000 };
    let last = 0;
    const got = await download(await connected(), lab.url(file), bytes => {
      expect(bytes).toBeGreaterThanOrEqual(last);
      last = bytes;
    });
    expect(got).toMatchObject({ bytes: file.bytes, sha256: await seededSha256(file) });
    expect(last).toBe(file.bytes);
  });

  it('says so when the server has no such file', async () => {
    const refused = download(await connected(), `http://127.0.0.1:${lab.port}/nothing`, () => {});
    await expect(refused).rejects.toMatchObject({ code: 'DOWNLOAD_REFUSED', exitCode: 1 });
  });

  it('says so when it ends early', async () => {
    const short = createServer(socket => socket.end('HTTP/1.0 200 OK\r\ncontent-length: 10\r\n\r\nonly'));
    await new Promise<void>(ready => short.listen(0, '127.0.0.1', ready));
    const { port } = short.address() as AddressInfo;
    const socket = connect(port, '127.0.0.1');
    const cut = download(socket, `http://127.0.0.1:${port}/x`, () => {});
    await expect(cut).rejects.toMatchObject({ code: 'DOWNLOAD_SHORT' });
    short.close();
  });
});
