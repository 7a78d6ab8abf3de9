import { readDocuments } from './captured-texts.fixture.ts';
import {
  anyDocument,
  type DocumentTwin,
  eachLine,
  lines,
  timeShifted,
  twin,
  unsigned,
} from './document-edits.fixture.ts';
import { before, moved, objectOf, twice, without } from './document-text.fixture.ts';

/** Documents that differ from captured ones, by what is wrong with them. */

const { texts } = readDocuments();
const nowhere = 'MCwwDQYJKoZIhvcNAQEB';

export const descriptorTwins: readonly DocumentTwin[] = [
  ...anyDocument('uptime'),
  ...eachLine(texts['server-descriptor'], 'router-sig-ed25519', 'router-signature'),
  ...lines('router', [
    'router tor1 127.0.0.1 5001 0',
    'router tor1 127.0.0.1 5001 0 0 0',
    'router tor1tor1tor1tor1tor1 127.0.0.1 5001 0 0',
    'router tor_1 127.0.0.1 5001 0 0',
    'router tor1 256.0.0.1 5001 0 0',
    'router tor1 127.0.0.01 5001 0 0',
    'router tor1 ::1 5001 0 0',
    'router tor1 localhost 5001 0 0',
    'router tor1 127.0.0.1 0 0 0',
    'router tor1 127.0.0.1 65536 0 0',
    'router tor1 127.0.0.1 5001x 0 0',
    'router tor1 127.0.0.1 5001 0 65536',
    'router tor1 127.0.0.1 5001 9 0',
    'router  tor1  127.0.0.1  5001  0  0',
  ]),
  ...lines('published', [
    'published 2026-02-30 00:00:00',
    'published 2026-11-21',
    'published yesterday',
    'published 2026-11-21 25:00:00',
    'published 2026-11-21 10:00:61',
  ]),
  twin('published two days ago', timeShifted('published', -2)),
  twin('published in two days', timeShifted('published', 2)),
  ...lines('bandwidth', [
    'bandwidth 0 0 0',
    'bandwidth 1000 1000',
    'bandwidth -1 1000 1000',
    'bandwidth many 1000 1000',
    'bandwidth 1 2 3 4',
    'bandwidth 99999999999 99999999999 1',
  ]),
  ...lines('proto', [
    'proto',
    'proto Link',
    'proto Link=',
    'proto Link=5-3',
    'proto Link=1-99999999999',
    'proto Link=4 Link=5',
    'proto Naulon=1-2,9',
    'proto link=3 _=1',
  ]),
  ...lines('platform', ['platform Tor 0.2.9.1 on Linux', 'platform naulon 1.0 on Node', 'platform']),
  ...lines('uptime', ['uptime -1', 'uptime long', 'uptime']),
  ...lines('fingerprint', [
    'fingerprint',
    'fingerprint 0000 0000 0000 0000 0000 0000 0000 0000 0000 0000',
    'fingerprint 0000',
  ]),
  ...lines('reject', [
    'reject *:0',
    'reject *:1-99999',
    'reject *',
    'reject 10.0.0.0/33:*',
    'reject [::]/0:*',
    'accept *:*',
    'accept 1.2.3.4:80\nreject *:*',
    'reject everything',
  ]),
  ...lines('ntor-onion-key', ['ntor-onion-key', 'ntor-onion-key AAAA', 'ntor-onion-key !!!!']),
  ...lines('ntor-onion-key-crosscert', [
    'ntor-onion-key-crosscert',
    'ntor-onion-key-crosscert 2',
    'ntor-onion-key-crosscert x',
  ]),
  ...lines('master-key-ed25519', [
    'master-key-ed25519',
    'master-key-ed25519 AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA',
  ]),
  ...lines('extra-info-digest', ['extra-info-digest', 'extra-info-digest 00']),
  twin('with hibernating 2', before('uptime', 'hibernating 2')),
  twin('with hibernating twice', before('uptime', 'hibernating 1\nhibernating 0')),
  twin('with a family of nonsense', before('uptime', 'family !!! $00')),
  twin('with family twice', before('uptime', 'family $00\nfamily $11')),
  twin('with an or-address of nonsense', before('uptime', 'or-address nowhere')),
  twin('with an or-address at port 0', before('uptime', 'or-address [::1]:0')),
  twin('with an ipv6-policy of nonsense', before('uptime', 'ipv6-policy perhaps 80')),
  twin('with an ipv6-policy', before('uptime', 'ipv6-policy accept 80,443')),
  twin('with bridge-distribution-request', before('uptime', 'bridge-distribution-request any')),
  twin(
    'with an onion-key of bad base64',
    objectOf('onion-key', text => text.replace('MI', '!!')),
  ),
  twin(
    'with an onion-key cut short',
    objectOf('onion-key', () => `-----BEGIN RSA PUBLIC KEY-----\n${nowhere}\n-----END RSA PUBLIC KEY-----\n`),
  ),
  twin(
    'with an onion-key of another label',
    objectOf('onion-key', text => text.replaceAll('RSA PUBLIC KEY', 'PUBLIC KEY')),
  ),
  twin(
    'with an onion-key without its object',
    objectOf('onion-key', () => ''),
  ),
  twin('with another onion-key', text =>
    objectOf('onion-key', () => /signing-key\n([^:]*?END RSA PUBLIC KEY-----\n)/.exec(text)?.[1] ?? '')(text),
  ),
  twin('with identity-ed25519 third', moved('master-key-ed25519', 'identity-ed25519')),
  twin('with platform last of all', moved('platform', 'router-sig-ed25519')),
  twin('with published before platform', moved('published', 'platform')),
  twin(
    'of 21,000 characters',
    before(
      'uptime',
      Array(300)
        .fill(`naulon-unknown ${'y'.repeat(50)}`)
        .join('\n'),
    ),
  ),
  unsigned('with a wrong Ed25519 signature', text => text.replace(/^(router-sig-ed25519 )./m, '$1/')),
  unsigned('with a wrong RSA signature', text =>
    text.replace(/(router-signature\n-----BEGIN SIGNATURE-----\n)./, '$1/'),
  ),
  unsigned('without router-sig-ed25519', without('router-sig-ed25519')),
  unsigned('without router-signature', without('router-signature')),
  unsigned('with router-signature twice', twice('router-signature')),
  unsigned('with router-sig-ed25519 twice', twice('router-sig-ed25519')),
  unsigned('with its signatures the other way round', moved('router-signature', 'router-sig-ed25519')),
  unsigned('signed with another label', text => text.replaceAll(' SIGNATURE-----', ' MESSAGE-----')),
];

