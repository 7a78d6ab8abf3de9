import { assert } from '../base/assert.ts';
import { rsaKeys } from './vectors/rsa-keys.ts';

export type RsaFixture = keyof typeof rsaKeys;

/** The `index`th private key of its kind as PKCS8 PEM. Only identity keys must differ between the nodes of a world. */
export function rsaFixture(kind: RsaFixture, index: number): string {
  const keys = rsaKeys[kind];
  assert(index < keys.length, `there are ${keys.length} ${kind} keys`);
  const lines = keys[index].match(/.{1,64}/g) ?? [];
  return `-----BEGIN PRIVATE KEY-----\n${lines.join('\n')}\n-----END PRIVATE KEY-----\n`;
}
