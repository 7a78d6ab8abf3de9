import { assert } from '../../../src/base/assert.ts';
import { documentText } from '../../../src/directory/document-lines.ts';
import { encodeRequest } from '../../../src/directory/http-codec.ts';
import { HttpTransfers } from '../../../src/directory/http-transfers.ts';
import { splitMicrodescriptors } from '../../../src/directory/microdescriptor.ts';
import type { StreamHandler } from '../../../src/ports.ts';
import { memoryCredit } from '../../../src/schemes/memory-credit/index.ts';
import { VirtualClock } from '../../../src/sim/virtual-clock.ts';
import { PaidNetwork } from '../../sim/paid-network.ts';

/** Documents of a small network, as its authority gives them away. */
export interface SampleDocuments {
  readonly wallMs: number;
  readonly consensuses: readonly string[];
  readonly votes: readonly string[];
  readonly signatures: readonly string[];
  readonly certificates: readonly string[];
  readonly descriptors: readonly string[];
  readonly microdescriptors: readonly string[];
}

let sampled: SampleDocuments | undefined;

/** Made once in a process: by an authority and three relays in virtual time. */
export function sampleDocuments(): SampleDocuments {
  sampled ??= sample();
  return sampled;
}

function sample(): SampleDocuments {
  const network = new PaidNetwork({
    seed: 'sample documents',
    relays: 3,
    exits: 1,
    clients: 1,
    priceMsatPer2Pow20: 1_000_000n,
    schemeFor: () => memoryCredit({ purseMsat: 2n ** 40n, limitMsat: 2n ** 40n }),
  });
  network.bootstrap();
  const get = reader(network);
  const consensus = get('/tor/status-vote/current/consensus-microdesc');
  const digests = [...consensus.matchAll(/^m ([A-Za-z0-9+/]{43})$/gm)].map(([, digest]) => digest);
  return {
    wallMs: network.world.wallStartMs + network.world.nowUs / 1_000,
    consensuses: [consensus, get('/tor/status-vote/current/consensus')],
    votes: [get('/tor/status-vote/current/authority')],
    signatures: [get('/tor/status-vote/current/consensus-signatures')],
    certificates: [get('/tor/keys/all')],
    descriptors: [
      get('/tor/server/authority'),
      ...network.relays
        .map(({ keys }) => keys.rsaIdentity.fingerprint)
        .map(id => get(`/tor/server/fp/${Buffer.from(id).toString('hex')}`)),
    ],
    microdescriptors: splitMicrodescriptors(get(`/tor/micro/d/${digests.join('-')}`), digests.length),
  };
}

/** Fetches from the authority's directory port. */
function reader(network: PaidNetwork): (path: string) => string {
  const host = network.network.host('reader', { ip: '82.1.1.1' });
  const transfers = new HttpTransfers(host.streams, new VirtualClock(host.node));
  const handler: StreamHandler = {
    onResolved() {},
    onStreamAccepted() {},
    onStreamWritable() {},
    onConnected: stream => transfers.onConnected(stream),
    onStreamBytes: (stream, bytes) => transfers.onBytes(stream, bytes),
    onStreamEnd: stream => transfers.onEnd(stream),
    onStreamClosed: (stream, why) => transfers.onClosed(stream, why),
  };
  host.streams.attach(handler);
  const { dirAddress } = network.authority.self;
  return path => {
    let text: string | undefined;
    host.node.turn(() =>
      transfers.ask(dirAddress, encodeRequest('GET', path, dirAddress.host), answer => {
        assert(answer.ok && answer.value.status === 200, `the authority has ${path}`);
        text = documentText(answer.value.body);
      }),
    );
    network.world.runUntil(() => text !== undefined, { virtualMs: 60_000 });
    assert(text !== undefined, `the authority answers about ${path}`);
    return text;
  };
}
