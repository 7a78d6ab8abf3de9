import { parseControlRequest } from '../../../client/control-protocol.ts';
import { decodeAuthorityKeys } from '../../../dirauth/authority-keys.ts';
import { readRounds } from '../../../dirauth/round-records.ts';
import { fromUtf8, utf8 } from '../../../src/base/bytes.ts';
import { OperatorError } from '../../../src/base/fault.ts';
import { fundingOfPsbt } from '../../../src/bitcoin/psbt-funding.ts';
import { scriptOfAddress } from '../../../src/bitcoin/wallet.ts';
import { parseHashedPassword } from '../../../src/crypto/hashed-password.ts';
import { decodeNodeKeys, encodeNodeKeys } from '../../../src/crypto/node-keys.ts';
import { parseDirAuthority } from '../../../src/directory/directory-authority.ts';
import { parsePrice } from '../../../src/payment/price.ts';
import { readLedger } from '../../../src/schemes/bitcoin-channel/index.ts';
import { simNodeKeys } from '../../sim/machine-room.ts';
import type { FuzzTarget } from '../fuzz-target.ts';
import { sampleDocuments } from './sample-documents.ts';

/** Each reads one kind of record or word; what it makes of it does not matter. */
const readers: readonly ((bytes: Uint8Array) => unknown)[] = [
  bytes => decodeNodeKeys(fromUtf8(bytes)),
  bytes => decodeAuthorityKeys(fromUtf8(bytes), sampleDocuments().wallMs),
  bytes => parseHashedPassword(fromUtf8(bytes)),
  bytes => parseDirAuthority(fromUtf8(bytes)),
  bytes => parsePrice(fromUtf8(bytes)),
  bytes => scriptOfAddress(fromUtf8(bytes)),
  bytes => parseControlRequest(fromUtf8(bytes)),
  bytes => fundingOfPsbt(fromUtf8(bytes), bytes.subarray(0, 22), 1_000n),
  bytes => readLedger(storeOf(bytes), 'regtest'),
  bytes => orRefusal(() => readLedger({ ...storeOf(bytes), get: () => bytes }, 'regtest')),
  bytes => readRounds({ ...storeOf(bytes), commit() {} }),
];

const seed = new Uint8Array(32).fill(9);

/** Every record in it is these bytes, but for a seed: without one nothing else is read. */
function storeOf(bytes: Uint8Array) {
  return {
    get: (key: string) => (key.endsWith('/seed') ? seed : bytes),
    list: (prefix: string) => [[`${prefix}${'00'.repeat(8)}`, bytes] as const],
  };
}

/** What it reads, or the one line that ends a program. */
function orRefusal(read: () => unknown): unknown {
  try {
    return read();
  } catch (error) {
    if (error instanceof OperatorError) return { fault: error.code };
    throw error;
  }
}

const request = '{"id": 1, "method": "circuits", "params": {"path": ["a"]}}';

/** What is read from disk at start, and single words of people and programs. */
export const records: FuzzTarget = {
  name: 'records',
  cases: 100_000,
  inputBytesMax: 4_096,
  sources: [
    'src/crypto/node-keys',
    'src/schemes/bitcoin-channel/channel-record',
    'src/schemes/bitcoin-channel/ledger',
    'client/control-protocol',
  ],
  open(dice) {
    const keys = encodeNodeKeys(simNodeKeys({ bytes: length => dice.bytes(length) }, 0));
    const address = 'bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080';
    const authority = `auth1 orport=9101 v3ident=${'86'.repeat(20)} 203.0.113.1:9130 ${'28'.repeat(20)}`;
    const channel = new Uint8Array(400);
    channel[0] = 1;
    const texts = [
      keys,
      JSON.stringify({ node: keys, identity: '', signing: '', certificate: '' }),
      '16:872860B76453A77D60CA2BB8C1A7042072093276A3D701AD684053EC4C',
      authority,
      '100000 sat/GiB',
      address,
      request,
      'cHNidP8BAHUCAAAAASaBcTce3/KF6Tet7qSze3gADAVmy7OtZGQXE8pCFxv2AAAAAAD+////',
    ];
    return {
      seeds: [
        ...texts.map((text, at) => Uint8Array.of(at, ...utf8(text))),
        Uint8Array.of(8, ...channel),
        Uint8Array.of(9, ...seed),
        Uint8Array.of(10, ...utf8(sampleDocuments().votes[0].slice(0, 3_000))),
      ],
      words: ['null', '[]', '{}', '"\\u0000"', '-----BEGIN RSA PRIVATE KEY-----'].map(utf8),
      take(input, tell) {
        const which = (input[0] ?? 0) % readers.length;
        const read = readers[which](input.subarray(1));
        tell(`${which} ${verdictOf(read)}`);
      },
    };
  },
};

function verdictOf(read: unknown): string {
  if (read === undefined) return 'undefined';
  if (typeof read === 'object' && read !== null && 'fault' in read)
    return JSON.stringify(read.fault).slice(0, 60);
  return 'read';
}
