import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { labUrl } from '../scripts/lab-server.ts';
import { splitAddress } from '../scripts/network-ports.ts';
import { utf8 } from '../src/base/bytes.ts';
import { destroyReason, endUnpaid, relayCommand } from '../src/cell/commands.ts';
import { fragment } from '../src/cell/payment-messages.ts';
import { encodeResolve } from '../src/cell/relay-messages.ts';
import { paymentStatus } from '../src/payment/scheme.ts';
import type { DishonestCircuit } from './dishonest-circuit.fixture.ts';
import { DishonestClient } from './dishonest-client.fixture.ts';
import { type DishonestChannel, DishonestPayer, RedeemTalk } from './dishonest-payer.fixture.ts';
import { servesHonestClient } from './honest-client.fixture.ts';
import { type LabNetwork, startLabNetwork, until } from './lab-network.fixture.ts';
import { ledgerOf, paidOf, problemsOf } from './relay-ledger.fixture.ts';

/** What relays earn, and what they never give away, when a client keeps no rule. */
const network = `
relays:
  - {count: 1, flags: [guard], price: 2000 msat/cell}
  - {count: 1, flags: [middle], price: 2000 msat/cell}
  - {count: 1, exit: true, price: 2000 msat/cell}
pay: {window: 1024}
`;
const freeCells = 64;
/** The least first payment, and what it buys at that price. */
const leastSat = 634n;
const leastCells = 317;

let lab: LabNetwork;
let client: DishonestClient;
let payer: DishonestPayer;

beforeAll(async () => {
  lab = await startLabNetwork(network);
  client = await DishonestClient.start(lab);
  payer = await DishonestPayer.start(lab);
}, 120_000);
afterAll(async () => {
  await client?.stop();
  await payer?.stop();
  await lab?.stop();
}, 60_000);

function channelWith(circuit: DishonestCircuit, hop: number, relay: string): Promise<DishonestChannel> {
  return payer.channel(circuit, hop, client.relay(relay).ed25519);
}

/** Pays one hop of a circuit once. */
async function payHop(circuit: DishonestCircuit, hop: number, relay: string, sat: bigint): Promise<void> {
  const channel = await channelWith(circuit, hop, relay);
  expect(await channel.pay(sat)).toMatchObject({ status: paymentStatus.ok, creditedMsat: sat * 1_000n });
}

/** Asks the lab's server for a file too large for what was paid; its cells come by themselves. */
async function fetchThrough(circuit: DishonestCircuit): Promise<void> {
  const [host, port] = splitAddress(lab.state.lab);
  expect(await circuit.begin(1, host, port)).toMatchObject({ command: relayCommand.connected });
  const { pathname } = new URL(labUrl(lab.state.lab, { seed: 'unpaid', bytes: 10_000_000 }));
  circuit.send(circuit.cells.length - 1, relayCommand.data, utf8(`GET ${pathname} HTTP/1.0\r\n\r\n`), 1);
}

