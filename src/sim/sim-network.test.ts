import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { CloseReason, LinkHandler, LinkId, LinkPort, StreamHandler, StreamId } from '../ports.ts';
import { BulkServer, bulkByte } from './bulk-server.ts';
import { poisonByte } from './sim-connection.ts';
import type { SimHost } from './sim-host.ts';
import { type NetworkOptions, SimNetwork } from './sim-network.ts';
import { World } from './world.ts';

const certificate = Uint8Array.of(0x30, 1, 2, 3);

/** Notes what it hears; answers nothing. */
class Ear implements LinkHandler {
  heard: string[] = [];
  bytes: number[] = [];
  accepted: LinkId[] = [];
  onAccepted(link: LinkId): void {
    this.heard.push('accepted');
    this.accepted.push(link);
  }
  onOpen(): void {
    this.heard.push('open');
  }
  onBytes(_: LinkId, bytes: Uint8Array): void {
    this.heard.push('bytes');
    this.bytes.push(...bytes);
  }
  onWritable(): void {
    this.heard.push('writable');
  }
  onClosed(_: LinkId, why: CloseReason): void {
    this.heard.push(`closed ${why}`);
  }
}

interface Pair {
  readonly world: World;
  readonly network: SimNetwork;
  readonly a: SimHost;
  readonly b: SimHost;
  readonly earA: Ear;
  readonly earB: Ear;
  readonly link: LinkId;
}

function connected(options: Partial<NetworkOptions> = {}, seed = 1): Pair {
  const world = new World({ seed });
  const network = new SimNetwork(world, options);
  const [a, b] = [network.host('a', { ip: '10.0.0.1' }), network.host('b', { ip: '10.0.0.2' })];
  const [earA, earB] = [new Ear(), new Ear()];
  a.links.attach(earA);
  b.links.attach(earB);
  b.links.listen(9001, certificate);
  const link = a.node.turn(() => a.links.open({ host: b.ip, port: 9001 }));
  world.runUntilIdle();
  return { world, network, a, b, earA, earB, link };
}

