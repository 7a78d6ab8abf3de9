import { expect, it } from 'vitest';
import { payword } from '../src/schemes/payword/index.ts';
import { bookLines, toldBooks } from './broker-commands.ts';
import { toJson } from './terminal.ts';

it('tells programs the same money as people', () => {
  const books = {
    receivedMsat: 9_000_000n,
    paidOutMsat: 1_000_000n,
    heldMsat: new Map([
      ['aa', 5_000_000n],
      ['bb', 2_000_000n],
    ]),
    balancesMsat: new Map([
      ['aa', 5_000_000n],
      ['bb', 1_500_000n],
    ]),
    schemes: new Map([[payword.id, { issuedMsat: 4_000_000n, depositedMsat: 3_000_000n }]]),
  };
  const told = toldBooks({
    schemes: [payword],
    ledger: { books },
    outstandingMsat: new Map([[payword.id, 1_000_000n]]),
  });
  expect(JSON.parse(toJson(told))).toEqual({
    receivedMsat: '9000000',
    paidOutMsat: '1000000',
    accounts: 2,
    heldMsat: '7000000',
    owedMsat: '500000',
    schemes: [
      { scheme: 'payword', issuedMsat: '4000000', depositedMsat: '3000000', outstandingMsat: '1000000' },
    ],
  });
  expect(bookLines(told)[1]).toMatch(/^ *9,000,000 +1,000,000 +7,000,000 +500,000$/);
});
