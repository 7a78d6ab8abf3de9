import { fromHex, toHex } from '../base/bytes.ts';
import { fail, ok, type Result } from '../base/fault.ts';

/** Evidence that somebody has cheated, which anybody can check without asking anybody. */
export interface CheatProof {
  /** Name of the scheme whose rules were broken. */
  readonly scheme: string;
  /** Which rule, in that scheme's words. */
  readonly cheat: string;
  /** Signed statements, in the order that the scheme fixes for this cheat. */
  readonly parts: readonly Uint8Array[];
}

/** What a proof proves. Only statements that the guilty signed convict: nobody else can have made them. */
export type Verdict =
  | {
      /** Public key of who is guilty, 33 bytes. */
      readonly guilty: Uint8Array;
      /** What the guilty is in the scheme: `payer`, `owner`, `vendor`, `assistant`, … */
      readonly role: string;
      /** One line for a person: what was done. */
      readonly what: string;
    }
  | { readonly guilty: undefined; readonly why: string };

/** The verdict on what proves nothing. */
export function unproven(why: string): Verdict {
  return { guilty: undefined, why };
}

const format = 'naulon cheat proof 1';

/** As a file: JSON, statements in hex. */
export function formatProof({ scheme, cheat, parts }: CheatProof): string {
  return `${JSON.stringify({ format, scheme, cheat, parts: parts.map(toHex) }, undefined, 2)}\n`;
}

/** A file that formatProof wrote; PROOF_MALFORMED for any other. What it proves is the scheme's to say. */
export function parseProof(text: string): Result<CheatProof> {
  let read: unknown;
  try {
    read = JSON.parse(text);
  } catch {
    return fail('PROOF_MALFORMED', 'it is no JSON');
  }
  const told = read as { format?: unknown; scheme?: unknown; cheat?: unknown; parts?: unknown } | null;
  if (told === null || typeof told !== 'object' || told.format !== format)
    return fail('PROOF_MALFORMED', `its format is not "${format}"`);
  const { scheme, cheat, parts } = told;
  if (typeof scheme !== 'string' || typeof cheat !== 'string' || !Array.isArray(parts))
    return fail('PROOF_MALFORMED', 'scheme, cheat or parts is missing');
  const bytes = parts.map(part => (typeof part === 'string' ? fromHex(part) : undefined));
  const all = bytes.filter(part => part !== undefined);
  if (all.length < bytes.length) return fail('PROOF_MALFORMED', 'a part is not written in hex');
  return ok({ scheme, cheat, parts: all });
}