describe('simulated links', () => {
  it('come up on both sides with equal exporters and the certificate of the side that was dialled', () => {
    const { a, b, earA, earB, link } = connected();
    expect([earA.heard, earB.heard]).toEqual([['open'], ['accepted']]);
    const near = a.node.turn(() => a.links.facts(link));
    const far = b.node.turn(() => b.links.facts(earB.accepted[0]));
    expect([near.peerCertificate, far.ownCertificate]).toEqual([certificate, certificate]);
    expect([near.ownCertificate.length, far.peerCertificate.length]).toEqual([0, 0]);
    const context = Uint8Array.of(1);
    expect(near.exporter('label', context)).toEqual(far.exporter('label', context));
    expect(near.exporter('label', context)).toHaveLength(32);
    expect(near.exporter('other', context)).not.toEqual(far.exporter('label', context));
    expect(near.exporter('label', Uint8Array.of(2))).not.toEqual(far.exporter('label', context));
  });

  it('carry all bytes in order, however they are written, split and read', () => {
    const sizes = fc.array(fc.nat(9_000), { maxLength: 12 });
    fc.assert(
      fc.property(sizes, fc.nat(1_000), (writes, seed) => {
        const rough = { splitChance: 0.5, jitterMs: 20, segmentBytesMax: 1_500, windowBytes: 4_000 };
        const { world, a, b, earB, link } = connected(rough, seed);
        let next = 0;
        for (const [turn, size] of writes.entries()) {
          const bytes = Uint8Array.from({ length: size }, () => next++ & 0xff);
          a.node.turn(() => a.links.write(link, bytes));
          bytes.fill(0);
          b.node.turn(() => (turn % 2 === 0 ? b.links.pause(1) : b.links.resume(1)));
          world.runFor(1);
        }
        b.node.turn(() => b.links.resume(1));
        world.runUntilIdle();
        expect(earB.bytes.length).toBe(next);
        expect(earB.bytes.every((byte, at) => byte === (at & 0xff))).toBe(true);
      }),
      { numRuns: 40 },
    );
  });

  it('never call back inside a call, and merge the writes of one turn', () => {
    const { world, a, earA, earB, link } = connected({ splitChance: 0 });
    a.node.turn(() => {
      for (let i = 0; i < 10; i++) a.links.write(link, new Uint8Array(100));
      a.links.pause(link);
      a.links.resume(link);
      a.links.close(link, 'done');
      expect(earA.heard).toEqual(['open']);
    });
    world.runUntilIdle();
    expect(earA.heard).toEqual(['open']);
    expect(earB.heard).toEqual(['accepted', 'bytes', 'closed done']);
    expect(earB.bytes).toHaveLength(1_000);
  });

  it('say full when the reader does not read, and writable when it does again', () => {
    const { world, a, b, earA, earB, link } = connected({ windowBytes: 10_000, sendBufferBytes: 5_000 });
    b.node.turn(() => b.links.pause(1));
    const taken = a.node.turn(() => [
      a.links.write(link, new Uint8Array(5_000)),
      a.links.write(link, new Uint8Array(5_000)),
      a.links.write(link, new Uint8Array(5_000)),
    ]);
    expect(taken).toEqual([true, false, false]);
    world.runUntilIdle();
    expect([earA.heard, earB.bytes.length]).toEqual([['open'], 0]);
    b.node.turn(() => b.links.resume(1));
    world.runUntilIdle();
    expect([earA.heard, earB.bytes.length]).toEqual([['open', 'writable'], 15_000]);
  });

  it('take as long as the bandwidth says', () => {
    const { world, a, earB, link } = connected({ uplinkBytesPerSecond: 1_000_000, latencyMs: 10 });
    const startUs = world.nowUs;
    a.node.turn(() => a.links.write(link, new Uint8Array(200_000)));
    world.runUntil(() => earB.bytes.length === 200_000);
    expect((world.nowUs - startUs) / 1_000).toBeGreaterThanOrEqual(220);
    expect((world.nowUs - startUs) / 1_000).toBeLessThan(225);
  });

  it('close after what was written before, and tell a reset to both sides', () => {
    const first = connected();
    first.b.node.turn(() => first.b.links.write(1, new Uint8Array(50_000)));
    first.b.node.turn(() => first.b.links.close(1, 'protocol'));
    first.world.runUntilIdle();
    expect(first.earA.bytes).toHaveLength(50_000);
    expect(first.earA.heard.at(-1)).toBe('closed reset');
    expect(first.earB.heard).toEqual(['accepted']);

    const second = connected();
    for (const end of second.a.ends) end.reset();
    second.world.runUntilIdle();
    expect([second.earA.heard.at(-1), second.earB.heard.at(-1)]).toEqual(['closed reset', 'closed reset']);
  });

  it('refuse, time out and are unreachable as real ones', () => {
    const { world, network, a, b, earA } = connected();
    const open = (host: string, port: number) => a.node.turn(() => a.links.open({ host, port }));
    open(b.ip, 1);
    open('10.0.0.99', 9001);
    world.runUntilIdle();
    expect(earA.heard).toEqual(['open', 'closed unreachable', 'closed refused']);
    network.cutOff(b, 30_000);
    open(b.ip, 9001);
    world.runUntilIdle();
    expect(earA.heard.at(-1)).toBe('closed timeout');
    open(b.ip, 9001);
    world.runUntilIdle();
    expect(earA.heard.at(-1)).toBe('open');
  });

  it('end at the peer when a process dies, and the dead hear nothing', () => {
    const { world, a, b, earA, earB, link } = connected();
    a.node.turn(() => a.links.write(link, new Uint8Array(1_000)));
    b.crash();
    world.runUntilIdle();
    expect(earA.heard).toEqual(['open', 'closed reset']);
    expect(earB.heard).toEqual(['accepted']);
  });
});

/** A core with planted faults: it keeps what it was handed, or calls its handler from inside a port call. */
class Faulty extends Ear {
  kept: Uint8Array[] = [];
  override onBytes(link: LinkId, bytes: Uint8Array): void {
    super.onBytes(link, bytes);
    this.kept.push(bytes);
  }
}

