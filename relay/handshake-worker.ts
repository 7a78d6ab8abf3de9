/** A thread that makes handshakes for its relay. */
import { workerData } from 'node:worker_threads';
import { assert } from '../src/base/assert.ts';
import { decodeNodeKeys } from '../src/crypto/node-keys.ts';
import { SystemEntropy } from '../src/node-io/system-entropy.ts';
import { serveComputations } from '../src/node-io/worker-pool.ts';
import { CircuitHandshakes } from './circuit-handshakes.ts';
import { answerRequest } from './handshake-work.ts';

const keys = decodeNodeKeys(workerData);
assert(keys.ok, 'the keys of a relay that runs');
const handshakes = new CircuitHandshakes(keys.value, new SystemEntropy());
serveComputations(work => answerRequest(handshakes, work));