describe('cells', () => {
  test('an exit reaches nobody for free cells, and does once it was paid', async () => {
    const circuit = await client.circuit('guard1', 'exit1');
    const [host, port] = splitAddress(lab.state.lab);
    const unpaid = { command: relayCommand.end, body: Uint8Array.of(endUnpaid) };
    expect(await circuit.begin(1, host, port)).toMatchObject(unpaid);
    circuit.send(1, relayCommand.resolve, encodeResolve('localhost'), 2);
    expect(await circuit.next(relayCommand.end, relayCommand.resolved)).toMatchObject(unpaid);
    await payHop(circuit, 1, 'exit1', leastSat);
    expect(await circuit.begin(3, host, port)).toMatchObject({ command: relayCommand.connected });
  });

  test('a relay serves to the last cell, and not one more', async () => {
    const circuit = await client.circuit('guard1');
    const channel = await channelWith(circuit, 0, 'guard1');
    await channel.pay(leastSat);
    const bought = freeCells + leastCells;
    // A question and its answer are two cells; the answer says what was left before itself.
    while (circuit.cells[0] < bought - 2) circuit.send(0, relayCommand.drop, new Uint8Array(0));
    expect(await channel.talk.ask()).toMatchObject({ balance: 1n });
    await client.roundTrip(circuit.link);
    expect([circuit.cells[0], circuit.destroyed]).toEqual([bought, undefined]);
    circuit.send(0, relayCommand.drop, new Uint8Array(0));
    expect(await circuit.ended()).toBe(destroyReason.resourceLimit);
  });

  test('a guard passes on what it was paid for, and ends the circuit at the next cell', async () => {
    const circuit = await client.circuit('guard1', 'exit1');
    await payHop(circuit, 1, 'exit1', 10n * leastSat);
    await payHop(circuit, 0, 'guard1', leastSat);
    await fetchThrough(circuit);
    expect(await circuit.ended()).toBe(destroyReason.resourceLimit);
    expect(circuit.cells[0]).toBe(freeCells + leastCells);
  });

  test('an exit sends what it was paid for, and keeps its free cells to itself', async () => {
    const circuit = await client.circuit('guard1', 'exit1');
    await payHop(circuit, 0, 'guard1', 10n * leastSat);
    await payHop(circuit, 1, 'exit1', leastSat);
    await fetchThrough(circuit);
    // The guard tells that the exit has ended the circuit, and not why.
    expect(await circuit.ended()).toBe(destroyReason.destroyed);
    const data = circuit.seen.filter(cell => cell.command === relayCommand.data);
    // One paid cell took the request to the server.
    expect(data.length).toBe(leastCells - 1);
  });
});

/** A payment with one byte raised: 0 is the scheme, 2 the channel's name, 17 the end of the amount, 18 the signature. */
function raised(payment: Uint8Array, at: 0 | 2 | 17 | 18): Uint8Array {
  payment[at] += 1;
  return payment;
}

describe('payments', () => {
  const bestSat = 2n * leastSat;
  let channel: DishonestChannel;
  const best = () => channel.payment(bestSat);

  beforeAll(async () => {
    channel = await channelWith(await client.circuit('guard1'), 0, 'guard1');
    await channel.pay(leastSat);
    await channel.pay(bestSat);
  });

  test.each<[what: string, status: keyof typeof paymentStatus, payment: () => Uint8Array]>([
    ['the last payment once more', 'stale', best],
    ['an older payment', 'stale', () => channel.payment(leastSat)],
    ['a lower amount than the last', 'stale', () => channel.payment(bestSat - 1n)],
    ['a satoshi more than the contract holds', 'overspent', () => channel.payment(channel.satMax + 1n)],
    ['all the money there is', 'overspent', () => best().fill(0xff, 10, 18)],
    ['a satoshi more than was signed', 'badSignature', () => raised(best(), 17)],
    ['the channel of nobody', 'unknownChannel', () => raised(best(), 2)],
    ['a scheme of nobody', 'unknownScheme', () => raised(best(), 0)],
    ['garbage', 'malformed', () => client.entropy.bytes(7_000).fill(1, 0, 1)],
  ])('%s is refused as %s, for no credit', async (_what, status, payment) => {
    const { talk } = channel;
    const paid = await paidOf(lab, 'guard1');
    const { creditedMsat, balance } = await talk.ask();
    const cells = talk.circuit.cells[0];
    const receipt = await talk.redeem(payment());
    expect(receipt).toMatchObject({ status: paymentStatus[status], creditedMsat });
    // Each of the two answers states the balance before it is paid for itself.
    expect(balance - receipt.balance).toBe(BigInt(talk.circuit.cells[0] - cells));
    expect(await paidOf(lab, 'guard1')).toEqual(paid);
  });

  test('a good payment after them is credited in full', async () => {
    const receipt = await channel.pay(5n * leastSat);
    expect(receipt).toMatchObject({ status: paymentStatus.ok, creditedMsat: 5n * leastSat * 1_000n });
  });

  test.each(['guard1', 'middle1'])(
    'a payment counts on its own circuit alone, not on another at %s',
    async relay => {
      const paid = await paidOf(lab, relay);
      const other = new RedeemTalk(await client.circuit(relay), 0);
      const receipt = await other.redeem(channel.payment(6n * leastSat));
      expect(receipt).toMatchObject({ status: paymentStatus.unknownChannel, creditedMsat: 0n });
      expect(await paidOf(lab, relay)).toEqual(paid);
    },
  );

  test('a first payment that is not worth claiming is refused', async () => {
    const fresh = await channelWith(await client.circuit('guard1'), 0, 'guard1');
    const receipt = await fresh.pay(leastSat - 1n);
    expect(receipt).toMatchObject({ status: paymentStatus.tooSmall, creditedMsat: 0n });
  });

  test('the third forged signature ends the circuit, and no other', async () => {
    const forger = await channelWith(await client.circuit('guard1'), 0, 'guard1');
    const { circuit } = forger.talk;
    const paid = await paidOf(lab, 'guard1');
    for (let strike = 1; strike < 3; strike++) {
      const receipt = await forger.talk.redeem(raised(forger.payment(leastSat), 18));
      expect(receipt).toMatchObject({ status: paymentStatus.badSignature, creditedMsat: 0n });
    }
    await client.roundTrip(circuit.link);
    expect(circuit.destroyed).toBeUndefined();
    const [third] = fragment(3, raised(forger.payment(leastSat), 18));
    forger.talk.sendBody(third);
    expect(await circuit.ended()).toBe(destroyReason.protocol);
    expect(await paidOf(lab, 'guard1')).toEqual(paid);
    expect(await channel.talk.ask()).toMatchObject({ creditedMsat: 5n * leastSat * 1_000n });
  });
});

