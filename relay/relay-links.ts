import { parseIp } from '../src/base/ip.ts';
import { queuedCellBytes } from '../src/base/limits.ts';
import type { NodeKeys } from '../src/crypto/node-keys.ts';
import { makeLinkIdentity } from '../src/link/link-certificates.ts';
import { LinkMux, type LinkUser } from '../src/link/link-mux.ts';
import { RateLimitedLinks } from '../src/link/rate-limited-links.ts';
import type { Clock, Endpoint, LinkId, LinkPort } from '../src/ports.ts';
import { isPrivateAddress } from './exit-policy.ts';
import type { RelayPorts } from './relay-ports.ts';
import { type RelaySettings, unlimitedRate } from './relay-settings.ts';

/** Undefined: the relay has no limit, and nothing stands between it and its links. */
export function limitedLinks(
  settings: RelaySettings,
  links: LinkPort,
  clock: Clock,
): RateLimitedLinks | undefined {
  const { bandwidthRate: rate, bandwidthBurst: burst, countsPrivate } = settings;
  if (rate >= unlimitedRate) return undefined;
  const counts = ({ host }: Endpoint): boolean => {
    const ip = parseIp(host);
    return countsPrivate || ip === undefined || !isPrivateAddress(ip);
  };
  return new RateLimitedLinks(links, clock, { rate, burst, counts });
}

/** Cells on them are for `core`. */
export function relayLinks(
  core: LinkUser & { readonly settings: RelaySettings },
  port: LinkPort,
  keys: NodeKeys,
  { clock, entropy, observer }: RelayPorts,
): RelayLinks {
  const { address, ipv6, linkProtocols, queueBytesMax } = core.settings;
  return new RelayLinks({
    port,
    clock,
    entropy,
    observer,
    identity: makeLinkIdentity(keys, () => clock.wallMs()),
    protocols: linkProtocols,
    ownAddresses: [address.host, ...(ipv6 === undefined ? [] : [ipv6.host])],
    user: core,
    queueCellsMax: Math.floor(queueBytesMax / queuedCellBytes),
  });
}

/** The links of a relay, with the addresses that others connected from. */
export class RelayLinks extends LinkMux {
  #addresses = new Map<LinkId, string>();
  /** Set once: ends the circuits of a link that serves nobody. False: there is none. */
  emptyOne: () => boolean = () => false;

  override onAccepted(link: LinkId, from: Endpoint): void {
    super.onAccepted(link, from);
    if (this.has(link)) this.#addresses.set(link, from.host);
  }

  /** Links without circuits go first. */
  protected override makeRoom(): boolean {
    return super.makeRoom() || (this.emptyOne() && super.makeRoom());
  }

  /** A name for whoever is at the other end; links that we opened have none but their own. */
  addressOf(link: LinkId): string {
    return this.#addresses.get(link) ?? `link ${link}`;
  }

  forgetAddress(link: LinkId): void {
    this.#addresses.delete(link);
  }
}
