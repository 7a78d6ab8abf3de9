/**
 * Writes test/vectors anew from the C tor on PATH: what it says, and what it makes of every twin. By hand, when there is a
 * new C tor or a new twin: npx tsx test/interop/capture-vectors.ts
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findTor } from '../../scripts/tor-node.ts';
import { cellTwins, vectorsFolder } from '../twins/captured.fixture.ts';
import { captureCells } from '../twins/captured-cells.fixture.ts';
import {
  captureDocuments,
  consensusOf,
  descriptorOf,
  documentTwins,
  torTakesConsensus,
  torTakesDescriptor,
} from '../twins/captured-documents.fixture.ts';
import { writeDocuments } from '../twins/captured-texts.fixture.ts';
import { clientCases } from '../twins/client-twins.fixture.ts';
import { packedCases, signedCases, torTakes } from '../twins/directory-verdict.fixture.ts';
import { FalseNetwork } from '../twins/false-network.fixture.ts';
import type { Verdict } from '../twins/verdict.fixture.ts';
import { torTakesVotes } from '../twins/vote-verdict.fixture.ts';
import { TorClient } from './c-tor.fixture.ts';
import { TorNetwork } from './tor-network.fixture.ts';

const version = execFileSync(findTor(), ['--version'], { encoding: 'utf8' }).split('\n')[0];
const taken = { tor: version.replace(/\.$/, ''), date: new Date().toISOString().slice(0, 10) };

function write(name: string, value: object): void {
  mkdirSync(vectorsFolder, { recursive: true });
  writeFileSync(join(vectorsFolder, `${name}.json`), `${JSON.stringify({ ...taken, ...value }, null, 1)}\n`);
}

/** What is said to clients, and to an authority. Returns how much. */
async function captureOfFalseNetwork(): Promise<readonly number[]> {
  const network = await FalseNetwork.start();
  const dir = await mkdtemp(join(tmpdir(), 'naulon-tor-'));
  const client = await TorClient.start(join(dir, 'client'), [network.authority]);
  try {
    const verdicts: Record<string, Verdict> = {};
    for (const each of clientCases) {
      if (each.name in verdicts) throw new Error(`two twins: ${each.name}`);
      verdicts[each.name] = await each.judge(network, client);
    }
    write('client-verdicts', { verdicts });
    const ofAuthorities = { ...(await torTakes(signedCases(network))), ...(await torTakesVotes(network)) };
    write('authority-verdicts', { verdicts: ofAuthorities });
    const ofPacked = await torTakes(packedCases);
    write('packed-verdicts', { verdicts: ofPacked });
    return [verdicts, ofAuthorities, ofPacked].map(each => Object.keys(each).length);
  } finally {
    await client.stop();
    network.stop();
    await rm(dir, { recursive: true, force: true });
  }
}

const counts = await captureOfFalseNetwork();
const network = await TorNetwork.start();
try {
  const orPort = network.orPorts.get('tor1');
  if (orPort === undefined) throw new Error('tor1 does not listen');
  write('cells', await captureCells({ orPort }));
  const verdicts: Record<string, Verdict> = {};
  for (const twin of cellTwins()) {
    if (twin.name in verdicts) throw new Error(`two twins: ${twin.name}`);
    verdicts[twin.name] = await twin.judge({ orPort });
  }
  write('cell-verdicts', { verdicts });
  const documents = await captureDocuments(network);
  writeDocuments(documents);
  const ofDocuments: Record<string, Verdict> = {};
  const [descriptors, consensuses] = documentTwins();
  for (const [name, twin] of descriptors)
    ofDocuments[name] = await torTakesDescriptor(network, descriptorOf(documents, twin));
  for (const [name, twin] of consensuses)
    ofDocuments[name] = await torTakesConsensus(network, documents.texts, consensusOf(documents, twin));
  write('document-verdicts', { verdicts: ofDocuments });
  console.log(
    [Object.keys(ofDocuments).length, Object.keys(verdicts).length, ...counts].join(', '),
    'verdicts of',
    taken.tor,
  );
} finally {
  await network.stop();
}
