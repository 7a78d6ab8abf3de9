import { expect } from 'vitest';
import type { BrokerDisk, BrokerLab } from '../broker/broker-lab.fixture.ts';
import type { BrokeredScheme } from '../payment/brokered.ts';
import * as cpayPeers from './cpay/cpay-peers.fixture.ts';
import { cpay } from './cpay/index.ts';
import { Scene } from './p2p-netpay/bought-chain.fixture.ts';
import { p2pNetpay } from './p2p-netpay/index.ts';
import { payword } from './payword/index.ts';
import { certificate } from './payword/messages.ts';
import * as promises from './payword/promises.fixture.ts';
import { hashOf } from './payword/terms.ts';
import { handedOver, pathOf } from './ppay/coin-path.ts';
import { ppay } from './ppay/index.ts';
import { assignedCoin } from './ppay/messages.ts';
import * as ppayPeers from './ppay/ppay-peers.fixture.ts';
import { whopay } from './whopay/index.ts';
import { binding } from './whopay/messages.ts';
import * as whopayPeers from './whopay/whopay-peers.fixture.ts';

/** What came of a fraud: the broker that has its proof on file, and whom that must convict. */
interface Found {
  readonly broker: BrokerLab;
  readonly guilty: Uint8Array;
  readonly role: string;
}

/** One way to cheat of which a broker files a proof. */
export interface Fraud {
  readonly scheme: BrokeredScheme;
  readonly cheat: string;
  /** Does it in a new world, at a broker with that disk, which starts again in between. */
  commit(disk?: BrokerDisk): Found;
}

const { value } = ppayPeers;

/** Every kind of proof that a broker's schemes file. */
export const frauds: readonly Fraud[] = [
  { scheme: payword, cheat: 'overspent', commit: overspent },
  { scheme: p2pNetpay, cheat: 'forked', commit: forked },
  { scheme: p2pNetpay, cheat: 'overclaimed', commit: overclaimed },
  { scheme: p2pNetpay, cheat: 'handed-twice', commit: handedTwice },
  { scheme: ppay, cheat: 'double-handover', commit: doubleHandover },
  { scheme: ppay, cheat: 'double-assignment', commit: doubleAssignment },
  { scheme: whopay, cheat: 'double-spend', commit: doubleSpend },
  { scheme: whopay, cheat: 'double-binding', commit: doubleBinding },
  { scheme: cpay, cheat: 'double-authorisation', commit: doubleAuthorisation },
  { scheme: cpay, cheat: 'false-release', commit: falseRelease },
];

/** A payer on credit promises more than its limit to two vendors. */
function overspent(disk?: BrokerDisk): Found {
  const { broker, payer, vendors } = promises.sceneOf('overspent', 'credit', disk);
  const granted = promises.certificateOf(payer, broker);
  const backing = certificate.encode(granted);
  for (const vendor of vendors.slice(0, 2)) {
    const { said, words } = promises.promise(payer.account, vendor, hashOf(backing), granted.expiry);
    vendor.take(promises.session, promises.open(said, words, 60, backing, 0));
    vendor.do(() => vendor.payee.ended(promises.session));
    broker.restart();
  }
  return { broker, guilty: payer.account.publicKey, role: 'payer' };
}

/** A user takes one step of its chain to two vendors. */
function forked(disk?: BrokerDisk): Found {
  const scene = new Scene(disk);
  scene.redeem(scene.claim(0, 0, 0, 50), scene.visit(0, 0));
  scene.broker.restart();
  scene.redeem(scene.claim(0, 1, 0, 40), scene.visit(0, 1));
  return { broker: scene.broker, guilty: scene.user.publicKey, role: 'payer' };
}

/** A vendor redeems words beyond the one at which it handed the chain on. */
function overclaimed(disk?: BrokerDisk): Found {
  const scene = new Scene(disk);
  scene.redeem(scene.claim(0, 0, 0, 50), scene.visit(0, 0));
  scene.broker.restart();
  scene.redeem(scene.claim(1, 1, 30, 60), scene.visit(1, 1, 0), scene.index(0, 0, 1, 30));
  return { broker: scene.broker, guilty: scene.key(0), role: 'vendor' };
}

/** A vendor hands a chain on twice. */
function handedTwice(disk?: BrokerDisk): Found {
  const scene = new Scene(disk);
  const next = scene.visit(1, 1, 0);
  scene.redeem(scene.claim(1, 1, 0, 100), next, scene.index(0, 0, 1, 0));
  scene.broker.restart();
  scene.redeem(scene.claim(1, 1, 100, 100), next, scene.index(0, 0, 1, 100));
  return { broker: scene.broker, guilty: scene.key(0), role: 'vendor' };
}

