import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { parseTorrc } from '../src/config/torrc.ts';
import { parseDirAuthority } from '../src/directory/directory-authority.ts';
import { encodeRequest, type HttpResponse, HttpResponseReader } from '../src/directory/http-codec.ts';
import type { Observer } from '../src/ports.ts';
import { authorityConfig } from './config.ts';
import { dirauthMain } from './main.ts';
import { type RunningAuthority, startAuthority } from './start-authority.ts';

const folder = mkdtempSync(join(tmpdir(), 'naulon-authority-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const silent: Observer = { log() {}, count() {} };

async function start(...more: readonly string[]): Promise<RunningAuthority> {
  const text = [
    'TestingTorNetwork 1',
    'AuthoritativeDirectory 1',
    'V3AuthoritativeDirectory 1',
    'Nickname auth1',
    'Address 127.0.0.1',
    'ORPort 127.0.0.1:auto',
    'DirPort 127.0.0.1:auto',
    `DataDirectory ${join(folder, 'data')}`,
    ...more,
  ].join('\n');
  const torrc = parseTorrc(text, 'torrc');
  const config = torrc.ok ? authorityConfig(torrc.value) : torrc;
  if (!config.ok) throw new Error(config.fault.detail);
  return startAuthority(config.value, silent, error => {
    throw error;
  });
}

function get(port: number, path: string): Promise<HttpResponse> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(encodeRequest('GET', path, '127.0.0.1')));
    const reader = new HttpResponseReader();
    let last: ReturnType<HttpResponseReader['push']>;
    socket.on('data', bytes => {
      last ??= reader.push(new Uint8Array(bytes));
    });
    socket.on('end', () => {
      socket.end();
      if (last?.ok) resolve(last.value);
      else reject(new Error('no answer'));
    });
    socket.on('error', reject);
  });
}

test('an authority on real sockets serves its certificate, and is the same after a restart', async () => {
  const first = await start();
  const trusted = parseDirAuthority(first.dirAuthority);
  expect(trusted).toMatchObject({
    ok: true,
    value: { nickname: 'auth1', dirAddress: { port: first.dirPort } },
  });
  const certificate = await get(first.dirPort, '/tor/keys/authority');
  expect(new TextDecoder().decode(certificate.body)).toContain(`fingerprint ${first.v3Ident}`);
  expect(certificate.headers.get('x-your-address-is')).toBe('127.0.0.1');
  expect((await get(first.dirPort, '/tor/status-vote/current/consensus')).status).toBe(404);
  const data = join(folder, 'data');
  expect(statSync(join(data, 'authority-keys')).mode & 0o777).toBe(0o600);
  expect(statSync(data).mode & 0o777).toBe(0o700);
  expect(readFileSync(join(data, 'dir-authority-line'), 'utf8')).toBe(`DirAuthority ${first.dirAuthority}\n`);
  await first.stop();
  const second = await start();
  expect([second.fingerprint, second.v3Ident]).toEqual([first.fingerprint, first.v3Ident]);
  await second.stop();
});

test('one that names others must name itself too', async () => {
  const other = `DirAuthority auth2 orport=1 v3ident=${'AB'.repeat(20)} 127.0.0.1:2 ${'CD'.repeat(20)}`;
  await expect(start(other)).rejects.toMatchObject({ code: 'CONFIG_BAD_VALUE', exitCode: 2 });
  const alone = await start();
  await alone.stop();
  const both = await start(other, `DirAuthority ${alone.dirAuthority}`);
  await both.stop();
});

test('a wrong torrc is one line and a usage error', async () => {
  const file = join(folder, 'torrc');
  writeFileSync(file, 'Nickname a\nORPrt 9\n');
  await expect(dirauthMain(file)).rejects.toMatchObject({ code: 'CONFIG_UNKNOWN_OPTION', exitCode: 2 });
  const absent = dirauthMain(join(folder, 'none'));
  await expect(absent).rejects.toMatchObject({ code: 'CONFIG_UNREADABLE', exitCode: 2 });
});
