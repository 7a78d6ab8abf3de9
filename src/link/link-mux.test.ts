import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  circuitQueueCellsHigh,
  circuitQueueCellsMax,
  keepalivePeriodMs,
  linkHandshakeMsMax,
  linkIdleMsMax,
  schedulerBurstCells,
} from '../base/limits.ts';
import { cellCommand } from '../cell/commands.ts';
import { makeLinkIdentity, makeTlsCertificate, verifyLinkCertificates } from './link-certificates.ts';
import type { LinkProtocol } from './link-faults.ts';
import { keysOf, type Pair, pairOf } from './two-nodes.fixture.ts';

const payloadOf = (fill: number) => new Uint8Array(509).fill(fill);

function opened(pair: Pair): Pair {
  pair.settle();
  expect(pair.initiator.user.ready).toHaveLength(1);
  expect(pair.responder.user.ready).toHaveLength(1);
  return pair;
}

describe.each([3, 4, 5] as LinkProtocol[])('link protocol %i', protocol => {
  test('two relays prove both identities to each other', () => {
    const keys = [keysOf(0), keysOf(1)] as const;
    const { initiator, responder } = opened(pairOf({ protocols: [protocol], keys }));
    const proven = (of: 0 | 1) => ({
      kind: 'relay',
      rsaId: keys[of].rsaIdentity.fingerprint,
      rsaPublicDer: keys[of].rsaIdentity.publicDer,
      ed25519: keys[of].identity.publicKey,
      isCanonical: true,
    });
    expect(initiator.user.ready[0]).toEqual({ link: 1, peer: proven(1), protocol });
    expect(responder.user.ready[0]).toEqual({ link: 1, peer: proven(0), protocol });
  });

  test('a client stays unknown and still knows the relay', () => {
    const { initiator, responder } = opened(pairOf({ protocols: [protocol], client: true }));
    expect(initiator.user.ready[0].peer.kind).toBe('relay');
    expect(responder.user.ready[0].peer).toEqual({ kind: 'client' });
  });

  test('cells arrive in order, whatever the reads', () => {
    const pair = opened(pairOf({ protocols: [protocol] }));
    const circuit = pair.initiator.mux.allocateCircuit(1) ?? 0;
    expect(pair.responder.mux.acceptsCircuit(1, circuit)).toBe(true);
    for (let i = 0; i < 300; i++)
      pair.initiator.mux.send(1, circuit, cellCommand.relay, payloadOf(i % 251), 0);
    const cut = (_from: string, bytes: Uint8Array) =>
      Array.from({ length: Math.ceil(bytes.length / 100) }, (_, i) => bytes.subarray(i * 100, i * 100 + 100));
    pair.settle(cut);
    expect(pair.responder.user.cells.map(cell => cell.payload[508])).toEqual(
      Array.from({ length: 300 }, (_, i) => i % 251),
    );
    expect(pair.responder.user.cells.every(cell => cell.circuit === circuit)).toBe(true);
  });

  test('both sides choose ids that the other takes', () => {
    const pair = opened(pairOf({ protocols: [protocol] }));
    const ends = [pair.initiator, pair.responder] as const;
    for (const [own, other] of [ends, [ends[1], ends[0]] as const]) {
      const ids = Array.from({ length: 50 }, () => own.mux.allocateCircuit(1) ?? 0);
      expect(new Set(ids).size).toBe(50);
      for (const id of ids) expect(other.mux.acceptsCircuit(1, id)).toBe(true);
      expect(other.mux.acceptsCircuit(1, ids[0])).toBe(false);
    }
    expect(pair.initiator.mux.acceptsCircuit(1, 0)).toBe(false);
  });
});

