import { isUtf8 } from 'node:buffer';
import { concatBytes, equalBytes, fromBase64, toBase64, toHex } from '../base/bytes.ts';
import { type Fault, fail, ok, type Result } from '../base/fault.ts';
import { parseIpv4 } from '../base/ip.ts';
import { descriptorBytesMax } from '../base/limits.ts';
import { ed25519Verify } from '../crypto/ed25519.ts';
import { certType, encodeEd25519Cert, verifyEd25519Cert } from '../crypto/ed25519-cert.ts';
import type { NodeKeys } from '../crypto/node-keys.ts';
import { encodeNtorCrossCert, verifyNtorCrossCert } from '../crypto/ntor-cross-cert.ts';
import { rsaModulus, rsaVerifyDigest } from '../crypto/rsa.ts';
import { sha1, sha256 } from '../crypto/sha.ts';
import { formatPolicyRule, type PolicyRule, parsePolicyRule } from './address-policy.ts';
import { formatDocumentTime, parseDocumentTime } from './calendar.ts';
import { isNickname } from './consensus-entry.ts';
import {
  argumentsOf,
  type DocumentFault,
  type DocumentLine,
  documentBytes,
  formatObject,
  LineIndex,
  parseLines,
} from './document-lines.ts';
import { formatEndpoint, parseBracketedEndpoint, parseCount, parsePort } from './endpoint-text.ts';
import { formatPortPolicy, parsePortPolicy } from './port-policy.ts';
import { formatPrice, parsePrice } from './price-line.ts';
import { formatProtocols, parseProtocols } from './protocols.ts';
import type { DescriptorFacts, ServerDescriptor } from './server-descriptor.ts';

export type DescriptorFault = DocumentFault | Fault<'DESCRIPTOR_BAD' | 'DESCRIPTOR_BAD_SIGNATURE'>;

/** The keys that a descriptor names or is signed with. */
export type DescriptorKeys = Pick<NodeKeys, 'rsaIdentity' | 'identity' | 'signing' | 'ntor' | 'tap'>;

const edSignaturePrefix = 'Tor router descriptor signature v1';
/** Certificates in a descriptor outlive the descriptor by far; C tor renews after 30 days too. */
const certificateMs = 30 * 86_400_000;
const rulesMax = 1_000;
/** Those of C tor take 170. */
const protoCharactersMax = 1_000;
/** Bytes a second. C tor holds them in 31 bits. */
const bandwidthMax = 2 ** 31 - 1;

/** A signed server descriptor. spec: dir-spec/server-descriptor-format */
export function buildServerDescriptor(keys: DescriptorKeys, facts: DescriptorFacts): string {
  const expiresMs = facts.publishedMs + certificateMs;
  const identityCert = encodeEd25519Cert({
    type: certType.identityToSigning,
    certified: keys.signing.publicKey,
    signer: keys.identity,
    expiresMs,
    embedSigner: true,
  });
  const tapCrossCert = keys.tap.signDigest(
    concatBytes(keys.rsaIdentity.fingerprint, keys.identity.publicKey),
  );
  const ntorCrossCert = encodeNtorCrossCert(keys.ntor, keys.identity.publicKey, expiresMs);
  const body = [
    `router ${facts.nickname} ${facts.address.host} ${facts.address.port} 0 ${facts.dirPort}\n`,
    `identity-ed25519\n${formatObject('ED25519 CERT', identityCert)}`,
    `master-key-ed25519 ${toBase64(keys.identity.publicKey)}\n`,
    facts.ipv6 === undefined ? '' : `or-address ${formatEndpoint(facts.ipv6)}\n`,
    `platform ${facts.platform}\n`,
    `proto ${formatProtocols(facts.protocols)}\n`,
    `published ${formatDocumentTime(facts.publishedMs)}\n`,
    `fingerprint ${(toHex(keys.rsaIdentity.fingerprint).toUpperCase().match(/.{4}/g) ?? []).join(' ')}\n`,
    `uptime ${facts.uptimeSeconds}\n`,
    `bandwidth ${facts.bandwidth.rate} ${facts.bandwidth.burst} ${facts.bandwidth.observed}\n`,
    facts.hibernating ? 'hibernating 1\n' : '',
    `onion-key\n${formatObject('RSA PUBLIC KEY', keys.tap.publicDer)}`,
    `signing-key\n${formatObject('RSA PUBLIC KEY', keys.rsaIdentity.publicDer)}`,
    `onion-key-crosscert\n${formatObject('CROSSCERT', tapCrossCert)}`,
    `ntor-onion-key-crosscert ${ntorCrossCert.signBit}\n${formatObject('ED25519 CERT', ntorCrossCert.cert)}`,
    facts.family.length === 0 ? '' : `family ${facts.family.join(' ')}\n`,
    facts.contact === undefined ? '' : `contact ${facts.contact.replace(/[\r\n\0]+/g, ' ')}\n`,
    `ntor-onion-key ${Buffer.from(keys.ntor.publicKey).toString('base64')}\n`,
    facts.exitPolicy.map(rule => `${formatPolicyRule(rule)}\n`).join(''),
    facts.ipv6Policy === undefined ? '' : `ipv6-policy ${formatPortPolicy(facts.ipv6Policy)}\n`,
    facts.servesDirectory ? 'tunnelled-dir-server\n' : '',
    facts.price === undefined ? '' : `naulon-price ${formatPrice(facts.price)}\n`,
    'router-sig-ed25519 ',
  ].join('');
  const edSignature = keys.signing.sign(sha256(documentBytes(edSignaturePrefix + body)));
  const signed = `${body}${toBase64(edSignature)}\nrouter-signature\n`;
  return signed + formatObject('SIGNATURE', keys.rsaIdentity.signDigest(sha1(documentBytes(signed))));
}

