import { describe, expect, it } from 'vitest';
import { toHex } from '../../base/bytes.ts';
import { SigningKey } from '../../crypto/ecdsa.ts';
import type { Clock } from '../../ports.ts';
import { SeededEntropy } from '../../sim/seeded-entropy.ts';
import { BrokerRings } from './broker-rings.ts';
import { type Assistant, authStatement, coin, epochMs } from './messages.ts';
import { isAuthorised, Ring } from './ring.ts';

const key = (byte: number) => new SigningKey(new Uint8Array(32).fill(byte)).publicKey;
const at = { host: '10.0.0.1', port: 1 };
const assistants = Array.from({ length: 20 }, (_, index) => key(index + 1));

/** A broker whose ring these have joined, one in each epoch. */
function brokerRings(seed: string) {
  let nowMs = 0;
  const disk = new Map<string, Uint8Array>();
  const store = {
    get: (name: string) => disk.get(name),
    list: (prefix: string) => [...disk].filter(([name]) => name.startsWith(prefix)),
  };
  const host = {
    clock: { wallMs: () => nowMs } as Clock,
    entropy: new SeededEntropy(seed),
    key: new SigningKey(new Uint8Array(32).fill(99)),
    store,
  };
  let rings = new BrokerRings(host);
  const change = (run: (rings: BrokerRings) => ReturnType<BrokerRings['remove']> | undefined) => {
    for (const { key: name, value } of run(rings) ?? []) if (value !== undefined) disk.set(name, value);
    nowMs += epochMs;
  };
  const ring = () => rings.ring(rings.now)!;
  for (const each of assistants) change(all => all.add({ key: each, at }));
  return {
    change,
    places: () => new Map(rings.next.map(each => [toHex(each.key), toHex(each.place)])),
    restart() {
      rings = new BrokerRings(host);
    },
    /** Who assisted a coin of that holder in some of these epochs: by their lists, and by what is said of the coin alone. */
    assistantsIn(
      made: { readonly guid: Uint8Array; readonly assistants: number },
      holder: Uint8Array,
      to: number,
    ) {
      const namesOf = (each: Ring) => each.assistantsOf(made, holder).map(one => toHex(one.key));
      const lists = Array.from({ length: to }, (_, epoch) => rings.ring(epoch)!);
      let cut: readonly Ring[] = [];
      rings.history(made, 0, to - 1, found => {
        cut = found!;
      });
      for (const each of cut) expect(namesOf(rings.ring(each.since)!)).toEqual(namesOf(each));
      return [lists, cut].map(all => [...new Set(all.flatMap(namesOf))].sort());
    },
    assistantOf: (guid: Uint8Array, holder = key(98)) =>
      toHex(ring().assistantsOf({ guid, assistants: 1 }, holder)[0].key),
  };
}

const guids = Array.from({ length: 200 }, (_, index) => new SeededEntropy(`guid ${index}`).bytes(16));

describe('a ring of assistants', () => {
  it('gives a coin the same one whatever key its holder draws, as long as that is not the assistant', () => {
    const { assistantOf } = brokerRings('holders');
    const strangers = Array.from({ length: 50 }, (_, index) => key(100 + index));
    for (const guid of guids.slice(0, 10)) {
      const assistant = assistantOf(guid);
      for (const holder of strangers) expect(assistantOf(guid, holder)).toBe(assistant);
      for (const holder of assistants) expect(assistantOf(guid, holder)).not.toBe(toHex(holder));
    }
  });

  it('puts an assistant where the broker draws, not where its key says', () => {
    const [one, other] = ['one', 'other'].map(brokerRings);
    for (const each of assistants)
      expect(one.places().get(toHex(each))).not.toBe(other.places().get(toHex(each)));
  });

  it('has no second draw for one that leaves and comes again', () => {
    const rings = brokerRings('again');
    const before = rings.places();
    rings.change(all => all.remove(assistants));
    rings.change(all => all.add({ key: assistants[0], at }));
    rings.restart();
    for (const each of assistants.slice(1)) rings.change(all => all.add({ key: each, at }));
    expect(rings.places()).toEqual(before);
  });

  it('is said of one coin as it was, whoever held that, in as many lists as differ there', () => {
    const rings = brokerRings('history');
    for (const gone of [3, 11, 17]) rings.change(all => all.remove([assistants[gone]]));
    rings.restart();
    const epochs = assistants.length + 3;
    for (const guid of guids.slice(0, 20))
      for (const count of [0, 1, 3])
        for (const holder of [key(98), ...assistants.slice(0, 8)]) {
          const [lists, cut] = rings.assistantsIn({ guid, assistants: count }, holder, epochs);
          expect(cut).toEqual(lists);
        }
  });

  it('leaves most coins with their assistants when one comes or goes', () => {
    const rings = brokerRings('changes');
    const before = guids.map(guid => rings.assistantOf(guid));
    rings.change(all => all.remove([assistants[7]]));
    const gone = toHex(assistants[7]);
    guids.forEach((guid, index) => {
      if (before[index] !== gone) expect(rings.assistantOf(guid)).toBe(before[index]);
      else expect(rings.assistantOf(guid)).not.toBe(gone);
    });
    rings.change(all => all.add({ key: assistants[7], at }));
    expect(guids.map(guid => rings.assistantOf(guid))).toEqual(before);
  });
});

