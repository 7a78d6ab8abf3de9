import { describe, expect, it } from 'vitest';
import { circuitAskMsMax } from '../src/base/limits.ts';
import { SigningKey } from '../src/crypto/ecdsa.ts';
import { refused, type SchemeHost } from '../src/payment/scheme.ts';
import { SealedDoor, sealedScheme } from '../src/payment/sealed-asks.ts';
import type { Answer, PartyAddress, PartyReply } from '../src/ports.ts';
import { SeededEntropy } from '../src/sim/seeded-entropy.ts';
import type { PartyExchange } from '../src/sim/sim-parties.ts';
import { ClientLab, credit } from '../test/client-lab.fixture.ts';
import { socksAnswer, socksRequest } from '../test/talker.fixture.ts';

const partyPort = 9_031;
const brokerAt = { host: '70.0.0.1', port: partyPort };
const assistantAt = { host: '71.0.0.1', port: partyPort };
const { id: scheme } = credit();
const entropy = new SeededEntropy('circuit parties');
const brokerKey = SigningKey.fresh(entropy);
const assistantKey = SigningKey.fresh(entropy);
const text = (bytes: Uint8Array | undefined) => Buffer.from(bytes ?? []).toString('latin1');

type Serve = (request: Uint8Array) => PartyReply;
const echo: Serve = bytes => ({ kind: 'reply', bytes: bytes.slice().reverse() });

/** Priced relays that are paid through a broker, an assistant that they know of, and a client that asks both. */
class AskingLab {
  readonly lab: ClientLab;
  readonly answers = new Map<number, Extract<Answer, { kind: 'party' }>>();
  readonly exchanges: PartyExchange[] = [];
  #host: SchemeHost | undefined;

  constructor(serve: Serve = echo) {
    const party = { serve: () => refused('malformed'), onAnswer: () => undefined };
    const knows = (at: PartyAddress, done: (known: boolean) => void) => done(at.host === assistantAt.host);
    this.lab = new ClientLab({
      priceMsatPer2Pow20: 100_000_000n,
      relaySettings: () => ({ broker: brokerAt }),
      schemeFor: () => ({ ...credit(), party: () => ({ ...party, knows }) }),
      payment: { askedThroughCircuits: { address: brokerAt, key: brokerKey.publicKey } },
      scheme: {
        ...credit(),
        party: host => {
          this.#host = host;
          return { ...party, onAnswer: answer => this.#onAnswer(answer) };
        },
      },
    });
    this.lab.network.parties.tap = exchange => this.exchanges.push(exchange);
    this.#startParty('broker', brokerAt.host, brokerKey, serve);
    this.#startParty('assistant', assistantAt.host, assistantKey, serve);
  }

  /** Asks, and goes on. */
  begin(request: Uint8Array, to: PartyAddress = brokerAt): number {
    return this.lab.turn(() => {
      const host = this.#host as SchemeHost;
      const ask = host.newAsk();
      host.parties.ask(to, scheme, request, ask);
      return ask;
    });
  }

  ask(request: Uint8Array, to?: PartyAddress) {
    const ask = this.begin(request, to);
    this.lab.until(() => this.answers.has(ask), 'an answer', circuitAskMsMax + 1_000);
    return this.answers.get(ask);
  }

  circuits(purpose = 'asks') {
    return [...this.lab.core.pool.circuits].filter(each => each.purpose === purpose);
  }

  #onAnswer(answer: Answer): undefined {
    if (answer.kind === 'party') this.answers.set(answer.ask, answer);
  }

  #startParty(name: string, ip: string, key: SigningKey, serve: Serve): void {
    const machine = this.lab.network.machine(name, ip);
    const door = new SealedDoor(key, entropy);
    machine.attachAnswers({
      onAnswer() {},
      onChain() {},
      onRequest(id, of, bytes) {
        const asked = door.open(id, of, bytes);
        const reply = asked === undefined ? refused('malformed') : serve(asked.bytes);
        const said: PartyReply = 'fault' in reply ? { kind: 'refused', code: reply.fault.code } : reply;
        machine.ports.parties.answer(id, door.close(id, said));
      },
    });
  }
}

const hello = Buffer.from('whose coin is this?');

