import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { simNodeKeys } from '../scripts/sim/machine-room.ts';
import { cellCommand, handshakeType } from '../src/cell/commands.ts';
import { decodeCreate2, decodeCreated2, encodeCreate2 } from '../src/cell/link-messages.ts';
import { type CongestionOffer, startCreate2, startCreateFast } from '../src/circuit/extend.ts';
import { ntorV3ClientStart } from '../src/crypto/ntor-v3.ts';
import { type CongestionParams, readCongestionParams } from '../src/flow/congestion-params.ts';
import { VirtualTime } from '../src/flow/virtual-link.fixture.ts';
import { SeededEntropy } from '../src/sim/seeded-entropy.ts';
import { CircuitHandshakes } from './circuit-handshakes.ts';

const entropy = new SeededEntropy('handshakes');
const keys = simNodeKeys(entropy, 0);
const relay = new CircuitHandshakes(keys, entropy);
const target = {
  nickname: 'relay',
  rsaId: keys.rsaIdentity.fingerprint,
  ed25519: keys.identity.publicKey,
  ntorKey: keys.ntor.publicKey,
  address: { host: '10.0.0.1', port: 9001 },
};
const clock = new VirtualTime();

function paramsWith(changed: Readonly<Record<string, number>> = {}): CongestionParams {
  return readCongestionParams((name, otherwise) => changed[name] ?? otherwise);
}

function offerOf(params: CongestionParams): CongestionOffer {
  return { params, clock, blocked: () => false };
}

/** The hop as both sides have it. */
function agree(offer: CongestionOffer | undefined, granted: CongestionParams) {
  const exchange = startCreate2(entropy, target, offer);
  const answered = relay.answer(cellCommand.create2, exchange.message, 0, granted);
  if (!answered.ok) throw new Error(answered.fault.code);
  const { keys: ours, sendmeCells, reply } = answered.value;
  const finished = exchange.finish(decodeCreated2(reply, 0) ?? new Uint8Array(0));
  return { ours, sendmeCells, finished };
}

const codeOf = (bytes: Uint8Array) => {
  const answered = relay.answer(cellCommand.create2, bytes, 0, paramsWith());
  return answered.ok ? 'answered' : answered.fault.code;
};

describe('a hop', () => {
  it.each([
    ['asked for, and granted', true, {}, 31],
    ['asked for, where the consensus of the relay has it switched off', true, { cc_alg: 0 }, undefined],
    ['not asked for', false, {}, undefined],
  ] as const)('has congestion control that is %s: %s', (_, asked, changed, sendmeCells) => {
    const made = agree(asked ? offerOf(paramsWith()) : undefined, paramsWith(changed));
    expect(made.sendmeCells).toBe(sendmeCells);
    const hop = made.finished.ok ? made.finished.value : undefined;
    expect(hop?.keys).toEqual(made.ours);
    expect(hop?.flow.streamWindows).toBe(sendmeCells === undefined);
    expect(hop?.flow.sent.cells).toBe(sendmeCells === undefined ? 1_000 : 124);
  });

  it.each([
    [30, true],
    [32, true],
    [29, false],
    [33, false],
    [254, false],
  ])('may have a SENDME answer %i cells, for a client whose consensus says 31: %s', (cells, taken) => {
    const { finished } = agree(offerOf(paramsWith()), paramsWith({ cc_sendme_inc: cells }));
    expect(finished.ok ? 'taken' : finished.fault.code).toBe(taken ? 'taken' : 'SENDME_CELLS_REFUSED');
  });

  it('goes by CREATE_FAST with fixed windows', () => {
    const exchange = startCreateFast(entropy);
    const answered = relay.answer(cellCommand.createFast, exchange.message, 0, paramsWith());
    expect(answered.ok && [answered.value.command, answered.value.sendmeCells]).toEqual([
      cellCommand.createdFast,
      undefined,
    ]);
  });
});

describe('what no hop answers', () => {
  it('is CREATE2 with a handshake that is not known, with a length beyond its cell, or of another relay', () => {
    expect(codeOf(encodeCreate2(77, new Uint8Array(84)))).toBe('CREATE_UNKNOWN_HANDSHAKE');
    expect(codeOf(new Uint8Array(509).fill(0xff))).toBe('CREATE_MALFORMED');
    const other = { ...target, ed25519: new Uint8Array(32).fill(1) };
    expect(codeOf(startCreate2(entropy, other, offerOf(paramsWith())).message)).toBe('NTOR_NOT_OUR_KEY');
  });

  it('is a subprotocol that our descriptor does not offer, and extensions that cannot be read', () => {
    const onion = { identity: target.ed25519, onionKey: target.ntorKey };
    const asking = (...message: number[]) => {
      const started = ntorV3ClientStart(entropy, onion, Uint8Array.from(message));
      return encodeCreate2(handshakeType.ntorV3, started.ok ? started.value.request : new Uint8Array(0));
    };
    expect(codeOf(asking(0))).toBe('answered');
    expect(codeOf(asking(1, 3, 2, 2, 6))).toBe('SUBPROTOCOL_NOT_OFFERED');
    expect(codeOf(asking(2, 1, 0))).toBe('EXTENSIONS_MALFORMED');
  });

  it('is any change of what a client sent, and nothing throws', () => {
    const { message } = startCreate2(entropy, target, offerOf(paramsWith()));
    const handshakeBytes = decodeCreate2(message, 0)?.handshake.length ?? 0;
    fc.assert(
      fc.property(fc.nat(4 + handshakeBytes - 1), fc.integer({ min: 1, max: 255 }), (at, bits) => {
        const changed = message.slice();
        changed[at] ^= bits;
        expect(codeOf(changed)).not.toBe('answered');
      }),
      { numRuns: 60 },
    );
  });
});