const bad = (detail: string) => fail('DESCRIPTOR_BAD', detail);
const forged = (detail: string) => fail('DESCRIPTOR_BAD_SIGNATURE', detail);

const onceOnly = [
  'router',
  'identity-ed25519',
  'master-key-ed25519',
  'platform',
  'proto',
  'published',
  'fingerprint',
  'uptime',
  'bandwidth',
  'extra-info-digest',
  'hidden-service-dir',
  'hibernating',
  'onion-key',
  'onion-key-crosscert',
  'signing-key',
  'ntor-onion-key',
  'ntor-onion-key-crosscert',
  'family',
  'contact',
  'ipv6-policy',
  'tunnelled-dir-server',
  'naulon-price',
  'router-sig-ed25519',
  'router-signature',
];

/** Parses one descriptor, all of `text`, and verifies every signature in it. */
export function parseServerDescriptor(
  text: string,
  wallMs: number,
): Result<ServerDescriptor, DescriptorFault> {
  const lines = parseLines(text, descriptorBytesMax);
  if (!lines.ok) return lines;
  if (!isUtf8(documentBytes(text))) return bad('not UTF-8');
  const index = new LineIndex(lines.value);
  const keywords = lines.value.map(line => line.keyword);
  if (keywords[0] !== 'router') return bad('router comes first');
  if (keywords[1] !== 'identity-ed25519') return bad('identity-ed25519 comes second');
  if (keywords.at(-1) !== 'router-signature') return bad('router-signature comes last');
  if (keywords.at(-2) !== 'router-sig-ed25519')
    return bad('router-sig-ed25519 comes before router-signature');
  const repeated = index.repeats(onceOnly);
  if (repeated !== undefined) return bad(`${repeated} stands twice`);
  const facts = readFacts(lines.value, index);
  if (typeof facts === 'string') return bad(facts);
  const keys = verifyKeys(index, wallMs);
  if (!keys.ok) return keys;
  const fingerprint = index.one('fingerprint')?.rest.replaceAll(' ', '').toLowerCase();
  if (fingerprint !== undefined && fingerprint !== toHex(keys.value.rsaId)) return bad('fingerprint');
  const digest = verifySignatures(text, lines.value, keys.value);
  if (!digest.ok) return digest;
  const familyIds = provenFamilies(index, keys.value.ed25519);
  if (familyIds === undefined) return forged('family-cert');
  const { rsaId, ed25519, ntorKey, tapKey } = keys.value;
  return ok({ ...facts, rsaId, ed25519, familyIds, ntorKey, tapKey, digest: digest.value, text });
}

