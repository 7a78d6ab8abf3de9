import { equalBytes } from '../../base/bytes.ts';
import { coinsPerPaymentMax } from '../../payment/denominations.ts';
import { IdleDeposit } from '../../payment/idle-deposit.ts';
import type {
  Outcome,
  Payee,
  PayeeSigner,
  PaymentStatusName,
  Redeemed,
  SessionId,
} from '../../payment/scheme.ts';
import type { Answer, ChainEvent } from '../../ports.ts';
import { holderOf, isGenuine, serialOf, targetDigest } from './coin-path.ts';
import { Dealings } from './dealings.ts';
import {
  layersMax,
  type PaidCoin,
  paymentMessage,
  paymentOp,
  schemeId,
  targetBody,
  targetHead,
  targetMessage,
} from './messages.ts';
import { expiryMarginSeconds, type PPayPurse } from './purse.ts';
import type { PPaySetup } from './setup.ts';

/** Takes coins that are assigned to the node's own key, or handed to it on top of an assignment. */
export class PPayPayee implements Payee {
  readonly #setup: PPaySetup;
  readonly #signer: PayeeSigner;
  readonly #idle: IdleDeposit;
  readonly #purse: PPayPurse;
  readonly #dealings: Dealings;
  readonly #targets = new Map<SessionId, { readonly nonce: Uint8Array; readonly bytes: Uint8Array }>();

  constructor(setup: PPaySetup, signer: PayeeSigner, purse: PPayPurse) {
    this.#setup = setup;
    this.#signer = signer;
    this.#purse = purse;
    this.#idle = new IdleDeposit(setup.host.clock, () => this.deposit());
    this.#dealings = new Dealings(setup, purse, 'payee');
    for (const { paid } of purse.holdings()) this.#peel(paid);
  }

  target(session: SessionId): Uint8Array {
    const known = this.#targets.get(session);
    if (known !== undefined) return known.bytes;
    const { host, account, broker } = this.#setup;
    const nonce = host.entropy.bytes(16);
    const relayId = this.#signer.ed25519;
    const body = { ...targetHead, relayId, payeeKey: account.publicKey, brokerKey: broker.key, nonce };
    const signature = this.#signer.sign(targetDigest(targetBody.encode(body)));
    const bytes = targetMessage.encode({ ...body, signature });
    this.#targets.set(session, { nonce, bytes });
    return bytes;
  }

  redeem(session: SessionId, payment: Uint8Array): Redeemed {
    const message = paymentMessage.decode(payment);
    if (message?.scheme !== schemeId || message.op !== paymentOp.coins) return refused('malformed');
    const { nonce, coins } = message;
    if (coins.length === 0 || coins.length > 2 * coinsPerPaymentMax) return refused('malformed');
    const target = this.#targets.get(session);
    if (target === undefined || !equalBytes(nonce, target.nonce)) return refused('targetOld');
    const fault = this.#faultOf(coins);
    if (fault !== undefined) return refused(fault);
    this.#idle.paid(session);
    for (const paid of coins) this.#peel(paid);
    return {
      kind: 'added',
      value: coins.reduce((sum, { path }) => sum + path.assigned.coin.value, 0n),
      persist: coins.map(paid => this.#purse.received(paid)),
      reply: target.bytes,
    };
  }

  onAnswer(answer: Answer): Outcome<Redeemed> | undefined {
    this.#dealings.onAnswer(answer);
    return undefined;
  }

  onChain(_event: ChainEvent): void {}

  ended(session: SessionId): void {
    this.#targets.delete(session);
    this.#idle.ended(session);
  }

  /** Hands all coins in that are held. */
  deposit(): void {
    for (const { paid } of this.#purse.holdings()) {
      const handed = this.#purse.hand(paid, this.#setup.broker.key);
      this.#dealings.deposit(handed.paid.path, handed.write);
    }
  }

  /** All coins or none; what costs no signature check comes first. */
  #faultOf(coins: readonly PaidCoin[]): PaymentStatusName | undefined {
    const { account, broker, host } = this.#setup;
    const serials = new Set(coins.map(({ path }) => serialOf(path)));
    if (serials.size < coins.length) return 'stale';
    const soonest = host.clock.wallMs() / 1_000 + expiryMarginSeconds;
    for (const { path } of coins) {
      if (!equalBytes(holderOf(path), account.publicKey)) return 'badTerms';
      if (path.layers.length > layersMax) return 'badTerms';
      if (path.assigned.coin.expirySeconds <= soonest) return 'expired';
      if (this.#purse.wasHere(path)) return 'stale';
    }
    return coins.every(({ path }) => isGenuine(path, broker.key)) ? undefined : 'badSignature';
  }

  /** Has layers turned into an assignment, so that a double spend below them shows early. */
  #peel(paid: PaidCoin): void {
    if (paid.path.layers.length === 0) return;
    this.#dealings.reassign(paid, outcome => {
      if (outcome.kind === 'assigned') this.#dealings.store(this.#purse.peeled(outcome.assigned), () => {});
    });
  }
}

function refused(code: PaymentStatusName): Redeemed {
  return { kind: 'refused', fault: { code } };
}