/** A consensus of flavour microdesc. */
export const consensusTwins: readonly DocumentTwin[] = [
  ...anyDocument('voting-delay'),
  ...eachLine(texts['consensus-microdesc'], 'directory-signature'),
  ...lines('network-status-version', [
    'network-status-version 4 microdesc',
    'network-status-version 3',
    'network-status-version 3 other',
    'network-status-version 3 microdesc more',
  ]),
  ...lines('vote-status', ['vote-status vote', 'vote-status', 'vote-status consensus more']),
  ...lines('consensus-method', ['consensus-method 1', 'consensus-method 99', 'consensus-method x']),
  ...lines('valid-after', ['valid-after 2026-02-30 00:00:00', 'valid-after soon']),
  twin('valid after it is fresh', timeShifted('valid-after', 1)),
  twin('fresh until before it is valid', timeShifted('fresh-until', -1)),
  twin('valid until before it is fresh', timeShifted('valid-until', -1)),
  ...lines('voting-delay', ['voting-delay 2', 'voting-delay 0 0', 'voting-delay -1 2', 'voting-delay x y']),
  ...lines('known-flags', [
    'known-flags',
    'known-flags Running Authority Valid',
    'known-flags Running Running',
  ]),
  ...[
    'params',
    'params b=1 a=2',
    'params a=1 a=2',
    'params a',
    'params a=x',
    'params a=2147483648',
    'params a=-1',
    'params circwindow=0',
    'params a=1 b=1=2',
  ].map(line => twin(`with the line: ${line}`, before('dir-source', line))),
  twin('with params twice', before('dir-source', 'params a=1\nparams b=1')),
  ...lines('m', ['m', 'm AAAA', 'm !!!!', 'm AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA']),
  ...lines('s', ['s', 's Running', 's Valid Running', 's Running Unheard Valid', 's Running Running Valid']),
  ...lines('pr', ['pr', 'pr Link', 'pr Link=5-3', 'pr Naulon=1']),
  ...lines('v', ['v', 'v naulon 1.0', 'v Tor 0.0.1']),
  ...lines('w', [
    'w',
    'w Bandwidth=0',
    'w Bandwidth=-1',
    'w Bandwidth=x',
    'w Bandwidth=5 Unmeasured=1',
    'w Other=1',
    'w Bandwidth',
  ]),
  ...lines('bandwidth-weights', [
    'bandwidth-weights',
    'bandwidth-weights Wbd=x',
    'bandwidth-weights Wbd=10001',
    'bandwidth-weights Wbd=-1',
  ]),
  twin('with a router that has no port', text => text.replace(/^(r \S+ \S+ \S+ \S+ \S+) \d+ /m, '$1 0 ')),
  twin('with a router at port 65536', text => text.replace(/^(r \S+ \S+ \S+ \S+ \S+) \d+ /m, '$1 65536 ')),
  twin('with a router at no address', text => text.replace(/^(r \S+ \S+ \S+ \S+) \S+ /m, '$1 300.0.0.1 ')),
  twin('with a router line cut short', text => text.replace(/^(r \S+ \S+).*$/m, '$1')),
  twin('with a router whose name is too long', text =>
    text.replace(/^r \S+/m, 'r abcdefghijklmnopqrstuvwxyz'),
  ),
  twin('with a router whose identity is cut short', text => text.replace(/^(r \S+ \S{20})\S+/m, '$1')),
  twin('with a router published never', text =>
    text.replace(/^(r \S+ \S+) \S+ \S+/m, '$1 2026-02-30 00:00:00'),
  ),
  twin('with a router twice', text => text.replace(/^(r [\s\S]*?\n)(?=r )/m, '$1$1')),
  twin('with routers in another order', text =>
    text.replace(/^(r [\s\S]*?\n)(r [\s\S]*?\n)(?=r |directory-footer)/m, '$2$1'),
  ),
  twin('with no router', text => text.replace(/^r [\s\S]*?(?=^directory-footer)/m, '')),
  twin('with a footer before the routers', moved('directory-footer', 'r')),
  unsigned('with a wrong signature', text => text.replace(/(-----BEGIN SIGNATURE-----\n)./, '$1/')),
  unsigned('without a signature', without('directory-signature')),
  unsigned('with its signature twice', twice('directory-signature')),
  unsigned('signed by an unknown algorithm', text =>
    text.replace('directory-signature sha256', 'directory-signature sha999'),
  ),
  unsigned('signed by another authority', text =>
    text.replace(/(directory-signature sha256 )[0-9A-F]{40}/, `$1${'0'.repeat(40)}`),
  ),
  unsigned('signed by another key', text =>
    text.replace(/(directory-signature sha256 [0-9A-F]{40} )[0-9A-F]{40}/, `$1${'0'.repeat(40)}`),
  ),
];
