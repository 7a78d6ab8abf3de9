import { parseArgs } from 'node:util';
import { readRelayConfig } from '../relay/config.ts';
import { relayMain } from '../relay/main.ts';
import { main } from '../scripts/cli.ts';
import { SystemClock } from '../src/node-io/system-clock.ts';
import { TlsLinks } from '../src/node-io/tls-links.ts';
import { ShapedLinks } from './shaped-links.ts';
import type { PathShape } from './shaped-path.ts';

/**
 * The program that the nodes of an emulated wide-area network are run by: ./naulon, but for relays, whose links are shaped.
 * @param shapeOf by the relay's nickname.
 */
export async function runShapedNode(
  words: readonly string[],
  shapeOf: (nickname: string) => PathShape,
): Promise<void> {
  const [role, ...args] = words;
  if (role !== 'relay') return main(words);
  const { values } = parseArgs({
    args,
    options: { f: { type: 'string', short: 'f' }, pay: { type: 'string' } },
  });
  const torrc = values.f ?? '';
  const shape = shapeOf(readRelayConfig(torrc, values.pay).settings.nickname);
  const clock = new SystemClock();
  await relayMain(torrc, values.pay, {
    newLinks: identity => new ShapedLinks(new TlsLinks(identity), clock, shape),
  });
  clock.stop();
}
