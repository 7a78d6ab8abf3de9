import { describe, expect, it } from 'vitest';
import type { CloseReason, StreamHandler, StreamId } from '../ports.ts';
import { BulkServer } from './bulk-server.ts';
import { drawFaults, FaultInjector, type Faults, noFaults } from './faults.ts';
import { SeededEntropy } from './seeded-entropy.ts';
import type { SimHost } from './sim-host.ts';
import { SimNetwork } from './sim-network.ts';
import { World } from './world.ts';

/** Fetches until it has had one whole answer, again and again where a fault cuts it off. */
class Stubborn implements StreamHandler {
  readonly #host: SimHost;
  readonly #server: string;
  received = 0;
  attempts = 0;
  done = false;

  constructor(host: SimHost, server: string) {
    this.#host = host;
    this.#server = server;
  }
  start(): void {
    this.received = 0;
    this.attempts += 1;
    this.#host.streams.connect({ host: this.#server, port: 80 });
  }
  onConnected(stream: StreamId): void {
    this.#host.streams.write(stream, Buffer.from('GET /300000 HTTP/1.0\r\n\r\n'));
  }
  onStreamBytes(_: StreamId, bytes: Uint8Array): void {
    this.received += bytes.length;
  }
  onStreamEnd(stream: StreamId): void {
    this.done = true;
    this.#host.streams.end(stream);
  }
  onStreamClosed(_: StreamId, why: CloseReason): void {
    if (why !== 'done' && !this.done) this.start();
  }
  onResolved(): void {}
  onStreamAccepted(): void {}
  onStreamWritable(): void {}
}

function run(seed: number, faults: Faults) {
  const world = new World({ seed });
  const network = new SimNetwork(world, faults.network);
  const web = network.host('web', { ip: '203.0.113.5' });
  web.streams.attach(new BulkServer(web.streams));
  web.streams.listen(80, 'http');
  const clients = Array.from({ length: 8 }, (_, i) => {
    const host = network.host(`client${i}`, { ip: `10.0.0.${i + 1}` });
    const client = new Stubborn(host, web.ip);
    host.streams.attach(client);
    host.node.turn(() => client.start());
    return client;
  });
  const injector = new FaultInjector(network, faults);
  world.runFor(4_000);
  injector.stop();
  const end = world.runUntil(() => clients.every(({ done }) => done), { virtualMs: 600_000 });
  const attempts = clients.reduce((sum, client) => sum + client.attempts, 0);
  return { end, attempts, digest: world.trace.digest() };
}

describe('faults', () => {
  it('are drawn from the seed, and over seeds each kind is armed', () => {
    const drawn = Array.from({ length: 60 }, (_, seed) => drawFaults(new SeededEntropy(seed)));
    expect(drawFaults(new SeededEntropy(5))).toEqual(drawn[5]);
    const rates = ['resetsPerSecond', 'stallsPerSecond', 'cutOffsPerSecond', 'wallSkewMsMax'] as const;
    for (const rate of rates) {
      const armed = drawn.filter(faults => faults[rate] > 0).length;
      expect(armed).toBeGreaterThan(0);
      expect(armed).toBeLessThan(60);
    }
  });

  it('hurt what runs, the same way each time, and once they stop everything gets done', () => {
    const rough: Faults = {
      ...noFaults,
      network: { uplinkBytesPerSecond: 500_000, refuseChance: 0.2, splitChance: 0.5, jitterMs: 20 },
      resetsPerSecond: 3,
      stallsPerSecond: 3,
      stallMsMax: 500,
      cutOffsPerSecond: 0.5,
      cutOffMsMax: 1_000,
    };
    const first = run(1, rough);
    expect(first).toEqual(run(1, rough));
    expect(first.end).toBe('done');
    expect(first.attempts).toBeGreaterThan(8);
    expect(run(2, rough).digest).not.toBe(first.digest);
    expect(run(1, noFaults)).toMatchObject({ end: 'done', attempts: 8 });
  });

  it('of every drawn mix leave a network that heals', () => {
    for (let seed = 10; seed < 22; seed++) {
      expect(run(seed, drawFaults(new SeededEntropy(seed))).end).toBe('done');
    }
  });
});