describe('pieces of a payment', () => {
  const [first, second] = fragment(1, new Uint8Array(600));
  const [ofAnother] = fragment(2, new Uint8Array(600));
  const [whole] = fragment(1, new Uint8Array(82));

  test('half a payment earns nothing', async () => {
    const circuit = await client.circuit('guard1', 'exit1');
    new RedeemTalk(circuit, 1).sendBody(first);
    const [host, port] = splitAddress(lab.state.lab);
    const unpaid = { command: relayCommand.end, body: Uint8Array.of(endUnpaid) };
    expect(await circuit.begin(1, host, port)).toMatchObject(unpaid);
    expect(circuit.seen).toEqual([]);
  });

  test.each<[what: string, bodies: readonly Uint8Array[]]>([
    ['the second piece first', [second]],
    ['the first piece twice', [first, first]],
    ['a piece of another payment in between', [first, ofAnother]],
    ['a whole payment in between', [first, whole]],
    ['a piece shorter than it says', [whole.subarray(0, 80)]],
    ['a piece beyond the last', [whole.with(2, 1)]],
    ['more pieces than a payment may have', [first.with(3, 17)]],
    ['no pieces at all', [whole.with(3, 0)]],
    ['a piece without a head', [new Uint8Array(0)]],
  ])('%s ends the circuit', async (_what, bodies) => {
    const talk = new RedeemTalk(await client.circuit('middle1'), 0);
    for (const body of bodies) talk.sendBody(body);
    expect(await talk.circuit.ended()).toBe(destroyReason.protocol);
    expect(talk.circuit.seen).toEqual([]);
  });
});

describe('after all that', () => {
  test('an honest client is served as before', async () => {
    expect(await servesHonestClient(lab, ['guard1', 'middle1', 'exit1'])).toBe(true);
  });

  test('relays settle to the satoshi what they were paid', async () => {
    await client.stop();
    for (const relay of ['guard1', 'exit1']) {
      const paid = async () => (await ledgerOf(lab, relay)).rows.filter(({ paidSat }) => paidSat > 0n);
      expect((await paid()).length).toBeGreaterThan(2);
      await until(async () => {
        await lab.mine(1);
        return (await paid()).every(({ ending }) => ending !== undefined);
      }, `${relay} has settled`);
      for (const { ending, paidSat } of await paid())
        expect(ending).toMatchObject({ how: 'payment', payeeSat: paidSat });
      expect(await problemsOf(lab, relay)).toEqual([]);
    }
  });
});
