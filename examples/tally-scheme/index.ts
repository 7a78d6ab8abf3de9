import {
  type BrokeredOptions,
  type BrokeredScheme,
  type BrokerHost,
  type BrokerSide,
  fixedBytes,
  type Payee,
  type Payer,
  type PaymentFault,
  type PaymentStatusName,
  RecordBook,
  type SchemeHost,
  type SessionId,
  statement,
  struct,
  u8,
  u32,
  u64,
  unproven,
  type Value,
} from 'naulon';

/** First byte of every payment and target; from 128 on they are free for schemes from outside. */
const id = 0xe1;
/** How long a payer's tallies hold, from the circuit's beginning. */
const daySeconds = 86_400;
const hourSeconds = 3_600;

const tallyName = fixedBytes(16);
const account = fixedBytes(33);
/** To whom, and under which tally. */
const targetMessage = struct({ scheme: u8, tally: tallyName, payee: account });
const tallied = { scheme: u8, tally: tallyName, payee: account, payer: account, msat: u64 };
/** All that the account `payer` has paid under one tally, good at one broker until `until`, in seconds since 1970. */
const payment = statement('tally payment', { ...tallied, broker: account, until: u32 });
/** The broker: so much of a tally is in the payee's account. */
const cleared = statement('tally cleared', tallied);
/** What the broker knows of a tally. */
const tallyRecord = struct({ msat: u64, until: u32 });

/**
 * The payer signs what it has paid in all under a tally, one for each circuit. The payee has that cleared before it credits it:
 * the broker moves what the tally has grown by from account to account, so that nobody has to be trusted for a moment.
 */
const tally: BrokeredScheme = {
  id,
  name: 'tally',
  variants: [],
  node: options => ({
    id,
    name: 'tally',
    payee: host => tallyPayee(host, options),
    payer: host => tallyPayer(host, options),
  }),
  broker: tallyBroker,
  judge: () => unproven('what a tally says counts once, so there is no way to cheat'),
};
export default tally;

function tallyPayer(host: SchemeHost, { account, broker }: BrokeredOptions): Payer {
  /** What the payee has receipted, and what is on its way to it. */
  const tallies = new Map<SessionId, { paid: Value; sent: Value; readonly until: number }>();
  return {
    begin: session =>
      void tallies.set(session, { paid: 0n, sent: 0n, until: secondsOf(host.clock) + daySeconds }),
    pay(session, target, value) {
      const tally = tallies.get(session);
      const told = targetMessage.decode(target);
      if (tally === undefined || told === undefined || told.scheme !== id)
        return { kind: 'refused', fault: { code: 'PAY_BAD_TARGET' } };
      tally.paid += tally.sent;
      tally.sent = value;
      if (value === 0n) return { kind: 'ready' };
      const { publicKey: payer } = account;
      const msat = tally.paid + value;
      const said = payment.sign(account, { ...told, payer, msat, broker: broker.key, until: tally.until });
      return { kind: 'send', payment: payment.encode(said), value, persist: [] };
    },
    onAnswer: () => undefined,
    onChain() {},
    endsSoon: session => (tallies.get(session)?.until ?? 0) < secondsOf(host.clock) + hourSeconds,
    onRefused(session) {
      const tally = tallies.get(session);
      if (tally !== undefined) tally.sent = 0n;
    },
    finish: () => undefined,
    ended: session => void tallies.delete(session),
  };
}

