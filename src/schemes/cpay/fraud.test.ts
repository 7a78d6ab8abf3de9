import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toHex } from '../../base/bytes.ts';
import { SigningKey } from '../../crypto/ecdsa.ts';
import type { CheatProof } from '../../payment/proof.ts';
import { doubleAuthorisation, falseRelease, judge } from './fraud.ts';
import { authStatement, release } from './messages.ts';

const peers = Array.from({ length: 5 }, (_, at) => new SigningKey(new Uint8Array(32).fill(at + 1)));
const peer = fc.nat(peers.length - 1);
const nonce = (byte: number) => new Uint8Array(16).fill(byte);

/** What a peer may have authorised: one of few holdings, to one of few payees. */
const statement = fc.record({
  coin: fc.nat(1),
  payer: peer,
  payee: peer,
  since: fc.nat(1),
  nonce: fc.nat(1),
});
type Said = Parameters<typeof signed>[1];
function signed(
  assistant: SigningKey,
  said: {
    readonly coin: number;
    readonly payer: number;
    readonly payee: number;
    readonly since: number;
    readonly nonce: number;
  },
) {
  return authStatement.sign(assistant, {
    guid: new Uint8Array(16).fill(said.coin),
    payer: peers[said.payer].publicKey,
    payee: peers[said.payee].publicKey,
    sinceMs: BigInt(said.since),
    timeMs: 10n,
    nonce: nonce(said.nonce),
  });
}
const sameHolding = (a: Said, b: Said) => a.coin === b.coin && a.payer === b.payer && a.since === b.since;
const samePayment = (a: Said, b: Said) => a.payee === b.payee && a.nonce === b.nonce;
const guiltyOf = (proof: CheatProof | undefined) =>
  proof === undefined ? undefined : toHex(judge(proof).guilty ?? new Uint8Array(0));

describe('two authorisations', () => {
  it('convict the assistant that gave one holding to two, and no other pair convicts anybody', () => {
    fc.assert(
      fc.property(peer, statement, statement, (who, a, b) => {
        const assistant = peers[who];
        const proof = doubleAuthorisation(assistant.publicKey, signed(assistant, a), signed(assistant, b));
        const cheated = sameHolding(a, b) && !samePayment(a, b);
        expect(guiltyOf(proof)).toBe(cheated ? toHex(assistant.publicKey) : undefined);
      }),
    );
  });

  it('of two assistants convict neither, nor whoever else is named', () => {
    fc.assert(
      fc.property(peer, peer, peer, statement, fc.nat(1), (one, other, named, a, payee) => {
        fc.pre(one !== other);
        const b = { ...a, payee: (a.payee + 1 + payee) % peers.length };
        const proof = doubleAuthorisation(
          peers[named].publicKey,
          signed(peers[one], a),
          signed(peers[other], b),
        );
        expect(judge(proof!).guilty).toBeUndefined();
      }),
    );
  });
});

describe('a release', () => {
  it('convicts the assistant that authorised the same holding, and nobody for another', () => {
    fc.assert(
      fc.property(peer, peer, statement, statement, (who, by, a, b) => {
        const left = signed(peers[who], a);
        const said = release.sign(peers[who], { guid: left.guid, payer: left.payer, sinceMs: left.sinceMs });
        const proof = falseRelease(peers[who].publicKey, said, signed(peers[by], b));
        if (!sameHolding(a, b)) expect(proof).toBeUndefined();
        else expect(judge(proof!).guilty).toEqual(who === by ? peers[who].publicKey : undefined);
      }),
    );
  });
});

describe('a proof of CPay', () => {
  const [assistant, innocent] = peers;
  const a = { coin: 0, payer: 1, payee: 2, since: 0, nonce: 0 };
  const given = signed(assistant, a);
  const { guid, payer, sinceMs } = given;
  const left = release.sign(assistant, { guid, payer, sinceMs });
  const proofs = [
    doubleAuthorisation(assistant.publicKey, given, signed(assistant, { ...a, payee: 3 }))!,
    falseRelease(assistant.publicKey, left, given)!,
  ];

  it.each(proofs)('of $cheat convicts nobody else, and nobody once a bit of it is changed', proof => {
    expect(judge(proof)).toMatchObject({ guilty: assistant.publicKey, role: 'assistant' });
    const [, ...rest] = proof.parts;
    expect(judge({ ...proof, parts: [innocent.publicKey, ...rest] }).guilty).toBeUndefined();
    fc.assert(
      fc.property(fc.nat(proof.parts.length - 1), fc.nat(), (which, at) => {
        const parts = proof.parts.map(part => part.slice());
        parts[which][(at >> 3) % parts[which].length] ^= 1 << (at & 7);
        expect(judge({ ...proof, parts }).guilty).toBeUndefined();
      }),
      { numRuns: 60 },
    );
  });

  it('is none when both parts say the same, or are no statements', () => {
    const twice = [assistant.publicKey, authStatement.encode(given), authStatement.encode(given)];
    expect(judge({ scheme: 'cpay', cheat: 'double-authorisation', parts: twice }).guilty).toBeUndefined();
    const cheat = fc.constantFrom('double-authorisation', 'false-release', 'x');
    const garbage = fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 5 });
    fc.assert(
      fc.property(cheat, garbage, (named, parts) => {
        expect(judge({ scheme: 'cpay', cheat: named, parts }).guilty).toBeUndefined();
      }),
    );
  });
});
