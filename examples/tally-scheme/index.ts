import {
  fixedBytes,
  type Payee,
  type Payer,
  type PaymentScheme,
  type PaymentStatusName,
  type Redeemed,
  type SchemeHost,
  type SessionId,
  SigningKey,
  statement,
  struct,
  u8,
  u64,
  type Value,
} from 'naulon';

/** First byte of every payment and target. */
const id = 0xe1;
const tallyName = fixedBytes(16);
const targetMessage = struct({ scheme: u8, tally: tallyName });
/** All that the holder of the key `payer` has paid under one tally, in msat. */
const payment = statement('tally payment', {
  scheme: u8,
  tally: tallyName,
  payer: fixedBytes(33),
  msat: u64,
});

/** What is left in a purse, and what a tally has come to. */
export const amount = struct({ msat: u64 });
export const purseKey = 'tally/purse';
export const heldPrefix = 'tally/held/';

/**
 * A tally for each circuit, with nothing behind it: the payer signs what it has paid in all, the payee credits by how
 * much that has grown. @param purseMsat what a payer may spend in all.
 */
export function tallyScheme(purseMsat: Value): PaymentScheme {
  return { id, name: 'tally', payee: host => tallyPayee(host), payer: host => tallyPayer(host, purseMsat) };
}

function tallyPayee(host: SchemeHost): Payee {
  const tallies = new Map<SessionId, { readonly name: Uint8Array; payer?: Uint8Array; msat: Value }>();
  const tallyOf = (session: SessionId) => {
    const tally = tallies.get(session) ?? { name: host.entropy.bytes(16), msat: 0n };
    tallies.set(session, tally);
    return tally;
  };
  const target = (session: SessionId) => targetMessage.encode({ scheme: id, tally: tallyOf(session).name });
  return {
    target,
    redeem(session, bytes) {
      const said = payment.decode(bytes);
      if (said === undefined || said.scheme !== id) return refused('malformed');
      const tally = tallyOf(session);
      if (!same(said.tally, tally.name)) return refused('targetOld');
      if (said.msat <= tally.msat) return refused('stale');
      // Who pays first under a tally is the only one who may.
      if (!same(said.payer, tally.payer ?? said.payer) || !payment.isBy(said.payer, said))
        return refused('badSignature');
      const value = said.msat - tally.msat;
      tally.payer = said.payer;
      tally.msat = said.msat;
      // Stored before it is credited: the kit lets the payee die in between.
      const key = heldPrefix + Buffer.from(tally.name).toString('hex');
      return {
        kind: 'added',
        value,
        persist: [{ key, value: amount.encode(tally) }],
        reply: target(session),
      };
    },
    onAnswer: () => undefined,
    onChain() {},
    ended: session => void tallies.delete(session),
  };
}

function tallyPayer(host: SchemeHost, purseMsat: Value): Payer {
  const stored = host.store.get(purseKey);
  let purse = (stored && amount.decode(stored)?.msat) ?? purseMsat;
  /** What the payee has receipted, and what is on its way to it. */
  const tallies = new Map<SessionId, { readonly key: SigningKey; paid: Value; sent: Value }>();
  return {
    begin: session => void tallies.set(session, { key: SigningKey.fresh(host.entropy), paid: 0n, sent: 0n }),
    pay(session, target, value) {
      const tally = tallies.get(session);
      const told = targetMessage.decode(target);
      if (tally === undefined || told === undefined || told.scheme !== id)
        return { kind: 'refused', fault: { code: 'PAY_BAD_TARGET' } };
      tally.paid += tally.sent;
      tally.sent = 0n;
      if (value === 0n) return { kind: 'ready' };
      if (value > purse) return { kind: 'refused', fault: { code: 'PAY_NO_FUNDS' } };
      tally.sent = value;
      purse -= value;
      const msat = tally.paid + value;
      const said = payment.sign(tally.key, { ...told, payer: tally.key.publicKey, msat });
      const persist = [{ key: purseKey, value: amount.encode({ msat: purse }) }];
      return { kind: 'send', payment: payment.encode(said), value, persist };
    },
    onAnswer: () => undefined,
    onChain() {},
    onRefused(session) {
      const tally = tallies.get(session);
      if (tally === undefined) return;
      purse += tally.sent;
      tally.sent = 0n;
    },
    finish: () => undefined,
    ended: session => void tallies.delete(session),
  };
}

function refused(code: PaymentStatusName): Redeemed {
  return { kind: 'refused', fault: { code } };
}

function same(one: Uint8Array, other: Uint8Array): boolean {
  return Buffer.compare(one, other) === 0;
}
