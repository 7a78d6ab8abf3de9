import { describe, expect, it } from 'vitest';
import { utf8 } from '../base/bytes.ts';
import { SeededEntropy } from '../sim/seeded-entropy.ts';
import { openSealed, seal } from './sealed-box.ts';

const entropy = new SeededEntropy('sealed box');
const plain = utf8('a seed and its channels');
const box = seal('backup', plain, 'pass phrase', entropy);

describe('a sealed box', () => {
  it('is opened by its passphrase, in whatever composition, and shows nothing before', () => {
    expect(openSealed('backup', box, 'pass phrase')).toEqual({ ok: true, value: plain });
    expect(Buffer.from(box).includes('seed')).toBe(false);
    const accented = seal('backup', plain, 'caf\u00e9', entropy);
    expect(openSealed('backup', accented, 'cafe\u0301').ok).toBe(true);
  });

  it('is never the same twice', () => {
    expect(seal('backup', plain, 'pass phrase', entropy)).not.toEqual(box);
  });

  it('is opened by no other passphrase, nor as another kind', () => {
    expect(openSealed('backup', box, 'pass phrasE')).toMatchObject({
      fault: { code: 'SEALED_WRONG_PASSPHRASE' },
    });
    expect(openSealed('watch', box, 'pass phrase')).toMatchObject({
      fault: { code: 'SEALED_OTHER_KIND', detail: expect.stringContaining('what naulon channel export has') },
    });
    const relabelled = box.map((byte, index) => (index === 8 ? 2 : byte));
    expect(openSealed('watch', relabelled, 'pass phrase')).toMatchObject({
      fault: { code: 'SEALED_WRONG_PASSPHRASE' },
    });
  });

  it('is refused when any part of it is changed, cut off, or none of ours', () => {
    for (const at of [0, 8, 10, 11, 28, 60, box.length - 1]) {
      const changed = box.map((byte, index) => (index === at ? byte ^ 1 : byte));
      expect([at, openSealed('backup', changed, 'pass phrase').ok]).toEqual([at, false]);
    }
    for (const length of [0, 8, 59, 60])
      expect(openSealed('backup', box.subarray(0, length), 'pass phrase').ok).toBe(false);
    expect(openSealed('backup', utf8('{}'), 'x')).toMatchObject({ fault: { code: 'SEALED_MALFORMED' } });
  });
});
