import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DescriptorRegistry } from '../../dirauth/descriptor-registry.ts';
import { concatBytes, fromHex, toHex, utf8 } from '../../src/base/bytes.ts';
import { RsaKey } from '../../src/crypto/rsa.ts';
import { sha1 } from '../../src/crypto/sha.ts';
import { parseAuthorityCertificate, splitCertificates } from '../../src/directory/authority-certificate.ts';
import { isReasonablyLive, parseConsensus } from '../../src/directory/consensus.ts';
import { verifyConsensus } from '../../src/directory/consensus-verify.ts';
import { parseServerDescriptor, splitDescriptors } from '../../src/directory/descriptor.ts';
import { documentBytes, documentText } from '../../src/directory/document-lines.ts';
import { HttpResponseReader } from '../../src/directory/http-codec.ts';
import { Tor } from '../interop/c-tor.fixture.ts';
import type { TorNetwork } from '../interop/tor-network.fixture.ts';
import type { CapturedDocuments } from './captured-texts.fixture.ts';
import type { PackedTwin } from './compression-twins.fixture.ts';
import type { DocumentTwin } from './document-edits.fixture.ts';
import { replaced, signConsensus, signDescriptor } from './document-text.fixture.ts';
import { consensusTwins, descriptorTwins } from './document-twins.fixture.ts';
import { post } from './post.fixture.ts';

/** The directory port of the network's authority. */
function dirPort({ trusted }: TorNetwork): string {
  return `http://${/ (127\.0\.0\.1:\d+) /.exec(trusted)?.[1]}`;
}

export async function captureDocuments(network: TorNetwork): Promise<CapturedDocuments> {
  await network.lists('tor1', 'tor2', 'torexit');
  const get = async (path: string): Promise<string> => {
    const answer = await fetch(`${dirPort(network)}/tor/${path}`, {
      headers: { 'accept-encoding': 'identity' },
    });
    if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
    return documentText(new Uint8Array(await answer.arrayBuffer()));
  };
  const consensusMicrodesc = await get('status-vote/current/consensus-microdesc');
  const digests = [...consensusMicrodesc.matchAll(/^m (\S+)$/gm)].map(([, digest]) => digest);
  const descriptors = splitDescriptors(await get('server/all'), 10);
  const keys = (node: string, file: string) => readFileSync(join(network.dir, node, 'keys', file));
  return {
    texts: {
      'server-descriptor': descriptors.find(text => text.startsWith('router tor1 ')) ?? '',
      'extra-info':
        /^extra-info tor1 [\s\S]*?-----END SIGNATURE-----\n/m.exec(await get('extra/all'))?.[0] ?? '',
      microdescriptors: await get(`micro/d/${digests.join('-')}`),
      consensus: await get('status-vote/current/consensus'),
      'consensus-microdesc': consensusMicrodesc,
      'key-certificate': await get('keys/all'),
      vote: await get('status-vote/current/authority'),
    },
    wallMs: Date.now(),
    keys: {
      relayRsa: keys('tor1', 'secret_id_key').toString('latin1'),
      // A header of 32 bytes stands before the secret.
      relaySigning: toHex(new Uint8Array(keys('tor1', 'ed25519_signing_secret_key').subarray(32, 96))),
      authoritySigning: keys('auth', 'authority_signing_key').toString('latin1'),
    },
  };
}

type Named = readonly (readonly [name: string, twin: DocumentTwin])[];

/** Twins of the server descriptor, and of the consensus, by what verdicts call them. */
export function documentTwins(): readonly [descriptors: Named, consensuses: Named] {
  const named = (of: string, twins: readonly DocumentTwin[]): Named =>
    twins.map(twin => [`${of} ${twin.name}`, twin]);
  return [named('a descriptor', descriptorTwins), named('a consensus', consensusTwins)];
}

/** The text of a twin, signed where it is to be. */
export function descriptorOf(documents: CapturedDocuments, twin: DocumentTwin): string {
  const { keys } = documents;
  const text = twin.edit(descriptorBase(documents, descriptorTwins.indexOf(twin)));
  const signing = fromHex(keys.relaySigning) ?? new Uint8Array(0);
  return twin.signed ? signDescriptor(text, { rsa: keys.relayRsa, signing }) : text;
}

/** An authority keeps of one relay what is newer and differs in more than its time: each twin is of a later second. */
function descriptorBase({ texts, keys, wallMs }: CapturedDocuments, second: number): string {
  const published = new Date(wallMs + second * 1_000).toISOString().slice(0, 19).replace('T', ' ');
  const text = replaced('published', `published ${published}`)(texts['server-descriptor']);
  const signing = fromHex(keys.relaySigning) ?? new Uint8Array(0);
  return signDescriptor(replaced('contact', `contact twin ${second}`)(text), { rsa: keys.relayRsa, signing });
}

export function consensusOf({ texts, keys }: CapturedDocuments, twin: DocumentTwin): string {
  const text = twin.edit(texts['consensus-microdesc']);
  const certificate = parseAuthorityCertificate(texts['key-certificate']);
  if (!certificate.ok) throw new Error(certificate.fault.code);
  return twin.signed
    ? signConsensus(text, new RsaKey(keys.authoritySigning), certificate.value.v3Ident)
    : text;
}

/**
 * `keep` or `refuse`: whether a C tor authority serves what was uploaded to it. Its status tells nothing: it is 200 for what
 * was not a descriptor at all.
 */
