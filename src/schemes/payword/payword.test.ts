import { ByteReader } from '../../base/bytes.ts';
import { schemeCompliance } from '../../payment/compliance.ts';
import { brokeredWorld, type Reckoning } from '../brokered-world.fixture.ts';
import { payword } from './index.ts';

const sum =
  (prefix: string, msatOf: (record: Uint8Array) => bigint): Reckoning =>
  records =>
    [...records]
      .filter(([key]) => key.startsWith(prefix))
      .reduce((all, [, record]) => all + msatOf(record), 0n);

const u32At = (record: Uint8Array, at: number) => BigInt(new ByteReader(record.subarray(at)).u32());
const u64At = (record: Uint8Array, at: number) => new ByteReader(record.subarray(at)).u64();

const open = sum('payword/payee/paid/', record => u32At(record, 0) * u64At(record, 36));
const settled = sum('payword/payee/settled/', record => u64At(record, 0));
const parted = sum('payword/payer/sent/', record => u32At(record, 0) * u64At(record, 4));
const held: Reckoning = records => open(records) + settled(records);

schemeCompliance('payword, prepaid', () =>
  brokeredWorld({ scheme: payword, variant: 'prepaid' }, held, parted),
);
schemeCompliance('payword, on credit', () =>
  brokeredWorld({ scheme: payword, variant: 'credit', houseSat: 10_000_000n }, held, parted),
);
