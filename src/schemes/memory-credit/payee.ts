import { equalBytes, toHex } from '../../base/bytes.ts';
import { ed25519Verify } from '../../crypto/ed25519.ts';
import {
  type Outcome,
  type Payee,
  type Redeemed,
  refused,
  type SchemeHost,
  type SessionId,
} from '../../payment/scheme.ts';
import type { Answer, ChainEvent } from '../../ports.ts';
import { creditRecord, paymentMessage, schemeId, signedPart, targetMessage } from './messages.ts';

const prefix = 'memory-credit/payee/';

interface Account {
  /** The key of the first payment; no other may pay under the same target. */
  payerKey: Uint8Array | undefined;
  best: bigint;
}

export class MemoryCreditPayee implements Payee {
  readonly #host: SchemeHost;
  readonly #limitMsat: bigint;
  readonly #accounts = new Map<string, Account>();
  readonly #nonceOf = new Map<SessionId, Uint8Array>();

  constructor(host: SchemeHost, limitMsat: bigint) {
    this.#host = host;
    this.#limitMsat = limitMsat;
    for (const [key, value] of host.store.list(prefix)) {
      const record = creditRecord.decode(value);
      if (record !== undefined)
        this.#accounts.set(key.slice(prefix.length), { payerKey: record.payerKey, best: record.cumulative });
    }
  }

  target(session: SessionId): Uint8Array {
    let nonce = this.#nonceOf.get(session);
    if (nonce === undefined) {
      nonce = this.#host.entropy.bytes(16);
      this.#nonceOf.set(session, nonce);
      this.#accounts.set(toHex(nonce), { payerKey: undefined, best: 0n });
    }
    return targetMessage.encode({ scheme: schemeId, nonce });
  }

  redeem(session: SessionId, payment: Uint8Array): Redeemed {
    const message = paymentMessage.decode(payment);
    if (message === undefined || message.scheme !== schemeId) return refused('malformed');
    const { nonce, payerKey, cumulative, signature } = message;
    const account = this.#accounts.get(toHex(nonce));
    if (account === undefined) return refused('targetOld');
    if (cumulative <= account.best) return refused('stale');
    if (cumulative > this.#limitMsat) return refused('overspent');
    const ofAnother = account.payerKey !== undefined && !equalBytes(account.payerKey, payerKey);
    if (ofAnother || !ed25519Verify(payerKey, signedPart(nonce, cumulative), signature))
      return refused('badSignature');
    const value = cumulative - account.best;
    account.payerKey = payerKey;
    account.best = cumulative;
    const record = { key: prefix + toHex(nonce), value: creditRecord.encode({ payerKey, cumulative }) };
    return { kind: 'added', value, persist: [record], reply: this.target(session) };
  }

  onAnswer(_answer: Answer): Outcome<Redeemed> | undefined {
    return undefined;
  }

  onChain(_event: ChainEvent): void {}

  /** What was paid stays on record; a target that nobody paid under is forgotten. */
  ended(session: SessionId): void {
    const nonce = this.#nonceOf.get(session);
    if (nonce === undefined) return;
    this.#nonceOf.delete(session);
    if (this.#accounts.get(toHex(nonce))?.best === 0n) this.#accounts.delete(toHex(nonce));
  }
}