describe('a coin that three authorise', () => {
  const [broker, holder, ...members] = [50, 51, 52, 53, 54].map(
    byte => new SigningKey(new Uint8Array(32).fill(byte)),
  );
  const made = coin.sign(broker, {
    guid: new Uint8Array(16).fill(1),
    value: 1n,
    expirySeconds: 0,
    firstAssistant: new Uint8Array(3),
    assistants: 3,
  });
  const said = {
    guid: made.guid,
    payer: holder.publicKey,
    payee: key(55),
    sinceMs: 1n,
    timeMs: 2n,
    nonce: new Uint8Array(16),
  };
  /** Places on the ring come one after the other, behind that of the coin. */
  const listOf = (keys: readonly SigningKey[]): readonly Assistant[] =>
    keys.map(({ publicKey }, index) => ({ key: publicKey, at, place: new Uint8Array(8).fill(index) }));
  /** @param signed who signs, and as which of the three. */
  function isTaken(
    list: readonly SigningKey[],
    signed: readonly (readonly [by: SigningKey, as: SigningKey])[],
    known?: SigningKey,
  ) {
    const address = { endpoint: at, key: broker.publicKey };
    const ring = new Ring({ since: 0, assistants: listOf(list) }, address);
    const three = ring.assistantsOf(made, holder.publicKey);
    const used = new Map<string, number>();
    const signatures = signed.map(([by, as]) => {
      const name = toHex(as.publicKey);
      const places = three.flatMap((each, place) => (toHex(each.key) === name ? [place] : []));
      const nth = used.get(name) ?? 0;
      used.set(name, nth + 1);
      return {
        place: places[Math.min(nth, places.length - 1)],
        signature: authStatement.sign(by, said).signature,
      };
    });
    const foundGood =
      known === undefined ? {} : { auth: { by: known.publicKey, said: authStatement.sign(known, said) } };
    const rings = { ring: () => ring };
    return isAuthorised({ coin: made, auth: { ...said, signatures } }, broker.publicKey, rings, foundGood);
  }
  const [one, two] = members;

  it('is not paid by a signature that was found good of one, and is given as of two', () => {
    const signed = [
      [one, one],
      [one, two],
    ] as const;
    expect(isTaken(members, signed, one)).toBe(false);
    expect(
      isTaken(
        members,
        [
          [one, one],
          [two, two],
        ],
        one,
      ),
    ).toBe(true);
  });

  it('is paid by two of them, and not by one that signs twice', () => {
    expect(
      isTaken(members, [
        [one, one],
        [two, two],
      ]),
    ).toBe(true);
    expect(isTaken(members, [[one, one]])).toBe(false);
    expect(
      isTaken(members, [
        [one, one],
        [one, one],
      ]),
    ).toBe(false);
    expect(
      isTaken(members, [
        [one, one],
        [one, two],
      ]),
    ).toBe(false);
    // On a list where it stands twice.
    expect(
      isTaken(
        [one, one, two],
        [
          [one, one],
          [one, one],
        ],
      ),
    ).toBe(false);
  });
});
