import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { circuitTwins } from './circuit-twins.fixture.ts';
import { extendTwins } from './extend-twins.fixture.ts';
import { freshKeys } from './false-relay.fixture.ts';
import { handshakeTwins } from './handshake-twins.fixture.ts';
import { nextHopTwins } from './next-hop-twins.fixture.ts';
import type { Twin, Verdict } from './verdict.fixture.ts';

/** What C tor was seen to say and to make of what it was told; `test/interop/capture-vectors.ts` writes it. */

export const vectorsFolder = join(import.meta.dirname, '../vectors');

/** A cell that C tor sent, or that it took from us. */
export interface CapturedCell {
  readonly from: 'tor' | 'naulon';
  readonly cell: string;
  readonly hex: string;
}

export interface CapturedCells {
  readonly tor: string;
  readonly date: string;
  /** DER, hex: the certificate of the link that C tor took. */
  readonly tlsCertificate: string;
  /** A client's link to a C tor relay, and a circuit of one hop on it. Link protocol 5. */
  readonly asResponder: readonly CapturedCell[];
  /** A link that a C tor relay opened to extend a circuit. Link protocol 4. */
  readonly asInitiator: readonly CapturedCell[];
}

export interface CapturedVerdicts {
  readonly tor: string;
  readonly date: string;
  readonly verdicts: Readonly<Record<string, Verdict>>;
}

export function readVector<T>(name: string): T {
  return JSON.parse(readFileSync(join(vectorsFolder, `${name}.json`), 'utf8')) as T;
}

/** Every twin that is said to a relay. */
export function cellTwins(): readonly Twin[] {
  return [...handshakeTwins(freshKeys()), ...circuitTwins, ...nextHopTwins, ...extendTwins];
}

interface Difference {
  /** The names of the twins. */
  readonly of: RegExp;
  readonly tor: Verdict;
  readonly ours: Verdict;
  readonly why: string;
}

const certificateOf =
  'a certificate that was made for another purpose proves nothing here: cert-spec asks for the type';

/** Where naulon differs from C tor on purpose. */
const differences: readonly Difference[] = [
  { of: /^CERTS of an initiator: .* (inner|key) type/, tor: 'keep', ours: 'close', why: certificateOf },
  {
    of: /^CERTS of a responder: .* (inner|key) type/,
    tor: 'EXTENDED2',
    ours: 'close, DESTROY 8',
    why: certificateOf,
  },
  {
    of: /^VPADDING of 65,535 bytes$/,
    tor: 'keep',
    ours: 'close',
    why: 'no cell of the handshake is that long, and every open link would hold 64 KiB for it',
  },
];

/** What naulon is to make of a twin of which C tor makes this. */
export function expectedOfOurs(name: string, tor: Verdict): Verdict {
  return differences.find(each => each.tor === tor && each.of.test(name))?.ours ?? tor;
}
