import { toBase64 } from '../../src/base/bytes.ts';
import { sha256 } from '../../src/crypto/sha.ts';
import { documentBytes } from '../../src/directory/document-lines.ts';
import type { TestAuthority } from '../../src/directory/small-network.fixture.ts';
import {
  anyDocument,
  type DocumentTwin,
  eachLine,
  lines,
  timeShifted,
  twin,
  unsigned,
} from './document-edits.fixture.ts';
import {
  before,
  moved,
  objectOf,
  signCertificate,
  signConsensus,
  signVote,
  twice,
  without,
} from './document-text.fixture.ts';

/** What authorities say of their keys, of relays in short, and to each other, right and wrong. */

/** Of an authority's key certificate. */
export function certificateTwins(text: string): readonly DocumentTwin[] {
  return [
    ...anyDocument('dir-key-published'),
    ...eachLine(text, 'dir-key-certification'),
    ...lines('dir-key-certificate-version', [
      'dir-key-certificate-version',
      'dir-key-certificate-version 2',
      'dir-key-certificate-version 4',
      'dir-key-certificate-version 3 more',
    ]),
    ...lines('fingerprint', [
      'fingerprint',
      `fingerprint ${'0'.repeat(40)}`,
      'fingerprint 00',
      `fingerprint ${'z'.repeat(40)}`,
    ]),
    ...lines('dir-key-published', [
      'dir-key-published',
      'dir-key-published soon',
      'dir-key-published 2026-02-30 00:00:00',
    ]),
    ...lines('dir-key-expires', [
      'dir-key-expires',
      'dir-key-expires never',
      'dir-key-expires 2026-02-30 00:00:00',
    ]),
    twin('published in two days', timeShifted('dir-key-published', 2)),
    twin('expired yesterday', timeShifted('dir-key-expires', -91)),
    twin('with a dir-address', before('dir-key-published', 'dir-address 127.0.0.1:80')),
    twin('with a dir-address of nonsense', before('dir-key-published', 'dir-address nowhere')),
    twin('with a dir-address at port 0', before('dir-key-published', 'dir-address 127.0.0.1:0')),
    ...['dir-identity-key', 'dir-signing-key', 'dir-key-crosscert'].flatMap(keyword => [
      twin(
        `with a ${keyword} without its object`,
        objectOf(keyword, () => ''),
      ),
      twin(
        `with a ${keyword} of bad base64`,
        objectOf(keyword, text => text.replace(/\n../, '\n!!')),
      ),
      twin(
        `with a ${keyword} cut short`,
        objectOf(keyword, text => text.replace(/\n[^-\n]{64}\n/, '\n')),
      ),
      twin(
        `with a ${keyword} of another label`,
        objectOf(keyword, text => text.replace(/(BEGIN|END) [A-Z ]+/g, '$1 THING')),
      ),
    ]),
    twin(
      'with a crosscert that is a SIGNATURE',
      objectOf('dir-key-crosscert', text => text.replaceAll('ID SIGNATURE', 'SIGNATURE')),
    ),
    twin('with another identity key', text =>
      objectOf('dir-identity-key', () => keyOf(text, 'dir-signing-key'))(text),
    ),
    twin('with its identity key to sign with', text =>
      objectOf('dir-signing-key', () => keyOf(text, 'dir-identity-key'))(text),
    ),
    twin('with the fingerprint last', moved('fingerprint', 'dir-key-certification')),
    twin('with the version second', moved('fingerprint', 'dir-key-certificate-version')),
    unsigned('without dir-key-certification', without('dir-key-certification')),
    unsigned('with dir-key-certification twice', twice('dir-key-certification')),
    unsigned('with a wrong certification', text => text.replace(/(-----BEGIN SIGNATURE-----\n)./, '$1/')),
    unsigned('twice', text => text + text),
  ];
}

function keyOf(text: string, keyword: string): string {
  return (
    new RegExp(`^${keyword}\\n(-----BEGIN[\\s\\S]*?-----END [A-Z ]+-----\\n)`, 'm').exec(text)?.[1] ?? ''
  );
}

export function certificateOf(
  { certificate, identity }: TestAuthority,
  { edit, signed }: DocumentTwin,
): string {
  const text = edit(certificate.text);
  return signed ? signCertificate(text, identity) : text;
}

/** Of each microdescriptor of a consensus. */
export function microdescriptorTwins(text: string): readonly DocumentTwin[] {
  return [
    ...anyDocument('ntor-onion-key'),
    ...eachLine(text),
    ...lines('onion-key', ['onion-key more', 'onion-key  ', 'Onion-key']),
    ...lines('ntor-onion-key', [
      'ntor-onion-key',
      'ntor-onion-key AAAA',
      'ntor-onion-key !!!!',
      `ntor-onion-key ${'A'.repeat(43)}`,
      `ntor-onion-key ${'A'.repeat(43)}=`,
      `ntor-onion-key ${'B'.repeat(43)} more`,
    ]),
    ...lines('id', [
      'id',
      'id ed25519',
      'id ed25519 AAAA',
      'id rsa1024 AAAA',
      `id ed25519 ${'A'.repeat(43)}`,
      'id other AAAA',
    ]),
    ...lines('p', [
      'p',
      'p accept',
      'p maybe 80',
      'p accept 80-',
      'p accept 0',
      'p accept 99999',
      'p reject 1-65535',
      'p accept 90-80',
    ]),
    ...[
      'p6 accept 80',
      'p6',
      'p6 maybe 80',
      'a [::1]:80',
      'a 127.0.0.1:80',
      'a nowhere',
      'a [::1]:0',
      'family',
      'family $00',
      'family !!!',
    ].map(line => twin(`with the line: ${line}`, before('id', line))),
    twin('with p6 twice', before('id', 'p6 accept 80\np6 accept 81')),
    twin('with family twice', before('id', 'family $00\nfamily $11')),
    twin('with id first', moved('id', 'onion-key')),
    twin('with an onion-key of bad base64', text =>
      text.replace(
        /^onion-key\n/,
        'onion-key\n-----BEGIN RSA PUBLIC KEY-----\n!!!!\n-----END RSA PUBLIC KEY-----\n',
      ),
    ),
    twin('with an onion-key of another label', text =>
      text.replace(/^onion-key\n/, 'onion-key\n-----BEGIN THING-----\nAAAA\n-----END THING-----\n'),
    ),
  ];
}

