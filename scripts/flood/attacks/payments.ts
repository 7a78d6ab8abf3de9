import { destroyReason, relayCommand } from '../../../src/cell/commands.ts';
import { decodeReceipt, fragment } from '../../../src/cell/payment-messages.ts';
import {
  offerMessage,
  openMessage,
  payMessage,
  paymentOp,
  schemeId,
} from '../../../src/schemes/bitcoin-channel/messages.ts';
import { Assailant, hostileAddresses } from '../assailant.ts';
import { type Aim, type AttackReport, scaled, steadily, stopped } from '../attack.ts';
import { type HostileCircuit, HostileCircuits, type HostileUser } from '../hostile-circuit.ts';

const forgeriesMax = 100_000;
const addresses = 50;
/** Circuits of one address that are under way at once. */
const atOnce = 4;
/** Payments that one circuit tries; the relay is to end it before. */
const triesEach = 8;
/** Of a contract that is nowhere. */
const capacitySat = 100_000n;
const paidSat = 1_000n;
/** A compressed public key: the generator of secp256k1. */
const someKey = Buffer.from('0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798', 'hex');

/**
 * Payments whose signatures are made up, for a contract that is nowhere: what the relay does for the terms, the refund's
 * signature and the record, and for signatures that are wrong.
 */
export async function forgedPayments(aim: Aim, stop: AbortSignal, begun: () => void): Promise<AttackReport> {
  const wanted = scaled(forgeriesMax, aim);
  let [forged, offers, accepted, credited, refused, circuits] = [0, 0, 0, 0, 0, 0];
  begun();
  await Promise.all(
    hostileAddresses(addresses).map(async from => {
      const all = new HostileCircuits();
      const one = new Assailant(from, all.onCell);
      const [link] = await one.openAll(aim.guard, 1);
      await new Promise<void>(done => {
        let open = 0;
        const user: HostileUser = {
          created: circuit => circuit.redeem(new Uint8Array(0)),
          receipt: (circuit, bytes) => {
            const receipt = decodeReceipt(bytes);
            if (receipt === undefined) return;
            if (receipt.creditedMsat > 0n) credited += 1;
            const offer = offerMessage.decode(receipt.target);
            if (offer !== undefined && circuit.step === 1) {
              offers += 1;
              circuit.redeem(openOf(one, offer.nonce, offer));
            } else {
              if (circuit.step === 2 && receipt.status === 0) accepted += 1;
              forged += 1;
              if (circuit.step > triesEach) leave(circuit, destroyReason.finished);
              else circuit.redeem(forgery(one, receipt.target));
            }
          },
          destroyed: circuit => {
            if (circuit.step === 0) refused += 1;
            leave(circuit);
          },
        };
        const leave = (circuit: HostileCircuit, reason?: number): void => {
          all.forget(one, circuit, reason);
          open -= 1;
          next();
        };
        const next = (): void => {
          if (stop.aborted || forged >= wanted || link === undefined) {
            if (open === 0) done();
            return;
          }
          if (all.make(one, link, user) === undefined) return;
          circuits += 1;
          open += 1;
        };
        for (let i = 0; i < atOnce; i++) next();
        void stopped(stop).then(() => done());
      });
      await one.stop();
    }),
  );
  return { circuits, refused, offers, accepted, forged, credited };
}

function openOf(
  { entropy }: Assailant,
  nonce: Uint8Array,
  offer: { readonly expiryHeight: number; readonly refundBlocksMin: number; readonly feeSat: number },
): Uint8Array {
  return openMessage.encode({
    scheme: schemeId,
    op: paymentOp.open,
    nonce,
    txid: entropy.bytes(32),
    index: 0,
    capacitySat,
    // The offer lets one guess the tip well enough.
    refundHeight: offer.expiryHeight - 1_000 + offer.refundBlocksMin + 50,
    feeSat: offer.feeSat,
    payerKey: someKey,
    refundScript: Uint8Array.of(0, 20, ...entropy.bytes(20)),
  });
}

function forgery({ entropy }: Assailant, target: Uint8Array): Uint8Array {
  // Whatever the relay said last, a channel's name stands behind the two bytes of its head.
  const channel = target.length >= 10 ? target.slice(2, 10) : entropy.bytes(8);
  const signature = entropy.bytes(64);
  return payMessage.encode({ scheme: schemeId, op: paymentOp.pay, channel, paidSat, signature });
}

const halvesPerSecond = 20_000;

/** REDEEMs of which the last fragment never comes: one on each circuit, and then more of them. */
export async function halfPayments(aim: Aim, stop: AbortSignal, begun: () => void): Promise<AttackReport> {
  const [head] = fragment(1, new Uint8Array(1_000));
  const circuits: HostileCircuit[] = [];
  let [sent, ended] = [0, 0];
  const assailants = await Promise.all(
    hostileAddresses(addresses).map(async from => {
      const all = new HostileCircuits();
      const one = new Assailant(from, all.onCell);
      return { one, all, links: await one.openAll(aim.guard, 1) };
    }),
  );
  let turn = 0;
  begun();
  await steadily(halvesPerSecond * aim.scale, stop, () => {
    const { one, all, links } = assailants[turn++ % assailants.length];
    if (!one.flows || links.length === 0) return true;
    sent += 1;
    const made = all.make(one, links[0], {
      created: circuit => circuit.send(relayCommand.redeem, head),
      destroyed: circuit => {
        ended += 1;
        all.forget(one, circuit);
      },
    });
    if (made !== undefined) circuits.push(made);
    return true;
  });
  await Promise.all(assailants.map(({ one }) => one.stop()));
  return { sent, ended };
}
