import { expect, it } from 'vitest';
import { AccountHolder, BrokerLab } from '../broker/broker-lab.fixture.ts';
import { SigningKey } from '../crypto/ecdsa.ts';
import { makeAccountRequest } from '../payment/account-request.ts';
import { accountMessage } from '../payment/coins/coin-messages.ts';
import { payword } from './payword/index.ts';
import { brokerOperation, certifyBody, schemeId } from './payword/messages.ts';
import { handedOver, pathOf } from './ppay/coin-path.ts';
import { ppay } from './ppay/index.ts';
import * as coins from './ppay/messages.ts';

it('a fine on an account that was left behind is nothing that a broker could lend', () => {
  const lab = new BrokerLab('debts', [payword, ppay]);
  lab.lendsMsat = 10n ** 12n;
  const [honest, thief] = [new AccountHolder(lab, 'honest'), new AccountHolder(lab, 'thief')];
  lab.fund(honest, 500_000n);
  lab.fund(thief, 9_000n);
  const { entropy } = thief.process.host;
  const askAs = (key: SigningKey, scheme: number, body: Uint8Array) =>
    lab.ask(thief, scheme, makeAccountRequest(key, entropy, body));

  // A coin that its owner assigns to two, tells of, and hands in all the same under the other key.
  const accomplice = SigningKey.fresh(entropy);
  const buy = coins.buyBody.encode({ op: coins.accountOp.buy, exponents: [22] });
  const envelope = makeAccountRequest(thief.key, entropy, buy);
  const bought = lab.ask(
    thief,
    coins.schemeId,
    accountMessage.encode({ op: coins.requestOp.account, envelope }),
  );
  const [coin] = coins.boughtReply.decode(bought.reply ?? new Uint8Array(0))?.coins ?? [];
  const to = ({ publicKey: holder }: SigningKey) =>
    pathOf(coins.assignedCoin.sign(thief.key, { coin, holder, position: 1n }));
  const { op, ...paths } = { op: coins.requestOp.report, first: to(accomplice), second: to(thief.key) };
  expect(lab.ask(thief, coins.schemeId, coins.reportRequest.encode({ op, ...paths })).fault).toBeUndefined();
  const path = handedOver(to(accomplice), accomplice, lab.key.publicKey);
  lab.ask(thief, coins.schemeId, coins.pathRequest.encode({ op: coins.requestOp.deposit, path }));

  const owned = lab.heldMsat(thief.key.publicKey) + lab.heldMsat(accomplice.publicKey);
  expect(owned + lab.heldMsat(lab.key.publicKey)).toBeLessThanOrEqual(9_000_000n);
  expect(lab.core.problems()).toEqual([]);
  // What the broker took of the thief's it may lend; no more.
  const fresh = SigningKey.fresh(entropy);
  lab.addressFor(fresh);
  const limitMsat = lab.heldMsat(lab.key.publicKey) + 1n;
  const lent = askAs(fresh, schemeId, certifyBody.encode({ operation: brokerOperation.certify, limitMsat }));
  expect(lent.fault).toBe('overspent');
});
