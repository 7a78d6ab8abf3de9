import { Transaction } from 'bitcoinjs-lib';
import { describe, expect, it } from 'vitest';
import { type ChannelTerms, type ContractVariant, contractOutputScript } from '../../bitcoin/contract-tx.ts';
import { PaymentTemplate } from '../../bitcoin/payment-tx.ts';
import { RefundTemplate } from '../../bitcoin/refund-tx.ts';
import { signDigest } from '../../crypto/ecdsa.ts';
import {
  type BestPayment,
  bestKey,
  bestWrite,
  type ChannelRecord,
  channelWrite,
  type Role,
} from './channel-record.ts';
import { type ContractFacts, contractName, partyProblems, readLedger } from './index.ts';
import { channelId } from './messages.ts';
import { channelKeyRoot, seedWrite, walletOf } from './role-keys.ts';

const paidSat = 40_000n;
const feeSat = 372n;
const seeds = { payer: new Uint8Array(32).fill(1), payee: new Uint8Array(32).fill(2) };
const keyName = new Uint8Array(16).fill(3);
const keys = {
  payer: channelKeyRoot(seeds.payer, 'payer').named(keyName).keyPair(),
  payee: channelKeyRoot(seeds.payee, 'payee').named(keyName).keyPair(),
};
const empty = { get: () => undefined, list: () => [] };
const scripts = {
  refundScript: walletOf(seeds.payer, 'payer', empty).address.script,
  payoutScript: walletOf(seeds.payee, 'payee', empty).address.script,
};

interface Kept {
  record: ChannelRecord;
  best: BestPayment;
  facts: { -readonly [K in keyof ContractFacts]: ContractFacts[K] };
  seed: Uint8Array;
}

/** What one end keeps of a channel that was paid on three times and settled, and what the chain says of it. */
function settledChannel(role: Role, variant: ContractVariant): Kept {
  const half = { variant, capacitySat: 100_000n, refundHeight: 250, feeSat, ...scripts };
  const unfunded = { ...half, payerKey: keys.payer.publicKey, payeeKey: keys.payee.publicKey };
  const contract = new Transaction();
  contract.addInput(new Uint8Array(32).fill(9), 0);
  contract.addOutput(contractOutputScript(unfunded), unfunded.capacitySat);
  const terms: ChannelTerms = { ...unfunded, outpoint: { txid: contract.getHash(), index: 0 } };
  const payments = new PaymentTemplate(terms);
  const signature = signDigest(keys.payer.secret, payments.digest(paidSat));
  const settlement = payments.transaction(
    paidSat,
    signature,
    signDigest(keys.payee.secret, payments.digest(paidSat)),
  );
  const record: ChannelRecord = {
    terms,
    keyName,
    peer: new Uint8Array(role === 'payer' ? 32 : 0),
    minConfirmations: 1,
    openedHeight: 101,
    stored: true,
    accepted: true,
    closeAsked: true,
    refundSignature:
      role === 'payer' && variant === 'spillman'
        ? signDigest(keys.payee.secret, new RefundTemplate(terms).digest())
        : new Uint8Array(0),
    contract: role === 'payer' ? contract.toBuffer() : new Uint8Array(0),
    ending: { how: 'payment', txid: settlement.getHash(), height: 105, payeeSat: paidSat, payerSat: 59_388n },
  };
  return {
    record,
    best: { paidSat, signature, payments: 3 },
    facts: {
      contract: { bytes: contract.toBuffer(), confirmations: 4 },
      spending: { bytes: settlement.toBuffer(), confirmations: 1 },
    },
    seed: seeds[role],
  };
}

function check(role: Role, { record, best, facts, seed }: Kept, withChain = true) {
  const id = channelId('regtest', record.terms.outpoint);
  const writes = [seedWrite(role, seed), channelWrite(role, id, record), bestWrite(bestKey(role, id), best)];
  const records = new Map(writes.map(({ key, value }) => [key, value as Uint8Array]));
  const ledger = readLedger(
    {
      get: key => records.get(key),
      list: prefix => [...records].filter(([key]) => key.startsWith(prefix)),
    },
    'regtest',
  );
  const [row] = ledger.rows;
  const findings = ledger.check(withChain ? new Map([[row && contractName(row), facts]]) : undefined);
  return { ...ledger, row, finding: findings[0] };
}

