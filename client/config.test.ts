import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { OperatorError } from '../src/base/fault.ts';
import { readClientConfig } from './config.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'naulon-config-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const fingerprint = 'AB'.repeat(20);
const hashed = '16:4EF17141B3AE709D60F443CB180C012DDC280085B603014C276C8E1D09';
const base = `DataDirectory /tmp/ours
DirAuthority auth orport=5001 v3ident=${fingerprint} 127.0.0.1:7001 ${fingerprint}
`;

function read(more: string) {
  const file = join(root, 'torrc');
  writeFileSync(file, `${base}${more}\n`);
  return readClientConfig(file, undefined);
}

function refusal(more: string): string {
  try {
    read(more);
    return 'accepted';
  } catch (error) {
    if (!(error instanceof OperatorError)) throw error;
    return `${error.code} ${error.message.replaceAll(`${root}/`, '')}`;
  }
}

describe('the control port', () => {
  it('is nowhere unless torrc says so', () =>
    expect(read('').torControl).toEqual({
      ports: [],
      socket: undefined,
      cookieFile: undefined,
      passwords: [],
    }));

  it('is where torrc says, with what admits a controller', () => {
    const more = `ControlPort auto\nControlPort 192.0.2.1:9051\nControlSocket /tmp/there\nCookieAuthentication 1\nHashedControlPassword ${hashed}`;
    const { torControl } = read(more);
    expect(torControl).toMatchObject({
      ports: [
        { host: '127.0.0.1', port: 0 },
        { host: '192.0.2.1', port: 9051 },
      ],
      socket: '/tmp/there',
      cookieFile: '/tmp/ours/control_auth_cookie',
    });
    expect(torControl.passwords).toHaveLength(1);
    expect(read('CookieAuthentication 1\nCookieAuthFile /tmp/cookie').torControl.cookieFile).toBe(
      '/tmp/cookie',
    );
  });

  it.each(['ControlPort 0', 'ControlSocket 0'])('is nowhere with %s', more =>
    expect(read(more).torControl).toMatchObject({ ports: [], socket: undefined }),
  );

  it.each([
    ['ControlPort 127.9.9.9:1', 'accepted'],
    ['ControlPort [::1]:1', 'accepted'],
    [`ControlPort 0.0.0.0:1\nHashedControlPassword ${hashed}`, 'accepted'],
    [
      'ControlPort 0.0.0.0:1',
      'CONFIG_BAD_VALUE torrc:3: ControlPort: 0.0.0.0 can be reached by others: set CookieAuthentication or HashedControlPassword',
    ],
    [
      'ControlPort 127.0.0.1:1\nControlPort [::]:1',
      'CONFIG_BAD_VALUE torrc:4: ControlPort: :: can be reached by others: set CookieAuthentication or HashedControlPassword',
    ],
    [
      'HashedControlPassword secret',
      'CONFIG_BAD_VALUE torrc:3: HashedControlPassword: must be what tor --hash-password writes',
    ],
    [
      'ControlSocket /tmp/ours/control',
      "CONFIG_BAD_VALUE torrc:3: ControlSocket: naulon's own commands talk to that socket",
    ],
  ])('%j: %s', (more, expected) => expect(refusal(more)).toBe(expected));
});

it('tells what it reads and does not do, lest somebody relies on it', () => {
  const more =
    'ExcludeNodes relay1\nStrictNodes 1\nSocksPort 9050 IsolateDestAddr IsolateSOCKSAuth\nLog notice stderr';
  expect(read(more).unused).toEqual(['ExcludeNodes', 'StrictNodes', 'SocksPort IsolateDestAddr']);
});

describe('whom payments involve besides', () => {
  const brokered = (more: string) => {
    const [torrc, pay] = [join(root, 'torrc'), join(root, 'pay.yaml')];
    writeFileSync(torrc, base);
    writeFileSync(
      pay,
      `scheme: payword\nbroker: {address: 127.0.0.1:8045, key: 02${'ab'.repeat(32)}}\n${more}`,
    );
    return readClientConfig(torrc, pay).settings.payment.askedThroughCircuits;
  };

  it('is asked through circuits unless pay.yaml says otherwise', () => {
    expect(brokered('')?.address).toEqual({ host: '127.0.0.1', port: 8045 });
    expect(brokered('ask_parties: circuit')?.key[0]).toBe(2);
    expect(brokered('ask_parties: direct')).toBeUndefined();
    expect(() => brokered('ask_parties: never')).toThrow(/pay.yaml:3: ask_parties/);
    expect(read('').settings.payment.askedThroughCircuits).toBeUndefined();
  });
});
