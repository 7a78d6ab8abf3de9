import { createCipheriv, createHash, generateKeyPairSync } from 'node:crypto';
import type { Terminal } from '../scripts/terminal.ts';
import { assert } from '../src/base/assert.ts';
import { cellPayloadBytes } from '../src/cell/link-codec.ts';
import { AesCtr } from '../src/crypto/aes-ctr.ts';
import { circuitKeyBytes, circuitKeysOf } from '../src/crypto/circuit-keys.ts';
import { cellMemory, readArea } from '../src/crypto/kernels/cell-memory.ts';
import { ntorClientFinish, ntorClientRequest, ntorClientStart, ntorServer } from '../src/crypto/ntor.ts';
import { RunningDigest } from '../src/crypto/running-digest.ts';
import { generateX25519, x25519Peer } from '../src/crypto/x25519.ts';
import { SystemEntropy } from '../src/node-io/system-entropy.ts';
import { RelayLayer } from '../src/onion/relay-layer.ts';
import { barPlot } from './bar-plot.ts';
import { type Operation, operationTrial, timeMeasure } from './micro-trials.ts';
import { rawKeyExchange, rawSignatures, times } from './raw-primitives.ts';
import { type BenchOptions, runBench } from './run-bench.ts';
import { ratioOf } from './statistics.ts';
import { measureTrials, type Series, valuesOf } from './trials.ts';

/** Cells that the raw primitive takes at once: the best that OpenSSL can do from here. */
const cells = 64;
const raw = 'raw';
const our = 'naulon';

/** What we make of each primitive against the primitive itself. */
export function benchCrypto(options: BenchOptions, terminal: Terminal): Promise<number> {
  return runBench('crypto', options, terminal, async stage => {
    const { quick = false, repeat } = options;
    const ms = quick ? 100 : 1_000;
    const operations = [...cellOperations(), ...handshakeOperations(), ...signatureOperations()];
    const trials = operations.map(operation => operationTrial(operation, ms));
    const series = await measureTrials(trials, { repeat }, terminal, stage.signal);
    const names = [...new Set(operations.filter(each => each.subject === our).map(each => each.operation))];
    const time = (operation: string, subject: string) => valuesOf(series, 'time', { operation, subject });
    const { cores, cpu, node, openssl } = stage.environment;
    return {
      settings: { repeat, ms, cells },
      measures: timeMeasure,
      series,
      findings: names.map(name => ({
        name: `${name}, over the raw primitive`,
        unit: 'x',
        ...ratioOf(time(name, our), time(name, raw)),
      })),
      plot: barPlot({
        title: 'Cryptography against the raw primitive',
        subtitle: [`${repeat} repeats, ${cores} cores of ${cpu}, Node ${node}, OpenSSL ${openssl}`],
        by: 'subject',
        measures: timeMeasure,
        series,
        panels: [
          { measure: 'time', title: 'A cell of 509 bytes', along: 'operation', where: isOfCells },
          { measure: 'time', title: 'Public keys', along: 'operation', where: each => !isOfCells(each) },
        ],
      }),
    };
  });
}

/** Of one cell: what a layer does to it as a middle hands it on is `layer`. */
const isOfCells = ({ factors }: Pick<Series, 'factors'>): boolean =>
  ['AES', 'SHA-1', 'layer'].includes(String(factors.operation));

function cellOperations(): Operation[] {
  const key = new Uint8Array(16).fill(1);
  const run = new Uint8Array(cells * cellPayloadBytes);
  const cipher = createCipheriv('aes-128-ctr', key, new Uint8Array(16));
  const hash = createHash('sha1');
  const aes = new AesCtr(key);
  const digest = new RunningDigest(new Uint8Array(20));
  const layer = new RelayLayer(circuitKeysOf(new Uint8Array(circuitKeyBytes).fill(3)));
  const rawAes = () => void cipher.update(run);
  return [
    { operation: 'AES', subject: raw, batch: cells, run: rawAes },
    {
      operation: 'AES',
      subject: our,
      batch: cells,
      run: () => aes.applyToCells(cellMemory, readArea.at, cellPayloadBytes, cells),
    },
    { operation: 'SHA-1', subject: raw, batch: cells, run: () => void hash.update(run) },
    {
      operation: 'SHA-1',
      subject: our,
      batch: cells,
      // Never what it comes to: to try a run costs what to add one does.
      run: () => void digest.addIf(run, 0),
    },
    { operation: 'layer', subject: raw, batch: cells, run: rawAes },
    {
      operation: 'layer',
      subject: our,
      batch: cells,
      run: () => layer.toClient(cellMemory, readArea.at, cellPayloadBytes, cells),
    },
  ];
}

/** ntor as a relay answers it takes a key pair and two shared secrets, so that is its raw primitive. */
function handshakeOperations(): Operation[] {
  const batch = 20;
  const entropy = new SystemEntropy();
  const onionKey = generateX25519(entropy);
  const peer = generateX25519(entropy);
  const relayId = entropy.bytes(20);
  const client = ntorClientStart(entropy, relayId, onionKey.publicKey);
  const request = ntorClientRequest(client);
  const answered = ntorServer(entropy, relayId, [onionKey], request);
  assert(answered.ok && ntorClientFinish(client, answered.value.reply).ok, 'a handshake that ends well');
  const shared = rawKeyExchange();
  return [
    { operation: 'x25519', subject: raw, batch, run: times(batch, shared) },
    {
      operation: 'x25519',
      subject: our,
      batch,
      run: times(batch, () => onionKey.shared(x25519Peer(peer.publicKey))),
    },
    {
      operation: 'ntor',
      subject: raw,
      batch,
      run: times(batch, () => {
        generateKeyPairSync('x25519');
        shared();
        shared();
      }),
    },
    {
      operation: 'ntor',
      subject: our,
      batch,
      run: times(batch, () => ntorServer(entropy, relayId, [onionKey], request)),
    },
  ];
}

/** Of the native library as the payments use it; what they make of it is in `bench pay`. */
function signatureOperations(): Operation[] {
  const batch = 20;
  const { sign, verify } = rawSignatures();
  return [
    { operation: 'sign', subject: raw, batch, run: times(batch, sign) },
    { operation: 'verify', subject: raw, batch, run: times(batch, verify) },
  ];
}