/** The facts, or the keyword that is missing or wrong. */
function readFacts(lines: readonly DocumentLine[], index: LineIndex): DescriptorFacts | string {
  const [nickname, host, orPortText, , dirPortText] = argumentsOf(lines[0]);
  const port = parsePort(orPortText ?? '');
  const dirPort = parsePort(dirPortText ?? '');
  if (!isNickname(nickname ?? '') || parseIpv4(host ?? '') === undefined) return 'router';
  if (port === undefined || port === 0 || dirPort === undefined) return 'router';
  const publishedMs = parseDocumentTime(index.one('published')?.rest ?? '');
  if (publishedMs === undefined) return 'published';
  const protoLine = index.one('proto');
  if (protoLine === undefined || argumentsOf(protoLine).length === 0) return 'proto';
  const bandwidthLine = index.one('bandwidth');
  const [rate, burst, observed] = (bandwidthLine === undefined ? [] : argumentsOf(bandwidthLine)).map(
    parseCount,
  );
  if (rate === undefined || rate < 1 || burst === undefined || observed === undefined) return 'bandwidth';
  if (Math.max(rate, burst, observed) > bandwidthMax) return 'bandwidth';
  const uptimeLine = index.one('uptime');
  if (uptimeLine !== undefined && parseCount(argumentsOf(uptimeLine)[0]) === undefined) return 'uptime';
  const extraInfo = index.one('extra-info-digest');
  if (extraInfo !== undefined && argumentsOf(extraInfo).length === 0) return 'extra-info-digest';
  const exitPolicy = readPolicy(lines);
  if (typeof exitPolicy === 'string') return exitPolicy;
  const ipv6Line = index.one('ipv6-policy');
  const ipv6Policy = ipv6Line === undefined ? undefined : parsePortPolicy(ipv6Line.rest);
  if (ipv6Line !== undefined && ipv6Policy === undefined) return 'ipv6-policy';
  const priceLine = index.one('naulon-price');
  const price = priceLine === undefined ? undefined : parsePrice(priceLine.rest);
  if (priceLine !== undefined && price === undefined) return 'naulon-price';
  const familyLine = index.one('family');
  const family = familyLine === undefined ? [] : argumentsOf(familyLine);
  if (!family.every(isFamilyMember)) return 'family';
  return {
    nickname,
    address: { host, port },
    ipv6: index.all('or-address').flatMap(line => parseBracketedEndpoint(line.rest) ?? [])[0],
    dirPort,
    platform: index.one('platform')?.rest ?? '',
    // Of a list that makes no sense, or would fill a vote, nothing is believed.
    protocols:
      (protoLine.rest.length <= protoCharactersMax ? parseProtocols(protoLine.rest) : undefined) ?? new Map(),
    publishedMs,
    uptimeSeconds: parseCount(index.one('uptime')?.rest) ?? 0,
    bandwidth: { rate, burst, observed },
    exitPolicy,
    ipv6Policy,
    family,
    contact: index.one('contact')?.rest,
    servesDirectory: index.one('tunnelled-dir-server') !== undefined || dirPort !== 0,
    hibernating: index.one('hibernating')?.rest === '1',
    price,
  };
}

/** A nickname, or a fingerprint with perhaps a nickname behind it. */
export function isFamilyMember(text: string): boolean {
  return isNickname(text) || /^\$[0-9A-Fa-f]{40}([=~][A-Za-z0-9]{1,19})?$/.test(text);
}

/** The rules, or the keyword of one that is wrong: at least one must stand. Lines for IPv6 (`accept6`) are torrc's, not a descriptor's. */
function readPolicy(lines: readonly DocumentLine[]): readonly PolicyRule[] | string {
  const rules: PolicyRule[] = [];
  for (const line of lines) {
    if (line.keyword !== 'accept' && line.keyword !== 'reject') continue;
    const rule = parsePolicyRule(line.keyword, line.rest);
    if (rule === undefined || rules.length === rulesMax) return line.keyword;
    rules.push(rule);
  }
  return rules.length === 0 ? 'reject' : rules;
}

interface VerifiedKeys {
  readonly rsaKey: Uint8Array;
  readonly rsaId: Uint8Array;
  readonly ed25519: Uint8Array;
  readonly signing: Uint8Array;
  readonly ntorKey: Uint8Array;
  readonly tapKey: Uint8Array | undefined;
}

/** The keys, each vouched for: signing key by the Ed25519 identity, that by both onion keys. */
function verifyKeys(index: LineIndex, wallMs: number): Result<VerifiedKeys, DescriptorFault> {
  const rsaKey = objectOf(index, 'signing-key', 'RSA PUBLIC KEY');
  if (rsaKey === undefined || rsaModulus(rsaKey)?.bits !== 1024) return bad('signing-key');
  const rsaId = sha1(rsaKey);
  const certBytes = objectOf(index, 'identity-ed25519', 'ED25519 CERT');
  if (certBytes === undefined) return bad('identity-ed25519');
  const cert = verifyEd25519Cert(certBytes, { type: certType.identityToSigning, wallMs });
  if (!cert.ok) return forged(`identity-ed25519: ${cert.fault.code}`);
  const ed25519 = cert.value.signer;
  const master = fromBase64(index.one('master-key-ed25519')?.rest ?? '');
  if (ed25519 === undefined || master === undefined || !equalBytes(master, ed25519))
    return bad('master-key-ed25519');
  const ntorKey = fromBase64(index.one('ntor-onion-key')?.rest ?? '');
  if (ntorKey?.length !== 32) return bad('ntor-onion-key');
  const crossLine = index.one('ntor-onion-key-crosscert');
  const crossBytes = objectOf(index, 'ntor-onion-key-crosscert', 'ED25519 CERT');
  if (crossBytes === undefined || (crossLine?.rest !== '0' && crossLine?.rest !== '1'))
    return bad('ntor-onion-key-crosscert');
  const cross = verifyNtorCrossCert(crossBytes, ntorKey, crossLine.rest === '1' ? 1 : 0, wallMs);
  if (!cross.ok || !equalBytes(cross.value.certifiedKey, ed25519)) return forged('ntor-onion-key-crosscert');
  const tap = verifyTapKey(index, concatBytes(rsaId, ed25519));
  if (!tap.ok) return tap;
  return ok({ rsaKey, rsaId, ed25519, signing: cert.value.certifiedKey, ntorKey, tapKey: tap.value });
}

