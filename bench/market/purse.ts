import { assert } from '../../src/base/assert.ts';
import { fromUtf8 } from '../../src/base/bytes.ts';
import { scriptOfAddress } from '../../src/bitcoin/wallet.ts';
import {
  addressReply,
  balanceReply,
  plainBody,
  tillOperation,
  tillScheme,
} from '../../src/broker/money-messages.ts';
import type { SigningKey } from '../../src/crypto/ecdsa.ts';
import { makeAccountRequest } from '../../src/payment/account-request.ts';
import type { BrokeredNode, BrokeredOptions, BrokeredScheme } from '../../src/payment/brokered.ts';
import type { PaymentScheme, Value } from '../../src/payment/scheme.ts';
import type { Endpoint, Entropy } from '../../src/ports.ts';
import { bitcoinChannel } from '../../src/schemes/bitcoin-channel/index.ts';

/** A node's part of what peers pay each other by, and where its money is. */
export interface Purse {
  readonly node: PaymentScheme;
  /** Keys that others know its owner by: of its account, or of addresses that it had bitcoins paid in to. */
  readonly ownerKeys: readonly Uint8Array[];
  /** The script that bitcoins for it are paid to. */
  address(): Uint8Array;
  /** Hands in all that was earned, to broker or chain. */
  deposit(): void;
  /** What it could have paid out. */
  balanceMsat(): Value;
}

/** Asks another party, and has its reply. */
export type Ask = (to: Endpoint, scheme: number, make: (entropy: Entropy) => Uint8Array) => Uint8Array;

/** Money in an account at a broker. */
export function accountPurse(
  scheme: BrokeredScheme,
  options: BrokeredOptions,
  turn: <T>(run: () => T) => T,
  ask: Ask,
): Purse {
  const { account, broker } = options;
  // Whoever is paid by chains redeems them by itself when a circuit has ended.
  const node: PaymentScheme & Partial<BrokeredNode> = scheme.node(options);
  return {
    node,
    ownerKeys: [account.publicKey],
    address: () => accountAddress(account, broker.endpoint, ask),
    deposit: () => turn(() => node.desk?.deposit()),
    balanceMsat() {
      const body = plainBody.encode({ operation: tillOperation.balance });
      const said = balanceReply.decode(askTill(account, broker.endpoint, body, ask));
      return (said?.heldMsat ?? 0n) - (said?.owedMsat ?? 0n);
    },
  };
}

/** Where bitcoins are paid in to an account. */
export function accountAddress(account: SigningKey, broker: Endpoint, ask: Ask): Uint8Array {
  const body = plainBody.encode({ operation: tillOperation.address });
  const reply = addressReply.decode(askTill(account, broker, body, ask));
  const script = scriptOfAddress(fromUtf8(reply?.address ?? new Uint8Array(0)));
  assert(script !== undefined, 'the broker gives an address to an account');
  return script;
}

function askTill(account: SigningKey, broker: Endpoint, body: Uint8Array, ask: Ask): Uint8Array {
  return ask(broker, tillScheme, entropy => makeAccountRequest(account, entropy, body));
}

/** Money on the chain, in channels and in a wallet for each role. */
export function channelPurse(turn: <T>(run: () => T) => T): Purse {
  const node = bitcoinChannel({ network: 'regtest' });
  const { desk } = node;
  const ownerKeys: Uint8Array[] = [];
  return {
    node,
    ownerKeys,
    address() {
      const wallet = desk.wallet('payer');
      assert(wallet !== undefined, 'a payer has a wallet');
      const { script } = turn(() => wallet.address);
      const key = wallet.keyOf(script)?.publicKey;
      assert(key !== undefined, 'a wallet has the keys of its addresses');
      ownerKeys.push(key);
      return script;
    },
    deposit() {
      turn(() => {
        for (const { role, channel, ending } of desk.channels())
          if (role === 'payee' && ending === undefined) desk.close(channel);
      });
    },
    balanceMsat: () => (desk.wallet('payee')?.balance.confirmedSat ?? 0n) * 1_000n,
  };
}
