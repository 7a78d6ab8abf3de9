import { setTimeout as pause } from 'node:timers/promises';
import { cellCommand, relayCommand } from '../../src/cell/commands.ts';
import { authChallengeMessage, decodeCreate2, encodeCreated2 } from '../../src/cell/link-messages.ts';
import { type HopTarget, startExtend2 } from '../../src/circuit/extend.ts';
import { ntorServer } from '../../src/crypto/ntor.ts';
import { authMethod } from '../../src/link/authenticate.ts';
import type { DishonestCircuit } from '../dishonest-circuit.fixture.ts';
import { FalseRelay } from './false-relay.fixture.ts';
import { netinfo, shakeHands, versionsCell } from './handshake-twins.fixture.ts';
import { type Holder, rightCerts } from './link-certs.fixture.ts';
import { type RawCell, RawLink } from './raw-link.fixture.ts';
import { judged, patienceMs, type Subject, type Twin, type Verdict } from './verdict.fixture.ts';

/** What a relay hears from the next hop when it dials it for a client, and what it then tells its client. */

const bytesOf = (length: number, value = 0) => new Uint8Array(length).fill(value);

export interface NextHop {
  /** How the client asks for the next hop. */
  readonly extend?: (circuit: DishonestCircuit, target: HopTarget, link: RawLink) => void;
  /** What the next hop says until the link is open. */
  readonly flight?: (link: RawLink, holder: Holder) => readonly Uint8Array[];
  /** Its answer to CREATE2. */
  readonly answer?: (link: RawLink, create2: RawCell, holder: Holder) => readonly (Uint8Array | 'closes')[];
}

export function challenge(methods: readonly number[]): Uint8Array {
  return authChallengeMessage.encode({ challenge: bytesOf(32, 3), methods });
}

interface Parts {
  readonly versions: Uint8Array;
  readonly certs: Uint8Array;
  readonly challenge: Uint8Array;
  readonly netinfo: Uint8Array;
}

function partsOf(link: RawLink, holder: Holder): Parts {
  return {
    versions: versionsCell(link.protocol),
    certs: link.variable(cellCommand.certs, rightCerts(holder)),
    challenge: link.variable(cellCommand.authChallenge, challenge([authMethod])),
    netinfo: link.fixed(cellCommand.netinfo, netinfo),
  };
}

export type FlightChange = (parts: Parts, link: RawLink, holder: Holder) => readonly Uint8Array[];

/** Changes one part, or the order of all. */
export function flightOf(change: FlightChange) {
  return (link: RawLink, holder: Holder) => change(partsOf(link, holder), link, holder);
}
export const rightFlight = flightOf(({ versions, certs, challenge, netinfo }) => [
  versions,
  certs,
  challenge,
  netinfo,
]);

/** CREATED2 as it should be. */
export function created2(link: RawLink, create2: RawCell, { keys }: Holder): Uint8Array {
  const asked = decodeCreate2(create2.payload, 0);
  const served =
    asked && ntorServer(link.entropy, keys.rsaIdentity.fingerprint, [keys.ntor], asked.handshake);
  if (!served?.ok) throw new Error('CREATE2 does not ask for this relay');
  return link.fixed(cellCommand.created2, encodeCreated2(served.value.reply), create2.circuit);
}

const rightExtend = (circuit: DishonestCircuit, target: HopTarget, link: RawLink) =>
  circuit.sendEarly(0, relayCommand.extend2, startExtend2(link.entropy, target).message);

export function nextHopTwin(name: string, change: NextHop): Twin {
  return { name, judge: subject => judgedNextHop(subject, change) };
}

async function judgedNextHop(subject: Subject, change: NextHop): Promise<Verdict> {
  const next = await FalseRelay.start(4);
  const { holder } = next;
  const { extend = rightExtend, flight = rightFlight, answer } = change;
  let ended: 'answered' | 'closed' | undefined;
  const link = await RawLink.to(subject.orPort, 5);
  const talk = async (dialled: RawLink): Promise<void> => {
    await dialled.cell(cellCommand.versions);
    for (const part of flight?.(dialled, holder) ?? []) await dialled.write(part);
    const create2 = await dialled.cell(cellCommand.create2);
    if (create2 !== undefined)
      for (const part of answer?.(dialled, create2, holder) ?? [created2(dialled, create2, holder)])
        if (part === 'closes') dialled.destroy();
        else await dialled.write(part);
    ended = create2 === undefined ? 'closed' : 'answered';
    link.news.tell();
  };
  let failed: unknown;
  next.onLink(dialled =>
    talk(dialled).catch(error => {
      [failed, ended] = [error, 'answered'];
      link.news.tell();
    }),
  );
  try {
    await shakeHands(link);
    const circuit = link.circuit();
    await circuit.create();
    extend(circuit, next.target, link);
    const told = () => circuit.destroyed !== undefined || circuit.seen.length > 0;
    const comes = (what: () => boolean) =>
      link.news.until(() => what() || link.closed || undefined, 'an end of EXTEND2');
    // What nobody was dialled for has an answer at once; otherwise the next hop has its say first.
    await comes(() => told() || ended !== undefined);
    for (const end = performance.now() + patienceMs; next.link && !ended && performance.now() < end; )
      await pause(10);
    // The relay may open circuits on that link too: it has dealt with the answer once it has made one.
    const lost = ended === 'closed' || (ended === 'answered' && !(await next.link?.goesOn()));
    if (lost) await comes(told);
    const verdict = await judged(link, circuit);
    if (failed !== undefined) throw failed;
    return lost ? `close, ${verdict}` : verdict;
  } finally {
    link.destroy();
    next.stop();
  }
}
