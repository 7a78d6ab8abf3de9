import { expect } from 'vitest';
import { cellCommand, relayCommand } from '../src/cell/commands.ts';
import {
  decodeCreated2,
  decodeCreatedFast,
  encodeCreate2,
  encodeCreateFast,
} from '../src/cell/link-messages.ts';
import { bodyOf, relayCommandOf, streamIdOf, writeRelayCell } from '../src/cell/relay-cell.ts';
import { decodeExtended2, encodeExtend2 } from '../src/cell/relay-messages.ts';
import { createFastKeys } from '../src/crypto/circuit-keys.ts';
import { makeNodeKeys, type NodeKeys } from '../src/crypto/node-keys.ts';
import {
  type NtorClientState,
  ntorClientFinish,
  ntorClientRequest,
  ntorClientStart,
} from '../src/crypto/ntor.ts';
import { RsaKey } from '../src/crypto/rsa.ts';
import { makeTlsCertificate } from '../src/link/link-certificates.ts';
import type { LinkFault } from '../src/link/link-faults.ts';
import { LinkMux, type LinkUser } from '../src/link/link-mux.ts';
import { noParties } from '../src/node-io/no-parties.ts';
import { TestLayers } from '../src/onion/one-cell.fixture.ts';
import type { LinkId } from '../src/ports.ts';
import { memoryCredit } from '../src/schemes/memory-credit/index.ts';
import { BulkServer } from '../src/sim/bulk-server.ts';
import { type RsaFixture, rsaFixture } from '../src/sim/rsa-fixtures.ts';
import { SimChain } from '../src/sim/sim-chain.ts';
import { SimChainPort } from '../src/sim/sim-chain-port.ts';
import type { SimHost } from '../src/sim/sim-host.ts';
import { SimNetwork } from '../src/sim/sim-network.ts';
import { SimStore } from '../src/sim/sim-store.ts';
import { VirtualClock } from '../src/sim/virtual-clock.ts';
import { World } from '../src/sim/world.ts';
import { makeExitPolicy, noExit } from './exit-policy.ts';
import { RelayCore } from './relay-core.ts';
import { defaultRelaySettings, type RelaySettings } from './relay-settings.ts';

export const orPort = 9001;
export const serverIp = '93.184.216.34';

export interface TestRelay {
  readonly host: SimHost;
  readonly keys: NodeKeys;
  readonly core: RelayCore;
}

export const openExit = (() => {
  const made = makeExitPolicy({
    exitRelay: true,
    lines: [],
    rejectPrivate: true,
    ipv6Exit: false,
    never: [],
  });
  return made.ok ? made.value : noExit;
})();

/** A simulated network for relays and clients of tests, with a web server. */
export class Lab {
  readonly world = new World({ seed: 'relay core' });
  readonly network = new SimNetwork(this.world);
  readonly server: BulkServer;
  #relays = 0;

  constructor() {
    const host = this.network.host('server', { ip: serverIp });
    this.server = new BulkServer(host.streams);
    host.streams.attach(this.server);
    host.streams.listen(80, 'http');
    this.network.name('example.com', [{ kind: 'ipv4', value: serverIp, ttlSeconds: 60 }]);
    this.network.name('inside.example', [{ kind: 'ipv4', value: '10.0.0.1', ttlSeconds: 60 }]);
  }

  relay(settings: Partial<RelaySettings> = {}): TestRelay {
    const index = this.#relays++;
    const ip = `11.0.0.${index + 1}`;
    const host = this.network.host(`relay${index}`, { ip });
    const { node } = host;
    const rsa = (kind: RsaFixture, at: number) => new RsaKey(rsaFixture(kind, at));
    const keys = makeNodeKeys(node.entropy, {
      rsaIdentity: rsa('identity', index),
      tls: rsa('tls', 0),
      tap: rsa('tap', 0),
    });
    const all: RelaySettings = {
      ...defaultRelaySettings,
      nickname: `relay${index}`,
      address: { host: ip, port: orPort },
      authorities: [],
      extendPrivate: true,
      ...settings,
    };
    const clock = new VirtualClock(node);
    const store = new SimStore(node);
    const chain = new SimChainPort(node, new SimChain());
    const ports = { links: host.links, streams: host.streams, clock, entropy: node.entropy, store, chain };
    const schemes = [memoryCredit({ purseMsat: 0n, limitMsat: 2n ** 40n })];
    const core = node.turn(
      () => new RelayCore(all, keys, { ...ports, parties: noParties, observer: node.observer }, schemes),
    );
    host.links.attach(core.linkHandler);
    host.streams.attach(core);
    store.attach(core);
    host.links.listen(
      orPort,
      node.turn(() => makeTlsCertificate(keys, clock.wallMs())),
    );
    node.turn(() => core.start());
    return { host, keys, core };
  }

  client(ip = '11.1.0.1', protocols: readonly (3 | 4 | 5)[] = [3, 4, 5]): TestClient {
    return new TestClient(this, ip, protocols);
  }
}

interface Reply {
  readonly hop: number;
  readonly command: number;
  readonly stream: number;
  readonly body: Uint8Array;
}

/** A client that does what the test tells it, with no rules of its own. */
export class TestClient implements LinkUser {
  readonly lost: LinkFault[] = [];
  readonly replies: Reply[] = [];
  destroyed: number | undefined;
  readonly host: SimHost;
  readonly mux: LinkMux;
  readonly layers = new TestLayers();
  #lab: Lab;
  #link: LinkId = 0;
  #circuit = 0;
  #ready = false;
  #created: Uint8Array | undefined;

