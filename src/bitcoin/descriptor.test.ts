import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Bitcoind, startBitcoind } from '../../regtest/bitcoind.ts';
import { fromHex } from '../base/bytes.ts';
import { contractOutputScript } from './contract-tx.ts';
import { contractDescriptor, walletDescriptor, withChecksum } from './descriptor.ts';
import { HdKey } from './keys.ts';
import { Wallet } from './wallet.ts';

const seed = new Uint8Array(32).fill(5);
const keys = [1, 2].map(index => HdKey.fromSeed(seed).child(index).keyPair());
const terms = { payerKey: keys[0].publicKey, payeeKey: keys[1].publicKey, refundHeight: 250 };

it('writes the checksum that BIP380 gives', () => {
  expect(withChecksum('raw(deadbeef)')).toBe('raw(deadbeef)#89f8spxm');
});

it('shows no secret unless it is asked for', () => {
  expect(walletDescriptor(seed, false)).toMatch(
    /^wpkh\(\[[0-9a-f]{8}\/84h\/1h\/0h\]tpub\w{107}\/0\/\*\)#\w{8}$/,
  );
  expect(walletDescriptor(seed, true)).toContain(']tprv');
  const contract = { variant: 'spillman', ...terms } as const;
  expect(contractDescriptor(contract)).toMatch(
    /^wsh\(sortedmulti\(2,0[23][0-9a-f]{64},0[23][0-9a-f]{64}\)\)#\w{8}$/,
  );
  const secret = { of: 'payee', bytes: keys[1].secret } as const;
  expect(contractDescriptor({ ...contract, secret })).toMatch(/,c\w{51}\)\)#/);
});

describe('for bitcoind', () => {
  let bitcoind: Bitcoind;
  beforeAll(async () => {
    bitcoind = await startBitcoind();
  });
  afterAll(() => bitcoind.stop());

  it('describes the addresses of the wallet, with and without secrets', async () => {
    const wallet = new Wallet({ seed, prefix: '' }, { get: () => undefined });
    const addresses = Array.from({ length: 5 }, () => wallet.takeAddress().address);
    for (const withSecret of [false, true]) {
      const descriptor = walletDescriptor(seed, withSecret);
      const info = await bitcoind.rpc('getdescriptorinfo', descriptor);
      expect(info).toMatchObject({ isrange: true, issolvable: true, hasprivatekeys: withSecret });
      expect(await bitcoind.rpc('deriveaddresses', descriptor, [0, 4])).toEqual(addresses);
    }
  });

  it('describes the output of a contract', async () => {
    for (const variant of ['spillman', 'cltv'] as const) {
      const contract = { variant, ...terms };
      const descriptor = contractDescriptor(contract);
      const [address] = await bitcoind.rpc<string[]>('deriveaddresses', descriptor);
      const { scriptPubKey } = await bitcoind.rpc<{ scriptPubKey: string }>('validateaddress', address);
      expect(fromHex(scriptPubKey)).toEqual(contractOutputScript(contract));
      const secret = { of: 'payer', bytes: keys[0].secret } as const;
      const info = await bitcoind.rpc('getdescriptorinfo', contractDescriptor({ ...contract, secret }));
      expect(info).toMatchObject({ hasprivatekeys: variant === 'spillman' });
    }
  });
});