function tallyPayee(host: SchemeHost, { account, broker }: BrokeredOptions): Payee {
  const tallies = new Map<SessionId, { readonly name: Uint8Array; msat: Value }>();
  const asked = new Map<
    number,
    { readonly session: SessionId; readonly msat: Value; readonly payer: Uint8Array }
  >();
  const tallyOf = (session: SessionId) => {
    const tally = tallies.get(session) ?? { name: host.entropy.bytes(16), msat: 0n };
    tallies.set(session, tally);
    return tally;
  };
  const target = (session: SessionId) =>
    targetMessage.encode({ scheme: id, tally: tallyOf(session).name, payee: account.publicKey });
  return {
    target,
    redeem(session, bytes) {
      const said = payment.decode(bytes);
      if (said === undefined || said.scheme !== id) return refused('malformed');
      const { name, msat } = tallyOf(session);
      if (!same(said.tally, name) || !same(said.payee, account.publicKey)) return refused('targetOld');
      if (said.msat <= msat) return refused('stale');
      const ask = host.newAsk();
      asked.set(ask, { session, msat: said.msat, payer: said.payer });
      host.parties.ask(broker.endpoint, id, bytes.slice(), ask);
      return { kind: 'pending', ask };
    },
    onAnswer(answer) {
      const question = asked.get(answer.ask);
      if (question === undefined || answer.kind !== 'party') return undefined;
      asked.delete(answer.ask);
      const { session, msat, payer } = question;
      const tally = tallies.get(session);
      if (tally === undefined) return undefined;
      const said = cleared.decode(answer.reply ?? new Uint8Array(0));
      if (said === undefined) return { session, result: refused(statusOf(answer.fault)) };
      const ours = same(said.tally, tally.name) && same(said.payer, payer) && said.msat >= msat;
      if (!ours || !cleared.isBy(broker.key, said)) return { session, result: refused('partyUnavailable') };
      if (msat <= tally.msat) return { session, result: refused('stale') };
      const value = msat - tally.msat;
      tally.msat = msat;
      // The broker has it on its disk already: there is nothing to persist here.
      return { session, result: { kind: 'added', value, persist: [], reply: target(session) } };
    },
    onChain() {},
    ended: session => void tallies.delete(session),
  };
}

function tallyBroker({ accounts, clock, key, store }: BrokerHost): BrokerSide {
  const tallies = new RecordBook(store, 'tally/broker/', tallyRecord);
  return {
    serve(request) {
      const said = payment.decode(request);
      if (said === undefined) return refused('malformed');
      const now = secondsOf(clock);
      if (!same(said.broker, key.publicKey) || said.until > now + 2 * daySeconds) return refused('badTerms');
      if (said.until < now) return refused('expired');
      if (!payment.isBy(said.payer, said)) return refused('badSignature');
      const name = [said.payer, said.payee, said.tally]
        .map(each => Buffer.from(each).toString('hex'))
        .join('/');
      const before = tallies.get(name) ?? { msat: 0n, until: 0 };
      const more = said.msat - before.msat;
      const sold = more > 0n ? accounts.issue(id, said.payer, more) : [];
      if (sold === undefined) return refused('overspent');
      const msat = more > 0n ? said.msat : before.msat;
      const until = Math.max(said.until, before.until);
      const moved = more > 0n ? [...sold, ...accounts.deposit(id, said.payee, more)] : [];
      // One that comes again is answered as before, so that whoever missed the answer can ask again.
      const reply = cleared.encode(cleared.sign(key, { ...said, msat }));
      return { kind: 'reply', reply, persist: [...moved, tallies.put(name, { msat, until })] };
    },
    outstandingMsat: () => 0n,
    onTick() {
      const over = [...tallies.entries()].filter(([, { until }]) => until < secondsOf(clock));
      return over.map(([name]) => tallies.drop(name));
    },
  };
}

function secondsOf(clock: SchemeHost['clock']): number {
  return Math.floor(clock.wallMs() / 1_000);
}

/** What a broker refuses a tally for. Anything else means that it did not answer. */
const refusals: readonly PaymentStatusName[] = ['badSignature', 'badTerms', 'expired', 'overspent'];

function statusOf(fault: string | undefined): PaymentStatusName {
  return refusals.find(each => each === fault) ?? 'partyUnavailable';
}

function refused(code: PaymentStatusName): { readonly kind: 'refused'; readonly fault: PaymentFault } {
  return { kind: 'refused', fault: { code } };
}

function same(one: Uint8Array, other: Uint8Array): boolean {
  return Buffer.compare(one, other) === 0;
}
