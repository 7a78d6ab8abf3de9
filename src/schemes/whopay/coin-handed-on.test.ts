import { expect, it } from 'vitest';
import { coinNewsMax } from '../../base/limits.ts';
import { AccountHolder, BrokerLab } from '../../broker/broker-lab.fixture.ts';
import { SigningKey } from '../../crypto/ecdsa.ts';
import { accountMessage, syncBody } from '../../payment/coins/coin-messages.ts';
import { whopay } from './index.ts';
import {
  accountOp,
  type Binding,
  binding,
  boughtReply,
  boundAnswer,
  buyBody,
  claim,
  deposit,
  orderKind,
  requestOp,
  schemeId,
  stepRequest,
  syncReply,
  transfer,
} from './messages.ts';

it('a coin of WhoPay that is bound on and on while its owner is away waits for it after a while, or is handed in', () => {
  const lab = new BrokerLab('bound on', [whopay]);
  const owner = new AccountHolder(lab, 'owner');
  lab.fund(owner, 1_000n);
  const asAccount = (body: Uint8Array) => {
    const envelope = lab.request(owner, body);
    return lab.ask(owner, schemeId, accountMessage.encode({ op: requestOp.account, envelope })).reply!;
  };
  const fresh = () => SigningKey.fresh(owner.process.host.entropy);
  const key = fresh();
  const made = claim.sign(owner.key, { coinKey: key.publicKey, account: owner.key.publicKey });
  const body = buyBody.encode({ op: accountOp.buy, coins: [{ exponent: 0, claim: made }] });
  const [coin] = boughtReply.decode(asAccount(body))!.coins;
  const nonce = new Uint8Array(16);
  const { coinKey, expirySeconds } = coin;
  let holder = fresh();
  const first = { coinKey, holder: holder.publicKey, sequence: 1n, expirySeconds, nonce };
  let bound: Binding = binding.sign(key, first);
  const give = (kind: 'transfer' | 'deposit', next: Uint8Array) => {
    const form = kind === 'transfer' ? transfer : deposit;
    const said = form.sign(holder, { coinKey, holder: holder.publicKey, next, nonce });
    const step = { binding: bound, order: { kind: orderKind[kind], said } };
    return lab.ask(owner, schemeId, stepRequest.encode({ op: requestOp[kind], coin, step }));
  };
  const bindOn = () => {
    const next = fresh();
    const { fault, reply } = give('transfer', next.publicKey);
    if (fault !== undefined) return fault;
    [bound, holder] = [boundAnswer.decode(reply!)!.binding, next];
    return undefined;
  };
  for (let time = 0; time < coinNewsMax; time++) expect(bindOn()).toBeUndefined();
  expect(bindOn()).toBe('busy');
  lab.restart();
  expect(bindOn()).toBe('busy');
  let last = 0n;
  for (let time = 0; time < 3; time++)
    last = syncReply.decode(asAccount(syncBody.encode({ op: accountOp.sync, after: last })))!.last;
  expect(bindOn()).toBeUndefined();
  expect(give('deposit', owner.key.publicKey).fault).toBeUndefined();
  expect(lab.balanceMsat(owner)).toBe(1_000_000n);
  lab.expectBacked();
});
