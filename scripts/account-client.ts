import { fromUtf8 } from '../src/base/bytes.ts';
import { OperatorError } from '../src/base/fault.ts';
import { scriptOfAddress } from '../src/bitcoin/wallet.ts';
import {
  addressReply,
  balanceReply,
  plainBody,
  tillOperation,
  tillScheme,
  withdrawBody,
  withdrawReply,
} from '../src/broker/money-messages.ts';
import type { SigningKey } from '../src/crypto/ecdsa.ts';
import { HttpParties } from '../src/node-io/party-http.ts';
import { SystemEntropy } from '../src/node-io/system-entropy.ts';
import { makeAccountRequest } from '../src/payment/account-request.ts';
import type { Answer, Endpoint } from '../src/ports.ts';

type PartyAnswer = Extract<Answer, { kind: 'party' }>;

/** An account as a broker tells it to its holder. */
export interface AccountState {
  /** Below 0: owed. */
  readonly msat: bigint;
  /** Paid in, and not confirmed deep enough yet. */
  readonly waitingSat: bigint;
}

/** A broker, asked by account holders. */
export class AccountClient {
  readonly #at: Endpoint;
  readonly #parties = new HttpParties();
  readonly #waiting = new Map<number, (answer: PartyAnswer) => void>();
  readonly #entropy = new SystemEntropy();
  #lastAsk = 0;

  constructor(at: Endpoint) {
    this.#at = at;
    this.#parties.attach({
      onAnswer: answer => {
        if (answer.kind !== 'party') return;
        this.#waiting.get(answer.ask)?.(answer);
        this.#waiting.delete(answer.ask);
      },
      onChain() {},
    });
  }

  async balance(account: SigningKey): Promise<AccountState> {
    const reply = await this.#ask(account, plainBody.encode({ operation: tillOperation.balance }));
    const { heldMsat, owedMsat, waitingSat } = this.#read(balanceReply.decode(reply));
    return { msat: heldMsat - owedMsat, waitingSat };
  }

  /** Where to pay bitcoins into the account. */
  async address(account: SigningKey): Promise<string> {
    const reply = await this.#ask(account, plainBody.encode({ operation: tillOperation.address }));
    return fromUtf8(this.#read(addressReply.decode(reply)).address);
  }

  /** Pays bitcoins out of the account. */
  async withdraw(
    account: SigningKey,
    address: string,
    sat: bigint,
  ): Promise<{ readonly txid: Uint8Array; readonly feeSat: bigint }> {
    const script = scriptOfAddress(address);
    if (script === undefined) throw new OperatorError('USAGE', `"${address}" is no regtest address`, 2);
    const body = withdrawBody.encode({ operation: tillOperation.withdraw, sat, script });
    return this.#read(withdrawReply.decode(await this.#ask(account, body)));
  }

  close(): Promise<void> {
    return this.#parties.stop();
  }

  async #ask(account: SigningKey, body: Uint8Array): Promise<Uint8Array> {
    this.#lastAsk += 1;
    const ask = this.#lastAsk;
    const request = makeAccountRequest(account, this.#entropy, body);
    const { fault, reply } = await new Promise<PartyAnswer>(resolve => {
      this.#waiting.set(ask, resolve);
      this.#parties.ask(this.#at, tillScheme, request, ask);
    });
    const where = `the broker at ${this.#at.host}:${this.#at.port}`;
    if (fault === 'unreachable' || fault === 'late')
      throw new OperatorError('BROKER_UNREACHABLE', `${where} does not answer (${fault})`, 3);
    if (fault !== undefined || reply === undefined)
      throw new OperatorError('BROKER_REFUSED', `${where} refuses: ${fault}`, 5);
    return reply;
  }

  #read<T>(decoded: T | undefined): T {
    if (decoded !== undefined) return decoded;
    throw new OperatorError('BROKER_REFUSED', 'the broker answers something else', 5);
  }
}
