import { paymentMsat } from './costs.ts';
import { brokerName, Market } from './market.ts';
import type { Peer } from './peer.ts';
import type { SchemeSubject } from './subjects.ts';

const accountSat = 1_000_000n;
/** Money goes round among so many, twice: in the second round whatever is asked once in a while has been asked. */
const handsCount = 4;

/**
 * Whether money goes from hand to hand, as the paper's two criteria of transferability ask: what was earned is spent again
 * before anything is handed in, and what is left over from one payee is spent at another; and what it asks of the broker.
 */
export function handedOn(subject: SchemeSubject): Readonly<Record<string, number>> {
  const market = new Market({ ...subject, seed: `hands ${subject.name}` });
  const [buyer] = market.open(['buyer'], accountSat);
  const others = Array.from({ length: handsCount }, (_, at) => `hand ${at + 1}`);
  const [other, ...hands] = market.open(['other', ...others], 0n);
  let payer = buyer;
  let asked = 0;
  market.parties.tap = ({ from, to }) => {
    if (to === brokerName && from === payer.name) asked += 1;
  };
  /** Bytes of the payments that it took; undefined when it is refused. */
  const pay = (by: Peer, payee: Peer): number | undefined => {
    payer = by;
    asked = 0;
    const bargain = payer.pay(payee, paymentMsat);
    if (bargain.kind === 'refused') return undefined;
    return bargain.wire.payments.reduce((sum, { length }) => sum + length, 0);
  };
  const first = pay(buyer, hands[0]);
  let last = first;
  let secondRound = 0;
  let passes = 0;
  for (; last !== undefined && passes < 2 * handsCount; passes++) {
    const at = passes % handsCount;
    last = pay(hands[at], hands[(at + 1) % handsCount]);
    if (passes >= handsCount) secondRound += asked;
  }
  const goesOn = first !== undefined && last !== undefined;
  buyer.part();
  const isElsewhere = pay(buyer, other) !== undefined && asked === 0;
  return {
    'earned money is spent again': Number(goesOn),
    'another payee is paid without the broker': Number(isElsewhere),
    ...(goesOn
      ? {
          'requests to the broker when spent again': secondRound / handsCount,
          'payment bytes, first hand': first,
          'payment bytes, ninth hand': last,
        }
      : {}),
  };
}