/** A consensus that lists these microdescriptors in place of its own. */
export function consensusListing(
  consensus: string,
  own: readonly string[],
  others: readonly string[],
  { signing, identity }: TestAuthority,
): string {
  const digest = (text: string) => toBase64(sha256(documentBytes(text)));
  const listed = own.reduce(
    (text, each, at) => text.replace(`\nm ${digest(each)}\n`, `\nm ${digest(others[at])}\n`),
    consensus,
  );
  return signConsensus(listed, signing, identity.fingerprint);
}

/** Of a vote. */
export function voteTwins(text: string): readonly DocumentTwin[] {
  return [
    ...anyDocument('voting-delay'),
    ...eachLine(text, 'directory-signature'),
    ...lines('network-status-version', [
      'network-status-version 2',
      'network-status-version 4',
      'network-status-version 3 microdesc',
    ]),
    ...lines('vote-status', ['vote-status consensus', 'vote-status', 'vote-status vote more']),
    ...lines('consensus-methods', [
      'consensus-methods',
      'consensus-methods 1',
      'consensus-methods x',
      'consensus-methods 32 99',
    ]),
    ...lines('published', ['published', 'published soon', 'published 2026-02-30 00:00:00']),
    ...lines('valid-after', ['valid-after soon', 'valid-after 2026-02-30 00:00:00']),
    twin('valid after tomorrow', timeShifted('valid-after', 1)),
    twin('of yesterday', text =>
      ['valid-after', 'fresh-until', 'valid-until'].reduce((made, each) => timeShifted(each, -1)(made), text),
    ),
    twin('fresh until yesterday', timeShifted('fresh-until', -1)),
    twin('valid until yesterday', timeShifted('valid-until', -1)),
    ...lines('voting-delay', ['voting-delay', 'voting-delay 2', 'voting-delay x y', 'voting-delay -1 2']),
    ...lines('known-flags', ['known-flags', 'known-flags Running', 'known-flags Valid Running Authority']),
    ...lines('dir-source', [
      'dir-source',
      'dir-source falseauth',
      `dir-source falseauth ${'0'.repeat(40)} 127.0.0.1 127.0.0.1 80 81`,
      `dir-source falseauth ${'z'.repeat(40)} 127.0.0.1 127.0.0.1 80 81`,
    ]),
    ...['params a=1 a=2', 'params b=1 a=2', 'params a', 'params a=x', 'params a=2147483648'].map(line =>
      twin(`with the line: ${line}`, text => before('dir-source', line)(without('params')(text))),
    ),
    ...lines('r', ['r relay', 'r !!! AAAA AAAA 2026-01-01 00:00:00 127.0.0.1 80 0']),
    ...lines('s', ['s', 's Unheard', 's Running Running']),
    ...lines('w', ['w', 'w Bandwidth=x', 'w Bandwidth=-1', 'w Other=1']),
    ...lines('id', ['id', 'id ed25519', 'id ed25519 AAAA', 'id ed25519 none']),
    ...lines('pr', ['pr', 'pr Link', 'pr Link=5-3']),
    ...lines('m', ['m', 'm 33', 'm 33 sha256=AAAA', 'm x sha256=AAAA']),
    twin('with a router twice', text => text.replace(/^(r [\s\S]*?\n)(?=r )/m, '$1$1')),
    twin('with routers in another order', text =>
      text.replace(/^(r [\s\S]*?\n)(r [\s\S]*?\n)(?=r |directory-footer)/m, '$2$1'),
    ),
    twin('with no router', text => text.replace(/^r [\s\S]*?(?=^directory-footer)/m, '')),
    twin('without its certificate', text =>
      text.replace(/^dir-key-certificate-version [\s\S]*?-----END SIGNATURE-----\n/m, ''),
    ),
    twin('with a certificate that was changed', text =>
      text.replace(/^dir-key-published .*$/m, 'dir-key-published 2020-01-01 00:00:00'),
    ),
    unsigned('with a wrong signature', text =>
      text.replace(/(directory-signature [^\n]*\n-----BEGIN SIGNATURE-----\n)./, '$1/'),
    ),
    unsigned('without a signature', without('directory-signature')),
    unsigned('with its signature twice', twice('directory-signature')),
    unsigned('signed by another authority', text =>
      text.replace(/(directory-signature )[0-9A-F]{40}/, `$1${'0'.repeat(40)}`),
    ),
    unsigned('signed by another key', text =>
      text.replace(/(directory-signature [0-9A-F]{40} )[0-9A-F]{40}/, `$1${'0'.repeat(40)}`),
    ),
    unsigned('signed by an unknown algorithm', text =>
      text.replace('directory-signature ', 'directory-signature sha999 '),
    ),
  ];
}

export function voteOf(
  text: string,
  { signing, identity }: TestAuthority,
  { edit, signed }: DocumentTwin,
): string {
  const edited = edit(text);
  return signed ? signVote(edited, signing, identity.fingerprint) : edited;
}
