import { ByteReader } from '../../base/bytes.ts';
import { schemeCompliance } from '../../payment/compliance.ts';
import { brokeredWorld, type Reckoning } from '../brokered-world.fixture.ts';
import { p2pNetpay } from './index.ts';

const sum =
  (prefix: string, msatOf: (record: Uint8Array) => bigint): Reckoning =>
  records =>
    [...records]
      .filter(([key]) => key.startsWith(prefix))
      .reduce((all, [, record]) => all + msatOf(record), 0n);

const u32At = (record: Uint8Array, at: number) => BigInt(new ByteReader(record.subarray(at)).u32());
const u64At = (record: Uint8Array, at: number) => new ByteReader(record.subarray(at)).u64();

const open = sum(
  'p2p-netpay/vendor/paid/',
  record => (u32At(record, 0) - u32At(record, 44)) * u64At(record, 36),
);
const redeemed = sum('p2p-netpay/vendor/redeemed/', record => u64At(record, 0));
const parted = sum('p2p-netpay/payer/sent/', record => u32At(record, 0) * u64At(record, 4));

schemeCompliance('p2p-netpay', () =>
  brokeredWorld({ scheme: p2pNetpay }, records => open(records) + redeemed(records), parted),
);
