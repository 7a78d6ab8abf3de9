import { expect, it, vi } from 'vitest';
import { scriptOfAddress } from '../bitcoin/wallet.ts';
import { SigningKey } from '../crypto/ecdsa.ts';
import { makeAccountRequest } from '../payment/account-request.ts';
import { AccountHolder, BrokerLab } from './broker-lab.fixture.ts';
import { plainBody, tillOperation, tillScheme, withdrawBody } from './money-messages.ts';

const most = vi.hoisted(() => 120);
const kept = vi.hoisted(() => 20);

vi.mock('../base/limits.ts', async original => ({
  ...(await original<object>()),
  walletAddressesMax: most,
  changeAddressesMin: kept,
}));

const script = scriptOfAddress('bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080') as Uint8Array;

function withdraw(lab: BrokerLab, holder: AccountHolder, sat: bigint, to = script) {
  const body = withdrawBody.encode({ operation: tillOperation.withdraw, sat, script: to });
  return lab.ask(holder, tillScheme, lab.request(holder, body));
}

/** An account of its own asks where to pay in. */
function addressOfStranger(lab: BrokerLab, by: AccountHolder) {
  const { entropy } = by.process.host;
  const body = plainBody.encode({ operation: tillOperation.address });
  return lab.ask(by, tillScheme, makeAccountRequest(SigningKey.fresh(entropy), entropy, body));
}

it('strangers who ask for all addresses keep nobody from the money that is there', () => {
  const lab = new BrokerLab('strangers', []);
  const [honest, stranger] = [new AccountHolder(lab, 'honest'), new AccountHolder(lab, 'stranger')];
  lab.fund(honest, 100_000n);
  const address = lab.addressOf(honest);
  const faults = Array.from({ length: most }, () => addressOfStranger(lab, stranger).fault);
  expect(faults.at(-1)).toBe('busy');
  lab.restart();
  expect(addressOfStranger(lab, stranger).fault).toBe('busy');
  lab.chain.issue(scriptOfAddress(address) as Uint8Array, 50_000n);
  lab.mine(3);
  expect(lab.balanceMsat(honest)).toBe(150_000_000n);
  for (let at = 0; at < kept + 3; at++) {
    expect(withdraw(lab, honest, 1_000n).fault).toBeUndefined();
    lab.mine();
  }
  lab.restart();
  expect(withdraw(lab, honest, 1_000n).fault).toBeUndefined();
  lab.mine(3);
  lab.expectBacked();
});

it('a withdrawal that is refused uses up no address', () => {
  const lab = new BrokerLab('refused', []);
  const [honest, poor] = [new AccountHolder(lab, 'honest'), new AccountHolder(lab, 'poor')];
  lab.fund(honest, 500_000n);
  lab.fund(poor, 294n);
  for (let at = 0; at < 2 * most; at++) expect(withdraw(lab, poor, 294n).fault).toBe('overspent');
  expect(addressOfStranger(lab, poor).fault).toBeUndefined();
});

it.each([
  ['P2WPKH', [0, 20, ...Array(20).fill(7)], 294n],
  ['P2WSH', [0, 32, ...Array(32).fill(7)], 330n],
  ['P2TR', [0x51, 32, ...Array(32).fill(7)], 330n],
  ['P2SH', [0xa9, 20, ...Array(20).fill(7), 0x87], 540n],
  ['P2PKH', [0x76, 0xa9, 20, ...Array(20).fill(7), 0x88, 0xac], 546n],
])('pays out to %s what bitcoind relays, and nothing to scripts that it does not', (_, bytes, leastSat) => {
  const lab = new BrokerLab('scripts', []);
  const holder = new AccountHolder(lab, 'holder');
  lab.fund(holder, 100_000n);
  const to = Uint8Array.from(bytes);
  expect(withdraw(lab, holder, leastSat - 1n, to).fault).toBe('tooSmall');
  expect(withdraw(lab, holder, leastSat, to).fault).toBeUndefined();
  for (const odd of [to.subarray(1), Uint8Array.of(...to, 0), Uint8Array.of(0x6a, 1, 1), new Uint8Array(25)])
    expect(withdraw(lab, holder, 10_000n, odd).fault).toBe('malformed');
});

it('a withdrawal is told again to whoever signed it, and to nobody else', () => {
  const lab = new BrokerLab('told again', []);
  const holder = new AccountHolder(lab, 'holder');
  lab.fund(holder, 100_000n);
  const body = withdrawBody.encode({ operation: tillOperation.withdraw, sat: 1_000n, script });
  const request = lab.request(holder, body);
  const first = lab.ask(holder, tillScheme, request);
  expect(first.fault).toBeUndefined();
  expect(lab.ask(holder, tillScheme, request).reply).toEqual(first.reply);
  const forged = request.map((byte, at) => (at === request.length - 1 ? byte ^ 1 : byte));
  expect(lab.ask(holder, tillScheme, forged)).toMatchObject({ fault: 'badSignature' });
});
