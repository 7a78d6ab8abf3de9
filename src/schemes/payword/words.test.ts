import { describe, expect, it } from 'vitest';
import { SigningKey } from '../../crypto/ecdsa.ts';
import { HashChain } from '../../payment/hash-chain.ts';
import { certificate, commitment, operation, payMessage, schemeId } from './messages.ts';
import { certificateOf, open, promise, sceneOf, session } from './promises.fixture.ts';
import { type Commitment, hashOf, jumpMax, marginSeconds, unitMsat } from './terms.ts';

/** A vendor, and a payer that has promised it words on credit: fewer than its chain has. */
function promised(seed: string, count: number, length: number) {
  const { broker, payer, vendors } = sceneOf(seed, 'credit');
  const [vendor] = vendors;
  const granted = certificateOf(payer, broker);
  const backing = certificate.encode(granted);
  const { said: fields } = promise(payer.account, vendor, hashOf(backing), granted.expiry);
  const words = new HashChain(fields.name, new Uint8Array(32).fill(7), length);
  const said = commitment.sign(payer.account, { ...fields, root: words.root, unitMsat, count });
  const codeOf = (bytes: Uint8Array) => {
    const redeemed = vendor.take(session, bytes);
    return redeemed.kind === 'refused' ? redeemed.fault.code : redeemed.kind;
  };
  return {
    broker,
    said,
    opened: (at: number, by: Commitment = said, shown = words) => codeOf(open(by, shown, at, backing, 0)),
    paid: (index: number, word = words.word(index)) =>
      codeOf(payMessage.encode({ scheme: schemeId, operation: operation.pay, index, word })),
  };
}

describe('a vendor of PayWord takes no word', () => {
  it('beyond those that were promised, though the chain goes on', () => {
    const { opened, paid } = promised('longer', 10, 100);
    expect(opened(11)).toBe('overspent');
    expect(opened(5)).toBe('added');
    expect(paid(11)).toBe('overspent');
    expect(paid(10)).toBe('added');
    expect(paid(11)).toBe('overspent');
  });

  it('that it would have to hash for long', () => {
    const { opened, paid } = promised('far', 20_000, 20_000);
    expect(opened(jumpMax + 1)).toBe('overspent');
    expect(opened(1)).toBe('added');
    expect(paid(jumpMax + 2)).toBe('overspent');
    expect(paid(jumpMax + 1)).toBe('added');
  });

  it('twice, or one that leads nowhere', () => {
    const { opened, paid } = promised('again', 100, 100);
    expect(opened(5)).toBe('added');
    expect(paid(5)).toBe('stale');
    expect(paid(4)).toBe('stale');
    expect(paid(6, new Uint8Array(32))).toBe('badSignature');
    expect(paid(6)).toBe('added');
  });

  it('that leads nowhere, as the first of a chain either', () => {
    const { opened, said, paid } = promised('first', 100, 100);
    const others = new HashChain(said.name, new Uint8Array(32).fill(8), 100);
    expect(opened(5, said, others)).toBe('badSignature');
    expect(paid(6)).toBe('unknownChannel');
    expect(opened(5)).toBe('added');
  });

  it('of a promise that somebody else made in the payer\u2019s name, by its certificate', () => {
    const { opened, said } = promised('forged', 100, 100);
    const stranger = new SigningKey(new Uint8Array(32).fill(9));
    expect(opened(5, commitment.sign(stranger, said))).toBe('badSignature');
    expect(opened(5)).toBe('added');
  });

  it('in the last hour of its chain', () => {
    const { broker, opened, paid, said } = promised('late', 100, 100);
    expect(opened(5)).toBe('added');
    const leftMs = said.expiry * 1_000 - broker.world.wallStartMs - broker.world.nowUs / 1_000;
    broker.world.runFor(Math.ceil(leftMs - marginSeconds * 1_000) - 1_000);
    expect(paid(6)).toBe('added');
    broker.world.runFor(3_000);
    expect(['expired', 'unknownChannel']).toContain(paid(7));
  });
});