export async function torTakesDescriptor(network: TorNetwork, text: string): Promise<string> {
  const bytes = documentBytes(text);
  await post(`${dirPort(network)}/tor/`, bytes);
  const digest = toHex(
    sha1(bytes.subarray(text.indexOf('router '), text.indexOf(signatureLine) + signatureLine.length)),
  );
  const served = await fetch(`${dirPort(network)}/tor/server/d/${digest}`);
  await served.arrayBuffer();
  return served.ok ? 'keep' : 'refuse';
}
const signatureLine = '\nrouter-signature\n';

/** `keep` or `refuse`: whether a C tor client that finds it in its cache, and cannot ask for another, has a consensus. */
export async function torTakesConsensus(
  network: TorNetwork,
  texts: CapturedDocuments['texts'],
  text: string,
): Promise<string> {
  const dir = join(network.dir, `client${readdirSync(network.dir).length}`);
  mkdirSync(dir, { mode: 0o700 });
  writeFileSync(join(dir, 'cached-certs'), documentBytes(texts['key-certificate']));
  writeFileSync(join(dir, 'cached-microdesc-consensus'), documentBytes(text));
  const lines = ['TestingTorNetwork 1', 'DisableNetwork 1', 'SocksPort 0', `DirAuthority ${network.trusted}`];
  const tor = await Tor.start({
    dir,
    name: 'cached',
    lines,
    ready: /Opened Control listener connection \(ready\)/,
  });
  try {
    const control = await tor.control();
    const asked = await control.ask('GETINFO consensus/valid-after').catch(() => undefined);
    control.close();
    return asked !== undefined && /valid-after=\S/.test(asked[0]) ? 'keep' : 'refuse';
  } finally {
    await tor.stop();
  }
}

/** What an authority of ours makes of an upload. */
export function oursTakesDescriptor({ wallMs }: CapturedDocuments, upload: string): string {
  const [text] = splitDescriptors(upload, 1);
  const parsed = text === undefined ? undefined : parseServerDescriptor(text, wallMs);
  return parsed?.ok && new DescriptorRegistry(true).take(parsed.value, wallMs).ok ? 'keep' : 'refuse';
}

export function oursTakesConsensus({ wallMs, texts }: CapturedDocuments, text: string): string {
  const certificates = splitCertificates(texts['key-certificate'], 10).flatMap(each => {
    const parsed = parseAuthorityCertificate(each);
    return parsed.ok ? [parsed.value] : [];
  });
  const parsed = parseConsensus(text);
  if (!parsed.ok || parsed.value.flavor !== 'microdesc' || !isReasonablyLive(parsed.value, wallMs))
    return 'refuse';
  return verifyConsensus(parsed.value, certificates, certificates, wallMs).ok ? 'keep' : 'refuse';
}

const noProgram =
  'no program of Tor writes it, and it would make no relay usable: ours refuses rather than guesses';

/** What our client makes of a consensus that a directory has packed so. */
export function oursTakesPacked(documents: CapturedDocuments, twin: PackedTwin): string {
  const { head, body } = twin.answer(documents.texts['consensus-microdesc']);
  const reader = new HttpResponseReader();
  const read = reader.push(concatBytes(utf8(`HTTP/1.0 ${head}\r\n`), body)) ?? reader.end();
  if (!read.ok || read.value.status !== 200) return 'refuse';
  return oursTakesConsensus(documents, documentText(read.value.body));
}

/** Where naulon differs from C tor on purpose. */
const differences: readonly { readonly of: RegExp; readonly ours: string; readonly why: string }[] = [
  {
    of: /^a descriptor with the line: platform Tor 0\.2\.9/,
    ours: 'keep',
    why: 'our authorities judge a relay by the protocols that it speaks, not by the age of its program',
  },
  {
    of: /^a (descriptor|consensus|certificate|vote) with an object that has no line$/,
    ours: 'keep',
    why: 'it stands below the line before, which needs none, and says nothing',
  },
  {
    of: /^(a consensus without its last newline|a length too short)$/,
    ours: 'refuse',
    why: 'it may have been cut',
  },
  {
    of: /^zlib, 300 kB of zeros inside$/,
    ours: 'refuse',
    why: 'C tor reads to the first zero; to us zeros are bytes of a document like others, and there are none in it',
  },
  {
    of: /^a consensus (without (consensus-method|m)|with (dir-source|m) twice|with the line: network-status-version 4)/,
    ours: 'refuse',
    why: noProgram,
  },
  {
    of: /^a consensus with (the line: (valid-after 2026-02-30|known-flags Running)|a router (that has no port|at port 65536|published never)|a footer before)/,
    ours: 'refuse',
    why: noProgram,
  },
  {
    of: /^a certificate with (a line behind its end|dir-key-certification twice|the line: dir-key-published 2026-02-30)/,
    ours: 'refuse',
    why: noProgram,
  },
  {
    of: /^(a microdescriptor with CRLF|a vote (without id|with id twice|with the line: (network-status-version [24]|consensus-methods x)))/,
    ours: 'refuse',
    why: noProgram,
  },
];

/** What naulon is to make of a twin of which C tor makes this. */
export function expectedOfDocument(name: string, tor: string): string {
  return differences.find(({ of }) => of.test(name))?.ours ?? tor;
}
