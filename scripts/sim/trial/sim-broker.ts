import { assert } from '../../../src/base/assert.ts';
import { fromUtf8 } from '../../../src/base/bytes.ts';
import { scriptOfAddress } from '../../../src/bitcoin/wallet.ts';
import { BrokerCore } from '../../../src/broker/broker-core.ts';
import { addressReply, plainBody, tillOperation, tillScheme } from '../../../src/broker/money-messages.ts';
import type { SigningKey } from '../../../src/crypto/ecdsa.ts';
import { makeAccountRequest } from '../../../src/payment/account-request.ts';
import type { BrokeredScheme } from '../../../src/payment/brokered.ts';
import type { Answer, Endpoint } from '../../../src/ports.ts';
import { type Machine, partyPort } from '../machine-room.ts';
import type { PaidNetwork } from '../paid-network.ts';

const brokerIp = '9.9.9.8';
const tellerIp = '9.9.9.7';
/** A broker whose disk has broken begins again after so long. */
const brokenDownMs = 500;

/** Where the broker of a simulated network is asked. */
export const brokerAt: Endpoint = { host: brokerIp, port: partyPort };

/** The broker of a paid network, with faults like any other node, and somebody who pays bitcoins into its accounts. */
export class SimBroker {
  machine: Machine;
  core: BrokerCore;
  readonly #network: PaidNetwork;
  readonly #key: SigningKey;
  readonly #scheme: BrokeredScheme;
  readonly #teller: Machine;
  readonly #lendsMsat: bigint;
  #answer: Extract<Answer, { kind: 'party' }> | undefined;

  /** @param lendsMsat what each account is lent at the most. */
  constructor(network: PaidNetwork, scheme: BrokeredScheme, key: SigningKey, lendsMsat = 0n) {
    this.#network = network;
    this.#lendsMsat = lendsMsat;
    this.#key = key;
    this.#scheme = scheme;
    this.machine = network.machine('broker', brokerIp);
    this.machine.host.node.onPowerCut = () => this.restart(0);
    this.machine.store.onBroken = () => this.restart(brokenDownMs);
    this.core = this.#begin();
    this.#teller = network.machine('teller', tellerIp);
    this.#teller.attachAnswers({
      onAnswer: answer => {
        if (answer.kind === 'party') this.#answer = answer;
      },
      onChain: () => {},
    });
  }

  /** It dies at once and starts again, `downMs` later, with what was durable. */
  restart(downMs: number): void {
    this.#network.restart(this.machine, downMs, next => {
      this.machine = next;
      this.core = this.#begin();
    });
  }

  /** Bitcoins for an account, in the next block. */
  pay(account: SigningKey, sat: bigint): void {
    const { entropy } = this.#teller.ports;
    const body = plainBody.encode({ operation: tillOperation.address });
    const request = this.#teller.host.node.turn(() => makeAccountRequest(account, entropy, body));
    const script = scriptOfAddress(this.#addressFor(request));
    assert(script !== undefined, 'the broker gives an address to an account');
    this.#network.chain.issue(script, sat);
  }

  /** Its disk may break meanwhile, so the same is asked until it is answered. */
  #addressFor(request: Uint8Array): string {
    const { world } = this.#network;
    for (;;) {
      this.#answer = undefined;
      this.#teller.host.node.turn(() => this.#teller.parties.ask(brokerAt, tillScheme, request, 1));
      world.runUntil(() => this.#answer !== undefined);
      const reply = this.#reply();
      if (reply !== undefined) return fromUtf8(addressReply.decode(reply)?.address ?? new Uint8Array(0));
      world.runFor(1_000);
    }
  }

  #reply(): Uint8Array | undefined {
    return this.#answer?.reply;
  }

  #begin(): BrokerCore {
    const { machine } = this;
    return machine.host.node.turn(() => {
      const walletSeed = new Uint8Array(32).fill(12);
      const lendsMsat = () => this.#lendsMsat;
      const settings = { key: this.#key, walletSeed, minConfirmations: 1, lendsMsat };
      const core = new BrokerCore(settings, machine.ports, [this.#scheme]);
      machine.attachAnswers(core);
      core.start();
      return core;
    });
  }
}
