import { assert } from '../base/assert.ts';
import type { LinkHandler, LinkPort, StreamHandler, StreamPort } from '../ports.ts';
import { linkPortKit, type PortWorld, streamPortKit } from './port-kits.ts';
import type { SimHost } from './sim-host.ts';
import { SimNetwork } from './sim-network.ts';
import { World } from './world.ts';

function simulated<Port, Handler>(
  side: (host: SimHost) => { readonly port: Port; attach(handler: Handler): void },
  listen: (host: SimHost, port: number) => void,
): () => Promise<PortWorld<Port, Handler>> {
  return async () => {
    const world = new World({ seed: 1 });
    const network = new SimNetwork(world, { splitChance: 0.3, jitterMs: 3 });
    const [near, far] = [network.host('near', { ip: '10.0.0.1' }), network.host('far', { ip: '10.0.0.2' })];
    listen(far, 9001);
    return {
      dialler: { ...side(near), turn: run => near.node.turn(run) },
      listener: { ...side(far), turn: run => far.node.turn(run) },
      at: { host: far.ip, port: 9001 },
      nowhere: { host: far.ip, port: 9 },
      until: async holds => assert(world.runUntil(holds) === 'done', 'it comes about'),
      settle: async () => void world.runUntilIdle(),
      stop: async () => {},
    };
  };
}

linkPortKit(
  'SimLinks',
  simulated<LinkPort, LinkHandler>(
    ({ links }) => ({ port: links, attach: handler => links.attach(handler) }),
    (host, port) => host.links.listen(port, Uint8Array.of(0x30, 0)),
  ),
);

streamPortKit(
  'SimStreams',
  simulated<StreamPort, StreamHandler>(
    ({ streams }) => ({ port: streams, attach: handler => streams.attach(handler) }),
    (host, port) => host.streams.listen(port, 'test'),
  ),
);