/** A holder spends its coin by the broker, and again by the coin's owner. */
function doubleHandover(disk?: BrokerDisk): Found {
  const { coins, owner, relay, other, third } = ppayPeers.peersOf('double-handover', undefined, disk);
  owner.pay(relay, value);
  const [{ path }] = ppayPeers.heldBy(relay);
  const [one, two] = [other, third].map(next => handedOver(path, relay.account, next.account.publicKey));
  relay.ask(coins.broker.at, ppayPeers.reassign(one));
  coins.broker.restart();
  relay.ask(owner.at, ppayPeers.reassign(two));
  owner.restart();
  coins.settle();
  return { broker: coins.broker, guilty: relay.account.publicKey, role: 'holder' };
}

/** An owner assigns its coin to two, and both hand it in. */
function doubleAssignment(disk?: BrokerDisk): Found {
  const { coins, owner, relay, other } = ppayPeers.peersOf('double-assignment', undefined, disk);
  owner.pay(relay, value);
  const { coin } = ppayPeers.heldBy(relay)[0].path.assigned;
  const again = assignedCoin.sign(owner.account, { coin, holder: other.account.publicKey, position: 1n });
  ppayPeers.payWith(owner, other, [pathOf(again)]);
  for (const peer of [relay, other]) {
    peer.do(() => ppayPeers.deskOf(peer).deposit());
    coins.broker.restart();
  }
  return { broker: coins.broker, guilty: owner.account.publicKey, role: 'owner' };
}

/** A holder orders its coin to one by the broker, and to another by the coin's owner. */
function doubleSpend(disk?: BrokerDisk): Found {
  const { coins, owner, relay, other, third } = whopayPeers.peersOf('double-spend', undefined, disk);
  owner.pay(relay, value);
  const [held] = whopayPeers.heldBy(relay);
  const { coin } = held.paid;
  const [one, two] = [other, third].map(to =>
    whopayPeers.orderOf(held, 'transfer', whopayPeers.placeAt(to, coin).holder),
  );
  relay.ask(coins.broker.at, whopayPeers.request(held, one));
  coins.broker.restart();
  relay.ask(owner.at, whopayPeers.request(held, two));
  owner.restart();
  coins.settle();
  return { broker: coins.broker, guilty: held.key.publicKey, role: 'holder' };
}

/** An owner binds its coin to two, and both hand it in. */
function doubleBinding(disk?: BrokerDisk): Found {
  const { coins, owner, relay, other } = whopayPeers.peersOf('double-binding', undefined, disk);
  owner.pay(relay, value);
  const { coin: made, binding: bound } = whopayPeers.heldBy(relay)[0].paid;
  const fields = { ...bound, sequence: 1n, ...whopayPeers.placeAt(other, made) };
  whopayPeers.payWith(other, made, binding.sign(whopayPeers.coinSecretOf(owner, made), fields));
  for (const peer of [relay, other]) {
    peer.do(() => whopayPeers.deskOf(peer).deposit());
    coins.broker.restart();
  }
  return { broker: coins.broker, guilty: owner.account.publicKey, role: 'owner' };
}

/** Peers of CPay, a coin that the second of them holds, and whom it may go to. */
function assisted(seed: string, disk?: BrokerDisk) {
  const { coins, peers } = cpayPeers.peersOf(seed, undefined, disk);
  const [payer, relay] = peers;
  payer.pay(relay, value);
  const [held] = cpayPeers.heldBy(relay);
  const assistant = cpayPeers.assistantOf(coins, peers, held, relay);
  const others = peers.filter(peer => ![payer, relay, assistant].includes(peer));
  return { coins, peers, relay, held, assistant, others };
}

/** An assistant gives one coin to two, and both hand it in. */
function doubleAuthorisation(disk?: BrokerDisk): Found {
  const { coins, peers, held, assistant, others } = assisted('double-authorisation', disk);
  const victims = others.slice(0, 2);
  for (const to of victims) {
    const auth = cpayPeers.authBy(assistant, cpayPeers.saidFor(coins, held, to));
    cpayPeers.payWith(to, { coin: held.coin, auth });
  }
  for (const peer of victims) {
    peer.do(() => cpayPeers.deskOf(peer).deposit());
    coins.broker.restart();
  }
  cpayPeers.enquire(coins, peers);
  return { broker: coins.broker, guilty: assistant.account.publicKey, role: 'assistant' };
}

/** An assistant authorises what it has left to its successor. */
function falseRelease(disk?: BrokerDisk): Found {
  const { coins, peers, relay, held, assistant, others } = assisted('false release', disk);
  const [other, third] = others;
  const late = cpayPeers.authBy(assistant, cpayPeers.saidFor(coins, held, other));
  const { all } = cpayPeers.succeeded(coins, peers, held, relay);
  expect(relay.pay(third, value)).toBe(value);
  expect(cpayPeers.payWith(other, { coin: held.coin, auth: late })).toBe('added');
  for (const peer of [other, third]) {
    peer.do(() => cpayPeers.deskOf(peer).deposit());
    coins.broker.restart();
  }
  cpayPeers.enquire(coins, all);
  return { broker: coins.broker, guilty: assistant.account.publicKey, role: 'assistant' };
}
