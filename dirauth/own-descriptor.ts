import { assert } from '../src/base/assert.ts';
import type { NodeKeys } from '../src/crypto/node-keys.ts';
import { rejectEverything } from '../src/directory/address-policy.ts';
import { buildServerDescriptor } from '../src/directory/descriptor.ts';
import { parseProtocols } from '../src/directory/protocols.ts';

/** The authority's own descriptor: it is asked for, though no consensus lists it. */
export function describeAuthority(
  keys: NodeKeys,
  authority: {
    readonly nickname: string;
    readonly address: string;
    readonly orPort: number;
    readonly dirPort: number;
    readonly contact: string | undefined;
    readonly platform: string;
  },
  wallMs: number,
): string {
  const { nickname, address, orPort, dirPort, contact, platform } = authority;
  const protocols = parseProtocols(
    'Cons=2 Desc=2 DirCache=2 FlowCtrl=1 Link=3-5 LinkAuth=3 Microdesc=2 Relay=2',
  );
  assert(protocols !== undefined, 'our own protocol list is well formed');
  return buildServerDescriptor(keys, {
    nickname,
    address: { host: address, port: orPort },
    ipv6: undefined,
    dirPort,
    platform,
    protocols,
    publishedMs: wallMs,
    uptimeSeconds: 0,
    bandwidth: { rate: 1_000_000, burst: 1_000_000, observed: 1_000_000 },
    exitPolicy: [rejectEverything],
    ipv6Policy: undefined,
    family: [],
    contact,
    servesDirectory: true,
    hibernating: false,
    price: undefined,
  });
}