describe('the rules of ports', () => {
  it('poisons bytes after the handler, so that a core which keeps them is caught', () => {
    const { world, a, b, link } = connected();
    const keeper = new Faulty();
    b.links.attach(keeper);
    a.node.turn(() => a.links.write(link, Uint8Array.of(1, 2, 3)));
    world.runUntilIdle();
    expect(keeper.bytes).toEqual([1, 2, 3]);
    expect([...keeper.kept[0]]).toEqual([poisonByte, poisonByte, poisonByte]);
    expect(keeper.kept[0].byteOffset).toBeGreaterThan(0);
  });

  it('catches a driver that calls back inside a call', () => {
    const { a, b, link } = connected();
    const eager: Pick<LinkPort, 'write'> = {
      write: (to, bytes) => {
        b.node.turn(() => b.links.write(1, bytes));
        return a.links.write(to, bytes);
      },
    };
    expect(() => a.node.turn(() => eager.write(link, Uint8Array.of(1)))).toThrow(/re-entry/);
  });

  it('catches a core that uses a link which it never had, or acts out of its turn', () => {
    const { a, link } = connected();
    expect(() => a.node.turn(() => a.links.write(link + 1, Uint8Array.of(1)))).toThrow(/was given/);
    expect(() => a.links.write(link, Uint8Array.of(1))).toThrow(/out of its turn/);
  });
});

/** Fetches from a bulk server and checks what comes. */
class Fetcher implements StreamHandler {
  heard: string[] = [];
  head = '';
  length = 0;
  wrong = 0;
  readonly #host: SimHost;
  constructor(host: SimHost) {
    this.#host = host;
  }
  onResolved(_: number, found: readonly { readonly value: string }[]): void {
    if (found.length === 0) this.heard.push('unknown name');
    else this.#host.streams.connect({ host: found[0].value, port: 80 });
  }
  onConnected(stream: StreamId): void {
    this.heard.push('connected');
    this.#host.streams.write(stream, Buffer.from('GET /200000 HTTP/1.0\r\n\r\n'));
  }
  onStreamBytes(_: StreamId, bytes: Uint8Array): void {
    for (const byte of bytes) {
      if (this.head.endsWith('\r\n\r\n')) {
        if (byte !== bulkByte(this.length)) this.wrong += 1;
        this.length += 1;
      } else this.head += String.fromCharCode(byte);
    }
  }
  onStreamAccepted(): void {}
  onStreamWritable(): void {}
  onStreamEnd(stream: StreamId): void {
    this.heard.push('end');
    this.#host.streams.end(stream);
  }
  onStreamClosed(_: StreamId, why: CloseReason): void {
    this.heard.push(`closed ${why}`);
  }
}

describe('simulated streams', () => {
  function fetching(seed: number, options: Partial<NetworkOptions> = {}) {
    const world = new World({ seed });
    const network = new SimNetwork(world, options);
    const [a, web] = [network.host('a', { ip: '10.0.0.1' }), network.host('web', { ip: '203.0.113.5' })];
    const fetcher = new Fetcher(a);
    a.streams.attach(fetcher);
    web.streams.attach(new BulkServer(web.streams));
    web.streams.listen(80, 'http');
    network.name('bulk.example', [{ kind: 'ipv4', value: web.ip, ttlSeconds: 60 }]);
    a.node.turn(() => a.streams.resolve('bulk.example', false));
    return { world, a, fetcher };
  }

  it('resolve, connect, transfer and end on both sides', () => {
    const { world, a, fetcher } = fetching(1);
    a.node.turn(() => a.streams.resolve('nowhere.example', false));
    world.runUntilIdle();
    expect(fetcher.heard).toEqual(['unknown name', 'connected', 'end', 'closed done']);
    expect([fetcher.length, fetcher.wrong]).toEqual([200_000, 0]);
  });

  it('give the same trace for the same seed, and another for another', () => {
    const run = (seed: number) => {
      const { world } = fetching(seed, { splitChance: 0.3, jitterMs: 10, windowBytes: 8_192 });
      world.runUntilIdle();
      return { digest: world.trace.digest(), records: world.trace.records };
    };
    expect(run(3)).toEqual(run(3));
    expect(run(3).digest).not.toBe(run(4).digest);
  });
});
