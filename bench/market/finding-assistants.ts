import { SigningKey } from '../../src/crypto/ecdsa.ts';
import { placeBytes } from '../../src/schemes/cpay/messages.ts';
import { Ring } from '../../src/schemes/cpay/ring.ts';
import { SeededEntropy } from '../../src/sim/seeded-entropy.ts';
import { World } from '../../src/sim/world.ts';
import { Meter } from './meter.ts';
import type { SchemeSubject } from './subjects.ts';

const assistantsCount = 1_000;
const lookUps = 2_000;
const group = 3;

/** What it costs to find by consistent hashing who assists whom, among so many; nothing for systems without assistants. */
export function findingAssistants({ scheme, variant }: SchemeSubject): Readonly<Record<string, number>> {
  if (scheme?.name !== 'cpay') return {};
  const entropy = new SeededEntropy('finding assistants');
  const at = { host: '10.0.0.1', port: 80 };
  const keys = Array.from({ length: assistantsCount }, () => SigningKey.fresh(entropy).publicKey);
  const broker = { endpoint: at, key: keys[0] };
  const assistants = keys
    .map(key => ({ key, at, place: entropy.bytes(placeBytes) }))
    .sort((a, b) => Buffer.compare(a.place, b.place));
  const ring = new Ring({ since: 0, assistants }, broker);
  const coins = keys.map(holder => ({
    holder,
    guid: entropy.bytes(16),
    assistants: variant === 'group' ? group : 1,
  }));
  const look = (): void => {
    for (let i = 0; i < lookUps; i++) {
      const coin = coins[i % coins.length];
      ring.assistantsOf(coin, coin.holder);
    }
  };
  look();
  const meter = new Meter(new World({ seed: 0 }));
  try {
    meter.within('finder', look);
  } finally {
    meter.stop();
  }
  const { hashes, cpuMs } = meter.of('finder');
  return {
    'hashes to find an assistant': hashes / lookUps,
    'CPU to find an assistant': (cpuMs * 1_000) / lookUps,
  };
}
