import { expect, it } from 'vitest';
import { formatProof, parseProof } from './proof.ts';

const proof = { scheme: 'ppay', cheat: 'double-handover', parts: [Uint8Array.of(1, 2), new Uint8Array(0)] };

it('a proof is read as it was written', () => {
  expect(parseProof(formatProof(proof))).toEqual({ ok: true, value: proof });
});

it('what is no proof is said to be none, whatever it is', () => {
  const written = JSON.parse(formatProof(proof)) as Record<string, unknown>;
  const others = [
    ...['', '{', 'null', '1', '[]', '"a"', '{}'],
    ...Object.keys(written).map(name => JSON.stringify({ ...written, [name]: undefined })),
    ...Object.keys(written).map(name => JSON.stringify({ ...written, [name]: 7 })),
    ...[[1], ['0'], ['xy']].map(parts => JSON.stringify({ ...written, parts })),
  ];
  for (const text of others)
    expect(parseProof(text)).toMatchObject({ ok: false, fault: { code: 'PROOF_MALFORMED' } });
});
