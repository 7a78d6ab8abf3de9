import { equalBytes, toHex } from '../../base/bytes.ts';
import type { PartyAddress } from '../../ports.ts';
import {
  type Assistant,
  type AuthStatement,
  authStatement,
  type Grant,
  type PaidCoin,
  release,
  releaseRequest,
  requestOp,
} from './messages.ts';
import { epochOf, holdingOf, type Ring, type Rings } from './ring.ts';

/** So many lists are looked at one by one, since a node has most of them; those before are asked for in one question. */
const listsBackMax = 16;

type Releases = Grant['releases'];

/** Whoever wants releases. */
interface Asking {
  readonly rings: Rings;
  /** Absent: for one that asks nobody. */
  readonly ask?: (
    to: PartyAddress,
    request: Uint8Array,
    done: (reply: Uint8Array | undefined) => void,
  ) => void;
}

/** What those say that assisted a holder before. */
interface Left {
  /** Undefined: one is missing. */
  readonly releases: Releases | undefined;
  /** The holding was authorised away, and whoever did it shows to whom: the holder may never have heard of it. */
  readonly granted: AuthStatement | undefined;
}

/** Of those that assisted a holder since it has the coin, and do no more: that they leave its holding. @param brought what is known. */
export function gatherReleases(
  { ask, rings }: Asking,
  held: PaidCoin,
  present: Ring,
  brought: Releases,
  done: (left: Left) => void,
): void {
  ringsBefore(rings, held, present, [], before => {
    const leavers = before === undefined ? undefined : leaversOf(held, present, before);
    const releases = brought.filter(each => isRelease(each, held));
    const missing = leavers?.filter(({ key }) => !releases.some(({ by }) => equalBytes(by, key)));
    if (missing === undefined || missing.length === 0 || ask === undefined) {
      done({ releases: missing?.length === 0 ? releases : undefined, granted: undefined });
      return;
    }
    let granted: AuthStatement | undefined;
    let left = missing.length;
    for (const { at, epoch, key } of missing) {
      const request = releaseRequest.encode({ op: requestOp.release, held, epoch });
      ask({ ...at, key }, request, reply => {
        const said = reply === undefined ? undefined : release.decode(reply);
        if (said !== undefined && isRelease({ by: key, said }, held)) releases.push({ by: key, said });
        const auth = reply === undefined ? undefined : authStatement.decode(reply);
        if (auth !== undefined && holdingOf(auth) === heldAs(held) && authStatement.isBy(key, auth))
          granted ??= auth;
        left -= 1;
        const areAll = missing.every(each => releases.some(({ by }) => equalBytes(by, each.key)));
        if (left === 0) done({ releases: areAll ? releases : undefined, granted });
      });
    }
  });
}

/** The rings from when the holding began until this one. */
function ringsBefore(
  rings: Rings,
  held: PaidCoin,
  ring: Ring,
  found: readonly Ring[],
  done: (before: readonly Ring[] | undefined) => void,
): void {
  const from = epochOf(held.auth.timeMs);
  const to = ring.since - 1;
  if (to < from) done(found);
  else if (found.length === listsBackMax)
    rings.history(held.coin, from, to, more => done(more === undefined ? undefined : [...found, ...more]));
  else
    rings.fetch([to], () => {
      const earlier = rings.ring(to);
      if (earlier === undefined) done(undefined);
      else ringsBefore(rings, held, earlier, [...found, earlier], done);
    });
}

/** Each where it was last, and an epoch in which it assisted. */
function leaversOf({ auth, coin }: PaidCoin, present: Ring, before: readonly Ring[]) {
  const stay = new Set(present.assistantsOf(coin, auth.payee).map(({ key }) => toHex(key)));
  const leavers = new Map<string, Assistant & { readonly epoch: number }>();
  for (const ring of [...before].sort((a, b) => a.since - b.since))
    for (const each of ring.assistantsOf(coin, auth.payee)) {
      const epoch = Math.max(ring.since, epochOf(auth.timeMs));
      if (!stay.has(toHex(each.key))) leavers.set(toHex(each.key), { ...each, epoch });
    }
  return [...leavers.values()];
}

function isRelease({ by, said }: Releases[number], held: PaidCoin): boolean {
  return holdingOf(said) === heldAs(held) && release.isBy(by, said);
}

/** The holding of whom the coin was given to. */
function heldAs({ auth: { guid, payee: payer, timeMs: sinceMs } }: PaidCoin): string {
  return holdingOf({ guid, payer, sinceMs });
}