/** The key of the retired TAP handshake may be absent, but not unproven. */
function verifyTapKey(index: LineIndex, signed: Uint8Array): Result<Uint8Array | undefined, DescriptorFault> {
  if (index.one('onion-key') === undefined && index.one('onion-key-crosscert') === undefined)
    return ok(undefined);
  const key = objectOf(index, 'onion-key', 'RSA PUBLIC KEY');
  const proof = objectOf(index, 'onion-key-crosscert', 'CROSSCERT');
  if (key === undefined || rsaModulus(key)?.bits !== 1024 || proof === undefined) return bad('onion-key');
  return rsaVerifyDigest(key, signed, proof) ? ok(key) : forged('onion-key-crosscert');
}

/**
 * Undefined: one of its certificates is not by a family's key, or not for this relay. Whether it has expired
 * does not count, as C tor has it. spec: proposal 321 (family-cert)
 */
function provenFamilies(index: LineIndex, ed25519: Uint8Array): readonly string[] | undefined {
  const ids = new Set<string>();
  for (const { object } of index.all('family-cert')) {
    if (object?.label !== 'FAMILY CERT') return undefined;
    const cert = verifyEd25519Cert(object.bytes, { type: certType.family, wallMs: 0 });
    if (!cert.ok || cert.value.signer === undefined) return undefined;
    if (!equalBytes(cert.value.certifiedKey, ed25519)) return undefined;
    ids.add(`ed25519:${toBase64(cert.value.signer)}`);
  }
  return [...ids].sort();
}

function verifySignatures(
  text: string,
  lines: readonly DocumentLine[],
  keys: VerifiedKeys,
): Result<Uint8Array, DescriptorFault> {
  const edLine = lines[lines.length - 2];
  const rsaLine = lines[lines.length - 1];
  const edSignature = fromBase64(edLine.rest);
  const rsaSignature = rsaLine.object?.label === 'SIGNATURE' ? rsaLine.object.bytes : undefined;
  if (edSignature?.length !== 64) return bad('router-sig-ed25519');
  if (rsaSignature === undefined) return bad('router-signature');
  const edText = edSignaturePrefix + text.slice(0, edLine.start + 'router-sig-ed25519 '.length);
  if (!ed25519Verify(keys.signing, sha256(documentBytes(edText)), edSignature))
    return forged('router-sig-ed25519');
  const digest = sha1(documentBytes(text.slice(0, rsaLine.lineEnd)));
  return rsaVerifyDigest(keys.rsaKey, digest, rsaSignature) ? ok(digest) : forged('router-signature');
}

function objectOf(index: LineIndex, keyword: string, label: string): Uint8Array | undefined {
  const object = index.one(keyword)?.object;
  return object?.label === label ? object.bytes : undefined;
}

/** Cuts descriptors that follow each other; an extra-info document or annotations between them are left out. */
export function splitDescriptors(text: string, countMax: number): string[] {
  const pieces: string[] = [];
  const tail = '\n-----END SIGNATURE-----\n';
  let at = text.startsWith('router ') ? 0 : text.indexOf('\nrouter ') + 1;
  if (at === 0 && !text.startsWith('router ')) return pieces;
  while (pieces.length < countMax) {
    const signature = text.indexOf('\nrouter-signature\n', at);
    const end = signature < 0 ? -1 : text.indexOf(tail, signature);
    if (end < 0) break;
    pieces.push(text.slice(at, end + tail.length));
    if (text.startsWith('router ', end + tail.length)) at = end + tail.length;
    else {
      const next = text.indexOf('\nrouter ', end + tail.length - 1);
      if (next < 0) break;
      at = next + 1;
    }
  }
  return pieces;
}