/** The channel went back to its payer. */
function refunded({ record, facts }: Kept): void {
  const refund = new RefundTemplate(record.terms);
  const other = signDigest(keys.payee.secret, refund.digest());
  const own = signDigest(keys.payer.secret, refund.digest());
  facts.spending = { bytes: refund.transaction(own, other).toBuffer(), confirmations: 2 };
}

function alter(bytes: Uint8Array, at: number): Uint8Array {
  return bytes.map((byte, index) => (index === at ? byte ^ 1 : byte));
}

interface Fault {
  readonly name: string;
  readonly roles: readonly Role[];
  readonly only?: ContractVariant;
  /** Seen without the chain. */
  readonly offline: boolean;
  readonly plant: (kept: Kept) => void;
  readonly says: RegExp;
}

const both: readonly Role[] = ['payer', 'payee'];
const plantedFaults: readonly Fault[] = [
  {
    name: 'one satoshi more paid',
    roles: both,
    offline: true,
    plant: kept => (kept.best = { ...kept.best, paidSat: paidSat + 1n }),
    says: /signature is not for 40001 sat/,
  },
  {
    name: 'a bit of the signature',
    roles: both,
    offline: true,
    plant: kept => (kept.best = { ...kept.best, signature: alter(kept.best.signature, 63) }),
    says: /signature is not for 40000 sat/,
  },
  {
    name: 'one satoshi more in the contract',
    roles: both,
    offline: true,
    plant: ({ record }) => Object.assign(record.terms, { capacitySat: 100_001n }),
    says: /signature is not|holds 100000 sat, not 100001/,
  },
  {
    name: 'more payments than satoshi',
    roles: both,
    offline: true,
    plant: kept => (kept.best = { ...kept.best, payments: 40_001 }),
    says: /so many payments/,
  },
  {
    name: 'payments without a number',
    roles: both,
    offline: true,
    plant: kept => (kept.best = { ...kept.best, payments: 0 }),
    says: /so many payments/,
  },
  {
    name: 'an amount beyond the contract',
    roles: both,
    offline: true,
    plant: kept => (kept.best = { ...kept.best, paidSat: 99_389n }),
    says: /more was paid than the contract holds/,
  },
  {
    name: 'another seed',
    roles: both,
    offline: true,
    plant: kept => (kept.seed = new Uint8Array(32).fill(8)),
    says: /does not follow from the seed/,
  },
  {
    name: "a bit of the refund's signature",
    roles: ['payer'],
    only: 'spillman',
    offline: true,
    plant: ({ record }) => Object.assign(record, { refundSignature: alter(record.refundSignature, 0) }),
    says: /signature of the refund is wrong/,
  },
  {
    name: 'another contract kept',
    roles: ['payer'],
    offline: true,
    plant: ({ record }) => Object.assign(record, { contract: alter(record.contract, 4 + 1) }),
    says: /the contract that is kept is another/,
  },
  {
    name: 'one satoshi more in the share that was settled',
    roles: both,
    offline: true,
    plant: ({ record }) =>
      Object.assign(record, { ending: { ...record.ending, payeeSat: paidSat + 1n, payerSat: 59_387n } }),
    says: /neither its refund nor one of its payments/,
  },
  {
    name: 'one satoshi less returned',
    roles: both,
    offline: true,
    plant: ({ record }) => Object.assign(record, { ending: { ...record.ending, payerSat: 59_387n } }),
    says: /do not add up/,
  },
  {
    name: 'a refund that is another transaction',
    roles: both,
    offline: true,
    plant: ({ record }) => {
      const payerSat = new RefundTemplate(record.terms).valueSat;
      Object.assign(record, { ending: { ...record.ending, how: 'refund', payeeSat: 0n, payerSat } });
    },
    says: /is not its refund/,
  },
  {
    name: 'a settlement that the chain does not have',
    roles: both,
    offline: false,
    plant: ({ facts }) => (facts.spending = undefined),
    says: /the chain does not have [0-9a-f]{64}/,
  },
  {
    name: 'a settlement that still waits in the mempool',
    roles: both,
    offline: false,
    plant: ({ facts }) => (facts.spending = { ...facts.spending!, confirmations: 0 }),
    says: /the chain does not have [0-9a-f]{64}/,
  },
  {
    name: 'a contract that the chain does not have',
    roles: both,
    offline: false,
    plant: ({ facts }) => (facts.contract = undefined),
    says: /does not have the contract/,
  },
  {
    name: 'another settlement in the chain',
    roles: both,
    offline: false,
    plant: refunded,
    says: /the chain says that [0-9a-f]{64} spent/,
  },
];

