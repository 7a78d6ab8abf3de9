import { equalBytes } from '../../base/bytes.ts';
import { type CheatProof, unproven, type Verdict } from '../../payment/proof.ts';
import { type AuthStatement, authStatement, type Release, release, schemeName } from './messages.ts';
import { holdingOf, isSameWord } from './ring.ts';

/**
 * Two authorisations by one assistant, or by a buyer of its own payment, that give one holding to two, or as of two times, so that
 * one payee has two holdings; undefined when they do not.
 */
export function doubleAuthorisation(
  assistant: Uint8Array,
  one: AuthStatement,
  other: AuthStatement,
): CheatProof | undefined {
  if (holdingOf(one) !== holdingOf(other) || isSameWord(one, other)) return undefined;
  const parts = [assistant, authStatement.encode(one), authStatement.encode(other)];
  const cheat = equalBytes(assistant, one.payer) ? 'double-spend' : 'double-authorisation';
  return { scheme: schemeName, cheat, parts };
}

/** An assistant authorised what it has said to leave to its successor. */
export function falseRelease(
  assistant: Uint8Array,
  said: Release,
  given: AuthStatement,
): CheatProof | undefined {
  if (holdingOf(said) !== holdingOf(given)) return undefined;
  const parts = [assistant, release.encode(said), authStatement.encode(given)];
  return { scheme: schemeName, cheat: 'false-release', parts };
}

/** Who is guilty, if the proof holds. */
export function judge({ cheat, parts }: CheatProof): Verdict {
  const [assistant, ...said] = parts;
  const role = 'assistant';
  if (cheat === 'double-authorisation' && parts.length === 3 && isDouble(assistant, cheat, said))
    return { guilty: assistant, role, what: 'authorised one holding to two' };
  if (cheat === 'double-spend' && parts.length === 3 && isDouble(assistant, cheat, said))
    return { guilty: assistant, role: 'payer', what: 'paid two with one holding' };
  if (cheat === 'false-release' && parts.length === 3 && isFalse(assistant, said))
    return { guilty: assistant, role, what: 'authorised what it had released' };
  return unproven('the statements prove no cheat');
}

function isDouble(assistant: Uint8Array, cheat: string, [one, other]: readonly Uint8Array[]): boolean {
  const [a, b] = [authStatement.decode(one), authStatement.decode(other)];
  if (a === undefined || b === undefined || doubleAuthorisation(assistant, a, b)?.cheat !== cheat)
    return false;
  return authStatement.isBy(assistant, a) && authStatement.isBy(assistant, b);
}

function isFalse(assistant: Uint8Array, [one, other]: readonly Uint8Array[]): boolean {
  const [said, given] = [release.decode(one), authStatement.decode(other)];
  if (said === undefined || given === undefined || falseRelease(assistant, said, given) === undefined)
    return false;
  return release.isBy(assistant, said) && authStatement.isBy(assistant, given);
}
