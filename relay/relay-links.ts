import { parseIp } from '../src/base/ip.ts';
import { LinkMux } from '../src/link/link-mux.ts';
import { RateLimitedLinks } from '../src/link/rate-limited-links.ts';
import type { Clock, Endpoint, LinkId, LinkPort } from '../src/ports.ts';
import { isPrivateAddress } from './exit-policy.ts';
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
