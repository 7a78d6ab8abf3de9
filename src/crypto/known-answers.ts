import { equalBytes, fromHex, toHex, utf8 } from '../base/bytes.ts';
import { AesCtr } from './aes-ctr.ts';
import { Ed25519Key } from './ed25519.ts';
import { RunningDigest } from './running-digest.ts';
import { hmacSha256, sha1, sha256 } from './sha.ts';
import { X25519KeyPair, x25519Peer } from './x25519.ts';

const hex = (text: string): Uint8Array => fromHex(text) ?? new Uint8Array(0);

/** Each primitive against a published answer; the name of the source stands beside it. */
const answers: readonly (readonly [name: string, compute: () => string | undefined, answer: string])[] = [
  ['SHA-1 (FIPS 180)', () => toHex(sha1(utf8('abc'))), 'a9993e364706816aba3e25717850c26c9cd0d89d'],
  [
    'SHA-256 (FIPS 180)',
    () => toHex(sha256(utf8('abc'))),
    'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
  ],
  [
    'HMAC-SHA-256 (RFC 4231, 2)',
    () => toHex(hmacSha256(utf8('Jefe'), utf8('what do ya want for nothing?'))),
    '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
  ],
  [
    'AES-128-CTR (SP 800-38A, F.5.1)',
    aesCtrAnswer,
    '874d6191b620e3261bef6864990db6ce9806f66b7970fdff8617187bb9fffdff',
  ],
  [
    'X25519 (RFC 7748, 5.2)',
    () => {
      const secret = hex('a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4');
      const point = hex('e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c');
      const shared = new X25519KeyPair(secret).shared(x25519Peer(point));
      return shared && toHex(shared);
    },
    'c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552',
  ],
  [
    'Ed25519 (RFC 8032, 7.1, 1)',
    () => {
      const key = new Ed25519Key(hex('9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60'));
      return toHex(key.sign(new Uint8Array(0)));
    },
    'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
  ],
  ['running digest', runningDigestAnswer, toHex(sha1(utf8('abc')))],
];

function aesCtrAnswer(): string {
  const counter = hex('f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff');
  const bytes = hex('6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51');
  const cipher = new AesCtr(hex('2b7e151628aed2a6abf7158809cf4f3c'), counter);
  cipher.apply(bytes, 0, 5);
  cipher.apply(bytes, 5, bytes.length - 5);
  return toHex(bytes);
}

function runningDigestAnswer(): string {
  const digest = new RunningDigest(utf8('a'));
  digest.addIf(utf8('x'), 0);
  // The first bytes of SHA-1 of "ab", and of "abc".
  digest.addIf(utf8('b'), 0xda23614e);
  digest.addIf(utf8('c'), 0xa9993e36);
  return toHex(digest.peek());
}

/** Names of the primitives that answer wrongly on this machine: none, or the node must not start. */
export function wrongAnswers(): readonly string[] {
  return answers
    .filter(([, compute, answer]) => !equalBytes(utf8(compute() ?? ''), utf8(answer)))
    .map(([name]) => name);
}