describe.each(['spillman', 'cltv'] as const)('the ledger check, %s', variant => {
  it.each(both)('finds nothing wrong at the %s of a sound channel', role => {
    const { finding, row } = check(role, settledChannel(role, variant));
    expect(finding).toMatchObject({ problems: [], cheated: false });
    const sums = { lockedSat: 100_000n, heldSat: 0n, payeeSat: paidSat, payerSat: 59_388n, feeSat: 612n };
    expect(finding.sums).toEqual(sums);
    expect(row).toMatchObject({ leftSat: 59_388n, payments: 3 });
    expect(check(role, settledChannel(role, variant), false).finding).toEqual(finding);
  });

  const possible = plantedFaults.filter(({ only = variant }) => only === variant);
  for (const { name, roles, offline, plant, says } of possible)
    for (const role of roles)
      it(`finds at the ${role}: ${name}`, () => {
        const kept = settledChannel(role, variant);
        plant(kept);
        for (const withChain of offline ? [false, true] : [true]) {
          const { problems } = check(role, kept, withChain).finding;
          expect(problems).toContainEqual(expect.stringMatching(says));
        }
        if (!offline) expect(check(role, kept, false).finding.problems).toEqual([]);
      });

  it('finds a record that cannot be read, or that is gone', () => {
    const { record, best } = settledChannel('payee', variant);
    const id = channelId('regtest', record.terms.outpoint);
    const [channel, payment] = [channelWrite('payee', id, record), bestWrite(bestKey('payee', id), best)];
    const ledgerOf = (writes: readonly { key: string; value: Uint8Array | undefined }[]) =>
      readLedger(
        {
          get: () => undefined,
          list: prefix => writes.filter(({ key }) => key.startsWith(prefix)).map(w => [w.key, w.value!]),
        },
        'regtest',
      );
    expect(ledgerOf([payment]).unreadable).toEqual([payment.key]);
    const cut = { ...channel, value: channel.value!.subarray(1) };
    expect(ledgerOf([cut, payment])).toMatchObject({ rows: [], unreadable: [channel.key] });
    expect(ledgerOf([cut]).unreadable).toEqual([channel.key]);
  });

  it('calls it cheating when the payer took back what it had paid', () => {
    const kept = settledChannel('payee', variant);
    refunded(kept);
    Object.assign(kept.record, { ending: undefined });
    const { cheated, problems } = check('payee', kept).finding;
    expect({ cheated, problems }).toEqual({
      cheated: true,
      problems: ['the payer took back 40000 sat that it had paid'],
    });
    const unpaid = settledChannel('payer', variant);
    refunded(unpaid);
    Object.assign(unpaid.record, { ending: undefined });
    expect(check('payer', unpaid).finding).toMatchObject({ cheated: false, problems: [] });
  });

  it('takes a settlement for good that the record does not know yet', () => {
    for (const role of both) {
      const kept = settledChannel(role, variant);
      Object.assign(kept.record, { ending: undefined });
      expect(check(role, kept).finding).toMatchObject({ problems: [], sums: { payeeSat: paidSat } });
    }
  });

  it('compares both ends of a channel', () => {
    const row = (role: Role, change: (kept: Kept) => void = () => {}) => {
      const kept = settledChannel(role, variant);
      change(kept);
      return check(role, kept).row;
    };
    const payee = row('payee');
    expect(partyProblems(row('payer'), payee)).toEqual([]);
    const ahead = (kept: Kept) => (kept.best = { ...kept.best, paidSat: paidSat + 7n, payments: 4 });
    expect(partyProblems(row('payer', ahead), payee)).toEqual([]);
    expect(partyProblems(row('payer'), row('payee', ahead))).toHaveLength(1);
    const otherAmount = (kept: Kept) => (kept.best = { ...kept.best, paidSat: paidSat + 1n });
    expect(partyProblems(row('payer', otherAmount), payee)).toHaveLength(1);
    const otherTerms = ({ record }: Kept) => Object.assign(record.terms, { feeSat: 373n });
    expect(partyProblems(row('payer', otherTerms), payee)).toHaveLength(1);
  });
});