test('certificates hold after half a year, and when a clock that was wrong has been set', () => {
  const dayMs = 86_400_000;
  const startMs = 1_790_000_000_000;
  let nowMs = startMs;
  const identity = makeLinkIdentity(keysOf(0), () => nowMs);
  const tls = makeTlsCertificate(keysOf(0), startMs);
  for (const days of [0, 0.5, 200, 2_000, -2_000]) {
    nowMs = startMs + days * dayMs;
    expect(verifyLinkCertificates(identity.responderCerts(tls), 'responder', tls, nowMs).ok).toBe(true);
    expect(verifyLinkCertificates(identity.initiatorCerts, 'initiator', tls, nowMs).ok).toBe(true);
  }
  const shown = identity.responderCerts(tls);
  nowMs += dayMs / 2;
  expect(identity.responderCerts(tls)).toBe(shown);
});

test('in version 3 the larger RSA modulus has the high ids, whoever dialled', () => {
  const keys = [keysOf(0), keysOf(1)] as const;
  const idOf = (first: 0 | 1) => {
    const pair = opened(pairOf({ protocols: [3], keys: first === 0 ? keys : [keys[1], keys[0]] }));
    const high = (end: Pair['initiator']) => (end.mux.allocateCircuit(1) ?? 0) >= 0x8000;
    return first === 0
      ? [high(pair.initiator), high(pair.responder)]
      : [high(pair.responder), high(pair.initiator)];
  };
  expect(idOf(0)).toEqual(idOf(1));
  expect(new Set(idOf(0)).size).toBe(2);
});

test('the highest common version is spoken, and none is an end', () => {
  const pair = opened(pairOf({ protocols: [3, 4], responderProtocols: [4, 5] }));
  expect(pair.initiator.user.ready[0].protocol).toBe(4);
  const apart = pairOf({ protocols: [3], responderProtocols: [4, 5] });
  apart.settle();
  expect(apart.responder.user.lost[0].code).toBe('LINK_NO_COMMON_PROTOCOL');
});

test('a relay that is not the one meant is refused', () => {
  const keys = [keysOf(0), keysOf(1)] as const;
  for (const expected of [
    { rsaId: keys[0].rsaIdentity.fingerprint },
    { ed25519: keys[0].identity.publicKey },
  ]) {
    const pair = pairOf({ keys, expect: expected });
    pair.settle();
    expect(pair.initiator.user.lost[0].code).toBe('LINK_WRONG_IDENTITY');
    expect(pair.responder.user.ready).toEqual([]);
  }
});

test('a connection that ends in the middle of a handshake is lost like any other', () => {
  const { initiator, responder, settle } = pairOf({ ended: true });
  settle();
  expect(initiator.user.lost).toEqual([{ code: 'LINK_CLOSED', detail: 'done' }]);
  expect(initiator.user.ready).toEqual([]);
  expect(responder.user.ready).toEqual([]);
});

test('a TLS connection that somebody opened up in between is refused', () => {
  const pair = pairOf({ intercepted: true });
  pair.settle();
  expect(pair.initiator.user.lost[0]).toMatchObject({
    code: 'LINK_BAD_CERTIFICATE',
    detail: 'not of this TLS connection',
  });
});

test('one changed byte of the handshake never opens a link as somebody else, and never throws', () => {
  const keys = [keysOf(0), keysOf(1)] as const;
  const identities = new Set(
    [keys[0], keys[1]].map(each => Buffer.from(each.identity.publicKey).toString('hex')),
  );
  fc.assert(
    fc.property(
      fc.constantFrom('initiator', 'responder'),
      fc.integer({ min: 0, max: 5_000 }),
      fc.integer({ min: 1, max: 255 }),
      (side, at, flip) => {
        const pair = pairOf({ keys });
        let seen = 0;
        pair.settle((from, bytes) => {
          const changed = bytes.slice();
          const local = at - seen;
          if (from === side) seen += bytes.length;
          if (from === side && local >= 0 && local < bytes.length) changed[local] ^= flip;
          return [changed];
        });
        for (const { peer } of [...pair.initiator.user.ready, ...pair.responder.user.ready])
          if (peer.kind === 'relay') expect(identities).toContain(Buffer.from(peer.ed25519).toString('hex'));
      },
    ),
    { numRuns: 150 },
  );
});

