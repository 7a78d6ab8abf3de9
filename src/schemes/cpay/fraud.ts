import { type CheatProof, unproven, type Verdict } from '../../payment/proof.ts';
import { type AuthStatement, authStatement, type Release, release, schemeName } from './messages.ts';
import { holdingOf, isSamePayment } from './ring.ts';

/** Two authorisations by one assistant that give one holding to two; undefined when they do not. */
export function doubleAuthorisation(
  assistant: Uint8Array,
  one: AuthStatement,
  other: AuthStatement,
): CheatProof | undefined {
  if (holdingOf(one) !== holdingOf(other) || isSamePayment(one, other)) return undefined;
  const parts = [assistant, authStatement.encode(one), authStatement.encode(other)];
  return { scheme: schemeName, cheat: 'double-authorisation', parts };
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
  if (cheat === 'double-authorisation' && parts.length === 3 && isDouble(assistant, said))
    return { guilty: assistant, role, what: 'authorised one holding to two' };
  if (cheat === 'false-release' && parts.length === 3 && isFalse(assistant, said))
    return { guilty: assistant, role, what: 'authorised what it had released' };
  return unproven('the statements prove no cheat');
}

function isDouble(assistant: Uint8Array, [one, other]: readonly Uint8Array[]): boolean {
  const [a, b] = [authStatement.decode(one), authStatement.decode(other)];
  if (a === undefined || b === undefined || doubleAuthorisation(assistant, a, b) === undefined) return false;
  return authStatement.isBy(assistant, a) && authStatement.isBy(assistant, b);
}

function isFalse(assistant: Uint8Array, [one, other]: readonly Uint8Array[]): boolean {
  const [said, given] = [release.decode(one), authStatement.decode(other)];
  if (said === undefined || given === undefined || falseRelease(assistant, said, given) === undefined)
    return false;
  return release.isBy(assistant, said) && authStatement.isBy(assistant, given);
}
