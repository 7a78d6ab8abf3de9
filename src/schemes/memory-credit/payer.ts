import { ByteReader, ByteWriter, toHex } from '../../base/bytes.ts';
import { Ed25519Key } from '../../crypto/ed25519.ts';
import type {
  Outcome,
  Paid,
  PayeeIdentity,
  Payer,
  PaymentFault,
  SchemeHost,
  SessionId,
  Value,
} from '../../payment/scheme.ts';
import type { Answer, ChainEvent, StoreWrite } from '../../ports.ts';
import { creditRecord, paymentMessage, schemeId, signedPart, targetMessage } from './messages.ts';

const prefix = 'memory-credit/payer/';
const purseKey = `${prefix}purse`;

interface Account {
  readonly key: Ed25519Key;
  /** Value that the payee has, and value on its way. */
  paid: bigint;
  sent: bigint;
}

export class MemoryCreditPayer implements Payer {
  readonly #host: SchemeHost;
  readonly #accounts = new Map<SessionId, Account>();
  #purse: bigint;

  constructor(host: SchemeHost, purseMsat: bigint) {
    this.#host = host;
    const stored = host.store.get(purseKey);
    this.#purse = stored === undefined ? purseMsat : new ByteReader(stored).u64();
  }

  begin(session: SessionId, _payee: PayeeIdentity, _budget: Value): void {
    this.#accounts.set(session, { key: new Ed25519Key(this.#host.entropy.bytes(32)), paid: 0n, sent: 0n });
  }

  pay(session: SessionId, target: Uint8Array, value: Value): Paid {
    const account = this.#accounts.get(session);
    const decoded = targetMessage.decode(target);
    if (account === undefined || decoded === undefined || decoded.scheme !== schemeId)
      return { kind: 'refused', fault: { code: 'PAY_BAD_TARGET' } };
    account.paid += account.sent;
    account.sent = 0n;
    if (value === 0n) return { kind: 'ready' };
    if (value > this.#purse) return { kind: 'refused', fault: { code: 'PAY_NO_FUNDS' } };
    const cumulative = account.paid + value;
    const { nonce } = decoded;
    account.sent = value;
    this.#purse -= value;
    const payerKey = account.key.publicKey;
    const signature = account.key.sign(signedPart(nonce, cumulative));
    return {
      kind: 'send',
      payment: paymentMessage.encode({ scheme: schemeId, nonce, payerKey, cumulative, signature }),
      value,
      persist: [
        this.#purseRecord(),
        { key: prefix + toHex(nonce), value: creditRecord.encode({ payerKey, cumulative }) },
      ],
    };
  }

  onAnswer(_answer: Answer): Outcome<Paid> | undefined {
    return undefined;
  }

  onChain(_event: ChainEvent): void {}

  /** The payee has not taken what was sent last. */
  onRefused(session: SessionId, _fault: PaymentFault): void {
    const account = this.#accounts.get(session);
    if (account === undefined) return;
    this.#purse += account.sent;
    account.sent = 0n;
  }

  /** Nothing is locked up, so there is nothing to close. */
  finish(_session: SessionId): undefined {}

  ended(session: SessionId): void {
    this.#accounts.delete(session);
  }

  #purseRecord(): StoreWrite {
    return { key: purseKey, value: new ByteWriter().u64(this.#purse).finish() };
  }
}