test('garbage ends the link and nothing else', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ minLength: 1, maxLength: 2_000 }), { maxLength: 10 }), pieces => {
      const pair = pairOf();
      for (const piece of pieces) pair.responder.mux.onBytes(1, piece.slice());
      expect(pair.responder.user.ready).toEqual([]);
    }),
    { numRuns: 100 },
  );
});

test('a cell before the handshake is done ends the link, padding after it is dropped', () => {
  const early = pairOf({ protocols: [3] });
  const cell = new Uint8Array(512);
  early.responder.mux.onBytes(1, cell);
  expect(early.responder.user.lost[0].code).toBe('LINK_UNEXPECTED_CELL');
  const pair = opened(pairOf({ protocols: [3] }));
  pair.responder.mux.onBytes(1, cell);
  const unknown = Uint8Array.of(0, 0, 200, 0, 2, 1, 1);
  pair.responder.mux.onBytes(1, unknown);
  expect(pair.responder.user.lost).toEqual([]);
  expect(pair.responder.user.cells).toEqual([]);
});

test('circuits take turns; a queue at its cap takes no more; a drained queue says so', () => {
  const pair = opened(pairOf({ protocols: [3] }));
  const { mux, port, user } = pair.initiator;
  const [bulk, small] = [mux.allocateCircuit(1) ?? 0, mux.allocateCircuit(1) ?? 0];
  for (const id of [bulk, small]) pair.responder.mux.acceptsCircuit(1, id);
  port.full = true;
  mux.send(1, bulk, cellCommand.relay, payloadOf(1), 0);
  pair.settle();
  for (let i = 0; i < circuitQueueCellsMax; i++)
    expect(mux.send(1, bulk, cellCommand.relay, payloadOf(1), 0)).toBe(true);
  expect(mux.send(1, bulk, cellCommand.relay, payloadOf(1), 0)).toBe(false);
  expect(mux.send(1, small, cellCommand.relay, payloadOf(2), 0)).toBe(true);
  expect(mux.queuedCells).toBe(circuitQueueCellsMax + 1);
  port.full = false;
  mux.onWritable(1);
  pair.settle();
  const order = pair.responder.user.cells.map(cell => cell.circuit);
  expect(order.indexOf(small)).toBeLessThanOrEqual(2 * schedulerBurstCells);
  expect(order).toHaveLength(circuitQueueCellsMax + 2);
  expect(user.drained).toEqual([bulk]);
  expect(mux.queuedCells).toBe(0);
});

test.each([
  { queued: 'dropped', arrive: [1] },
  { queued: 'sent', arrive: [1, 2, 3, 4] },
] as const)(
  'a released circuit’s queue is $queued, the peer told why, and its id free again',
  ({ queued, arrive }) => {
    const pair = opened(pairOf({ protocols: [3] }));
    const { mux, port } = pair.initiator;
    const circuit = mux.allocateCircuit(1) ?? 0;
    pair.responder.mux.acceptsCircuit(1, circuit);
    port.full = true;
    mux.send(1, circuit, cellCommand.relay, payloadOf(1), 0);
    pair.settle();
    for (const mark of [2, 3, 4]) mux.send(1, circuit, cellCommand.relay, payloadOf(mark), 0);
    mux.releaseCircuit(1, circuit, 5, queued);
    port.full = false;
    mux.onWritable(1);
    pair.settle();
    expect(pair.responder.user.cells.map(cell => [cell.command, cell.payload[0]])).toEqual([
      ...arrive.map(mark => [cellCommand.relay, mark]),
      [cellCommand.destroy, 5],
    ]);
    expect(mux.queuedCells).toBe(0);
    pair.responder.mux.releaseCircuit(1, circuit);
    expect(pair.responder.mux.acceptsCircuit(1, circuit)).toBe(true);
  },
);

