import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { type Bitcoind, startBitcoind } from '../regtest/bitcoind.ts';
import { openFunds } from '../regtest/funds.ts';
import { runNaulon } from '../scripts/naulon.fixture.ts';
import { accountOf, accountSat, brokerOf, fundAccounts, withBroker } from '../scripts/network-broker.ts';
import { startNode } from '../scripts/node-process.ts';

let folder: string;
let bitcoind: Bitcoind;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'naulon-mounted-'));
  bitcoind = await startBitcoind();
});

afterAll(async () => {
  await bitcoind.stop();
  rmSync(folder, { recursive: true, force: true });
});

it('serves documents and accounts from one process, and has both after a restart', async () => {
  const args = ['dirauth', '-f', written('torrc', torrc()), '--pay', written('pay.yaml', stringify(pay()))];
  const command = { name: 'auth1', args, log: join(folder, 'log'), readyLine: /"ready"/, readyMsMax: 60_000 };
  const first = await startNode(command);
  const broker = brokerOf(first.readyLine);
  const certificate = await certificateOf(first.readyLine);
  expect(certificate).toContain('dir-key-certificate-version 3');
  await fundAccounts(broker, { broker: join(folder, 'broker'), client: folder }, await openFunds(bitcoind));
  await first.stop();
  await expect(first.ended).resolves.toMatchObject({ code: 0 });

  const second = await startNode(command);
  const again = brokerOf(second.readyLine);
  expect(again.key).toBe(broker.key);
  expect(await certificateOf(second.readyLine)).toBe(certificate);
  const { msat } = await withBroker(again.address, each => each.balance(accountOf(folder)));
  expect(msat).toBe(accountSat * 1_000n);
  await second.stop();
}, 120_000);

it('names what is wrong with its section of pay.yaml', async () => {
  const broken = written('broken.yaml', stringify({ broker: { ...pay().broker, listens: 1 } }));
  const { code, err } = await runNaulon(['dirauth', '-f', written('torrc', torrc()), '--pay', broken]);
  expect(code).toBe(2);
  expect(err).toContain('broker.listens');
});

function torrc(): string {
  return [
    'TestingTorNetwork 1',
    'AuthoritativeDirectory 1',
    'V3AuthoritativeDirectory 1',
    'Nickname auth1',
    'Address 127.0.0.1',
    'ORPort 127.0.0.1:auto',
    'DirPort 127.0.0.1:auto',
    `DataDirectory ${join(folder, 'authority')}`,
    '',
  ].join('\n');
}

function pay() {
  const chain = { rpc: bitcoind.rpcUrl, cookie: bitcoind.cookieFile };
  return { broker: { data_directory: 'broker', listen: '127.0.0.1:0', chain } };
}

function written(name: string, text: string): string {
  const file = join(folder, name);
  writeFileSync(file, text);
  return file;
}

async function certificateOf(ready: string): Promise<string> {
  const { dirPort } = JSON.parse(ready) as { dirPort: number };
  return (await fetch(`http://127.0.0.1:${dirPort}/tor/keys/authority`)).text();
}