describe('questions through circuits', () => {
  it('come from a relay, which cannot read them, before anything was paid', () => {
    const asking = new AskingLab();
    asking.lab.bootstrap();
    expect(text(asking.ask(hello)?.reply)).toBe(text(hello.slice().reverse()));
    const [{ from, to, scheme: seen, request, reply }] = asking.exchanges;
    expect(asking.exchanges).toHaveLength(1);
    expect({ from: from.replace(/\d+/, ''), to, seen }).toEqual({
      from: 'relay',
      to: 'broker',
      seen: sealedScheme,
    });
    expect(text(request)).not.toContain(text(hello));
    expect(text(reply)).not.toContain(text(hello.slice().reverse()));
    expect(asking.circuits().every(({ payments }) => payments === undefined)).toBe(true);
  });

  it('wait until the network is known', () => {
    expect(text(new AskingLab().ask(hello)?.reply)).toBe(text(hello.slice().reverse()));
  });

  it('go on over fresh circuits when free cells are used up, and cost nothing', () => {
    const asking = new AskingLab();
    asking.lab.bootstrap();
    const used = new Set<number>();
    for (let count = 0; count < 40; count++) {
      expect(asking.ask(hello)?.fault).toBeUndefined();
      for (const { id } of asking.circuits()) used.add(id);
    }
    expect(asking.exchanges).toHaveLength(40);
    expect(used.size).toBeGreaterThan(3);
    expect(used.size).toBeLessThan(10);
    expect(asking.circuits().length).toBeLessThan(3);
  });

  it('may be many at once', () => {
    const asking = new AskingLab();
    asking.lab.bootstrap();
    const asks = Array.from({ length: 60 }, () => asking.begin(hello));
    asking.lab.until(
      () => asks.every(ask => asking.answers.has(ask)),
      'all answers',
      circuitAskMsMax + 1_000,
    );
    expect(asks.filter(ask => asking.answers.get(ask)?.fault !== undefined)).toEqual([]);
  });

  it('are paid for where free cells do not carry them, or their answers', () => {
    const large = new Uint8Array(40_000).fill(7);
    const asking = new AskingLab(bytes => ({ kind: 'reply', bytes: bytes.length > 100 ? hello : large }));
    asking.lab.bootstrap();
    expect(text(asking.ask(large)?.reply)).toBe(text(hello));
    expect(asking.circuits().some(({ payments }) => payments?.ready)).toBe(true);
    expect(asking.ask(hello)?.reply).toEqual(large);
  });

  it('share no circuit with those to another party, nor with streams', () => {
    const asking = new AskingLab();
    const { lab } = asking;
    lab.bootstrap();
    lab.destination('93.184.216.35', 80, 'a.example');
    asking.ask(hello);
    const [first] = asking.circuits();
    asking.ask(hello, { ...assistantAt, key: assistantKey.publicKey });
    expect(asking.circuits().filter(each => each !== first)).toHaveLength(1);
    const program = lab.socks().send(socksRequest('connect', 'a.example', 80));
    lab.until(() => socksAnswer(program).code === 0, 'it is connected');
    const carrying = [...lab.streams().keys()];
    expect(carrying).toHaveLength(1);
    expect(asking.circuits().some(({ id }) => carrying.includes(id))).toBe(false);
  });

  it('go nowhere but to parties of the relays’ own payments, and not unsealed', () => {
    const asking = new AskingLab();
    asking.lab.bootstrap();
    const elsewhere = { host: '72.0.0.1', port: 80, key: brokerKey.publicKey };
    expect(asking.ask(hello, elsewhere)).toMatchObject({ fault: 'unreachable' });
    expect(asking.ask(hello, assistantAt)).toMatchObject({ fault: 'unreachable' });
    expect(asking.ask(new Uint8Array(70_000))).toMatchObject({ fault: 'unreachable' });
    expect(asking.exchanges).toEqual([]);
  });

  it('bring back the party’s own refusal, and nobody else’s word', () => {
    const asking = new AskingLab(() => ({ kind: 'refused', code: 'overspent' }));
    asking.lab.bootstrap();
    expect(asking.ask(hello)).toMatchObject({ fault: 'overspent' });
    asking.lab.network.parties.trouble = () => 'lying';
    expect(asking.ask(hello)).toMatchObject({ fault: 'unreachable' });
    asking.lab.network.parties.trouble = () => 'absent';
    expect(asking.ask(hello)).toMatchObject({ fault: 'unreachable' });
    asking.lab.network.parties.trouble = () => undefined;
    expect(asking.ask(hello)).toMatchObject({ fault: 'overspent' });
  });

  it('ask another relay when one says nothing', () => {
    const asking = new AskingLab();
    asking.lab.bootstrap();
    let silent: number | undefined;
    for (const { index, core } of asking.lab.network.relays) {
      const serve = core.directory.bind(core);
      core.directory = circuit => {
        silent ??= index;
        const mute = { onBytes: () => true, onLeft() {}, stop() {} };
        return silent === index ? { begin: () => mute } : serve(circuit);
      };
    }
    expect(asking.ask(hello)?.fault).toBeUndefined();
    expect(silent).toBeDefined();
    expect(asking.circuits().every(({ payments }) => payments === undefined)).toBe(true);
  });

  it('end when the client has stopped, and are never asked directly', () => {
    const asking = new AskingLab();
    asking.lab.bootstrap();
    asking.ask(hello);
    let stopped = false;
    const late = asking.lab.turn(core => {
      core.stop(() => {
        stopped = true;
      });
      return core;
    });
    asking.lab.until(() => stopped, 'the client stops');
    expect([...late.pool.circuits]).toEqual([]);
    expect(asking.ask(hello)).toMatchObject({ fault: 'unreachable' });
    expect(asking.exchanges).toHaveLength(1);
  });
});