  constructor(lab: Lab, ip: string, protocols: readonly (3 | 4 | 5)[]) {
    this.#lab = lab;
    this.host = lab.network.host(`client ${ip}`, { ip });
    const { node } = this.host;
    this.mux = new LinkMux({
      port: this.host.links,
      clock: new VirtualClock(node),
      entropy: node.entropy,
      observer: node.observer,
      identity: undefined,
      protocols,
      ownAddresses: [],
      user: this,
    });
    this.host.links.attach(this.mux);
  }

  onLinkReady(): void {
    this.#ready = true;
  }

  onLinkLost(_link: LinkId, fault: LinkFault): void {
    this.lost.push(fault);
  }

  onCircuitWritable(): void {}

  onRun(link: LinkId, circuit: number, bytes: Uint8Array, at: number, stride: number, count: number): void {
    for (; count > 0; count--, at += stride) this.onCell(link, circuit, cellCommand.relay, bytes, at);
  }

  onCell(_link: LinkId, _circuit: number, command: number, bytes: Uint8Array, at: number): void {
    if (command === cellCommand.destroy) this.destroyed = bytes[at];
    else if (command !== cellCommand.relay) this.#created = bytes.slice(at, at + 509);
    else {
      const hop = this.layers.openCell(bytes, at);
      expect(hop).toBeDefined();
      const body = bodyOf(bytes, at)!.slice();
      this.replies.push({
        hop: hop!,
        command: relayCommandOf(bytes, at),
        stream: streamIdOf(bytes, at),
        body,
      });
    }
  }

  #until(done: () => boolean): void {
    expect(this.#lab.world.runUntil(done, { virtualMs: 60_000 })).toBe('done');
  }

  connect(relay: TestRelay): void {
    const { fingerprint } = relay.keys.rsaIdentity;
    const to = { host: relay.host.ip, port: orPort };
    this.#link = this.host.node.turn(() => this.mux.open(to, { rsaId: fingerprint }));
    this.#until(() => this.#ready);
  }

  /** A new circuit to the relay of the link. */
  create(relay: TestRelay, how: 'fast' | 'ntor'): void {
    this.#created = undefined;
    const x = this.host.node.entropy.bytes(20);
    const state = this.#ntor(relay);
    this.host.node.turn(() => {
      this.#circuit = this.mux.allocateCircuit(this.#link)!;
      if (how === 'fast')
        this.mux.send(this.#link, this.#circuit, cellCommand.createFast, encodeCreateFast(x), 0);
      else {
        const payload = encodeCreate2(2, ntorClientRequest(state));
        this.mux.send(this.#link, this.#circuit, cellCommand.create2, payload, 0);
      }
    });
    this.#until(() => this.#created !== undefined);
    if (how === 'fast') {
      const { y, verify } = decodeCreatedFast(this.#created!, 0);
      const made = createFastKeys(x, y);
      expect(made.verify).toEqual(verify);
      this.layers.push(made.keys);
    } else {
      this.#finish(state, decodeCreated2(this.#created!, 0)!);
    }
  }

  extend(to: TestRelay): void {
    const state = this.#ntor(to);
    const body = this.extendBody(to, ntorClientRequest(state));
    const last = this.layers.hops - 1;
    this.send(relayCommand.extend2, 0, body, last, true);
    this.#finish(state, decodeExtended2(this.next(relayCommand.extended2).body)!);
  }

  extendBody(to: TestRelay, handshake: Uint8Array, port = orPort): Uint8Array {
    return encodeExtend2({
      target: {
        ipv4: { host: to.host.ip, port },
        ipv6: undefined,
        rsaId: to.keys.rsaIdentity.fingerprint,
        ed25519: to.keys.identity.publicKey,
      },
      handshakeType: 2,
      handshake,
    });
  }

  #ntor(relay: TestRelay): NtorClientState {
    return ntorClientStart(
      this.host.node.entropy,
      relay.keys.rsaIdentity.fingerprint,
      relay.keys.ntor.publicKey,
    );
  }

  #finish(state: NtorClientState, reply: Uint8Array): void {
    const finished = ntorClientFinish(state, reply);
    expect(finished.ok).toBe(true);
    if (finished.ok) this.layers.push(finished.value);
  }

  send(command: number, stream: number, body: Uint8Array, hop = this.layers.hops - 1, early = false): void {
    const bytes = new Uint8Array(509);
    writeRelayCell(bytes, 0, command, stream, body, this.host.node.entropy);
    this.layers.seal(bytes, 0, 509, 1, hop);
    const cell = early ? cellCommand.relayEarly : cellCommand.relay;
    this.host.node.turn(() => this.mux.send(this.#link, this.#circuit, cell, bytes, 0));
  }

  /** The next reply, which must be of that command. */
  next(command: number): Reply {
    this.#until(() => this.replies.length > 0 || this.destroyed !== undefined);
    const reply = this.replies.shift();
    expect(reply?.command).toBe(command);
    return reply!;
  }

  /** Destroyed, within a virtual minute. */
  end(): number {
    this.#until(() => this.destroyed !== undefined);
    return this.destroyed!;
  }
}
