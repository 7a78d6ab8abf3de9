import { expect, it } from 'vitest';
import { simNodeKeys } from '../scripts/sim/machine-room.ts';
import { toBase64 } from '../src/base/bytes.ts';
import { cellCommand } from '../src/cell/commands.ts';
import { decodeCreated2 } from '../src/cell/link-messages.ts';
import { startCreate2 } from '../src/circuit/extend.ts';
import { parseServerDescriptor } from '../src/directory/descriptor.ts';
import { DirectoryClient } from '../src/directory/directory-client.ts';
import type { HttpTransfers } from '../src/directory/http-transfers.ts';
import { readCongestionParams } from '../src/flow/congestion-params.ts';
import { SimNode } from '../src/sim/sim-node.ts';
import { SimStore } from '../src/sim/sim-store.ts';
import { VirtualClock } from '../src/sim/virtual-clock.ts';
import { World } from '../src/sim/world.ts';
import { CircuitHandshakes } from './circuit-handshakes.ts';
import { answerRequest, decodeAnswer, encodeRequest } from './handshake-work.ts';
import { OnionKeys } from './onion-keys.ts';
import { Publisher } from './publish.ts';
import { defaultRelaySettings } from './relay-settings.ts';

const dayMs = 86_400_000;
const world = new World({ seed: 'onion keys' });
const node = new SimNode(world, 'relay');
const clock = new VirtualClock(node);
const store = new SimStore(node);
const keys = simNodeKeys(node.entropy, 0);
const congestion = readCongestionParams((_name, otherwise) => otherwise);
const helper = new CircuitHandshakes(keys, node.entropy);
let asks = 0;

/** What of a relay has to do with its onion keys, from one start of it to the next. */
function startRelay(params: Readonly<Record<string, number>> = {}) {
  return node.turn(() => {
    const handshakes = new CircuitHandshakes(keys, node.entropy);
    const view = { param: (name: string, otherwise: number) => params[name] ?? otherwise };
    const directory = new DirectoryClient({ authorities: [], clock, entropy: node.entropy });
    const onionKeys = new OnionKeys({
      first: keys.ntor,
      store,
      clock,
      entropy: node.entropy,
      newAsk: () => ++asks,
      view: () => view,
      onServed: served => void Object.assign(handshakes, { onionKeys: served }),
      onNew: () => publisher.renew(),
    });
    const address = { host: '11.0.0.1', port: 9001 };
    const publisher = new Publisher({
      settings: { ...defaultRelaySettings, nickname: 'relay', address, authorities: [] },
      keys,
      onionKey: () => onionKeys.current,
      price: undefined,
      directory,
      transfers: {} as HttpTransfers,
      clock,
      observer: node.observer,
      bytesCarried: () => 0,
    });
    store.attach({ onAnswer: answer => void onionKeys.onAnswer(answer), onChain() {} });
    onionKeys.start();
    publisher.start();
    /** What a client finds in the directory now. */
    const published = (): Uint8Array => {
      const read = parseServerDescriptor(directory.ownDescriptor() ?? '', clock.wallMs());
      if (!read.ok) throw new Error(read.fault.code);
      return read.value.ntorKey;
    };
    /** Whether a client that knows this key gets a circuit, from the relay's own thread and from one that helps it. */
    const serves = (ntorKey: Uint8Array): boolean => {
      const ed25519 = keys.identity.publicKey;
      const target = { nickname: 'relay', rsaId: keys.rsaIdentity.fingerprint, ed25519, ntorKey, address };
      const { message, finish } = startCreate2(node.entropy, target, undefined);
      const work = encodeRequest(cellCommand.create2, message, congestion, handshakes.onionKeys);
      const here = handshakes.answer(cellCommand.create2, message, 0, congestion);
      const there = decodeAnswer(answerRequest(helper, work));
      const made = here.ok && finish(decodeCreated2(here.value.reply, 0) ?? new Uint8Array(0)).ok;
      expect(there !== undefined).toBe(made);
      return made;
    };
    const stop = () => node.turn(() => [onionKeys.stop(), publisher.stop()]);
    return { published, serves: (key: Uint8Array) => node.turn(() => serves(key)), stop };
  });
}

it('are made anew every four weeks, over restarts too, and the one before serves for another week', () => {
  let relay = startRelay();
  const first = relay.published();
  expect(toBase64(first)).toBe(toBase64(keys.ntor.publicKey));
  world.runFor(20 * dayMs);
  relay.stop();
  relay = startRelay();
  world.runFor(7.9 * dayMs);
  expect(relay.published()).toEqual(first);
  world.runFor(0.2 * dayMs);
  const second = relay.published();
  expect(second).not.toEqual(first);
  expect([first, second].map(relay.serves)).toEqual([true, true]);
  relay.stop();
  relay = startRelay();
  expect(relay.published()).toEqual(second);
  expect([first, second].map(relay.serves)).toEqual([true, true]);
  world.runFor(6.8 * dayMs);
  expect([first, second].map(relay.serves)).toEqual([true, true]);
  world.runFor(0.3 * dayMs);
  expect([first, second].map(relay.serves)).toEqual([false, true]);
  expect(relay.published()).toEqual(second);
  relay.stop();
  // Authorities may ask for more, and for less.
  relay = startRelay({ 'onion-key-rotation-days': 8, 'onion-key-grace-period-days': 2 });
  world.runFor(1.1 * dayMs);
  const third = relay.published();
  expect([first, second, third].map(relay.serves)).toEqual([false, true, true]);
  world.runFor(2.1 * dayMs);
  expect([second, third].map(relay.serves)).toEqual([false, true]);
  relay.stop();
});