test('an id taken again before the last cell of its circuit has left serves like any other', () => {
  const pair = opened(pairOf());
  const { mux, port, user } = pair.initiator;
  port.full = true;
  mux.send(1, 7, cellCommand.relay, payloadOf(1), 0);
  pair.settle();
  mux.releaseCircuit(1, 7, 5);
  for (let i = 0; i < circuitQueueCellsHigh; i++) mux.send(1, 7, cellCommand.relay, payloadOf(2), 0);
  port.full = false;
  mux.onWritable(1);
  pair.settle();
  expect(user.drained).toEqual([7]);
});

test('a link that never finishes its handshake, or has no circuit for long, is closed', () => {
  const silent = pairOf();
  silent.responder.clock.advance(linkHandshakeMsMax);
  expect(silent.responder.user.lost).toEqual([{ code: 'LINK_TIMEOUT' }]);
  const idle = opened(pairOf());
  idle.initiator.clock.advance(linkIdleMsMax);
  expect(idle.initiator.user.lost).toEqual([{ code: 'LINK_IDLE' }]);
  const used = opened(pairOf());
  const circuit = used.initiator.mux.allocateCircuit(1) ?? 0;
  used.initiator.clock.advance(linkIdleMsMax * 2);
  expect(used.initiator.user.lost).toEqual([]);
  used.initiator.mux.releaseCircuit(1, circuit);
  used.initiator.clock.advance(linkIdleMsMax);
  expect(used.initiator.user.lost).toEqual([{ code: 'LINK_IDLE' }]);
});

test('a link with circuits that nobody uses is written to, and given up when it takes nothing', () => {
  const pair = opened(pairOf());
  const { initiator, responder } = pair;
  const circuit = initiator.mux.allocateCircuit(1) ?? 0;
  const paddings = () => initiator.port.out.splice(0).filter(bytes => bytes.length === 514).length;
  const pass = (ms: number): void => {
    for (let left = ms; left > 0; left -= keepalivePeriodMs / 2)
      initiator.clock.advance(keepalivePeriodMs / 2);
  };
  pass(keepalivePeriodMs);
  expect(paddings()).toBe(1);
  // What says something serves as well.
  for (let i = 0; i < 4; i++) {
    initiator.mux.send(1, circuit, cellCommand.relay, payloadOf(i), 0);
    pass(keepalivePeriodMs / 2);
  }
  expect(paddings()).toBe(4);
  expect(responder.user.lost).toEqual([]);
  initiator.port.full = true;
  pass(2 * keepalivePeriodMs);
  expect(paddings()).toBe(1);
  expect(initiator.user.lost).toEqual([]);
  pass(11 * keepalivePeriodMs);
  expect(paddings()).toBe(0);
  expect(initiator.user.lost).toEqual([{ code: 'LINK_STALLED' }]);
});

test('a node that threw at a cell of one link goes on with the others', () => {
  const pair = opened(pairOf());
  const { initiator, responder } = pair;
  const circuit = initiator.mux.allocateCircuit(1) ?? 0;
  expect(responder.mux.acceptsCircuit(1, circuit)).toBe(true);
  const { user } = responder;
  const taken = user.onCell.bind(user);
  user.onCell = () => {
    throw new TypeError('planted');
  };
  initiator.mux.send(1, circuit, cellCommand.relay, payloadOf(1), 0);
  expect(() => pair.settle()).toThrow('planted');
  user.onCell = taken;
  responder.mux.send(1, circuit, cellCommand.relay, payloadOf(2), 0);
  initiator.mux.send(1, circuit, cellCommand.relay, payloadOf(3), 0);
  pair.settle();
  expect(initiator.user.cells.map(({ payload }) => payload[0])).toEqual([2]);
  expect(user.cells.map(({ payload }) => payload[0])).toEqual([3]);
});
