import { setTimeout as pause } from 'node:timers/promises';
import { Assailant, hostileAddresses } from '../assailant.ts';
import { type Aim, type AttackReport, scaled, stopped } from '../attack.ts';

/** More than a relay holds. */
const linksMax = 4_500;
/** What one address may hold, and as many again. */
const eachMax = 200;
const addresses = 60;
/** Handshakes of one address that are under way at once. */
const atOnce = 2;
/** Faster, and the relay would refuse the address for that. */
const pauseMs = 150;

/** Links on which nothing is said once they are ready, from many addresses; what the relay ends is not opened again. */
export async function idleLinks(aim: Aim, stop: AbortSignal, begun: () => void): Promise<AttackReport> {
  const wanted = scaled(linksMax, aim);
  const holders = hostileAddresses(addresses).map(from => new Holder(from));
  let [opened, addressMost, most] = [0, 0, 0];
  const fill = async (holder: Holder): Promise<void> => {
    for (let tries = 0; tries < eachMax / atOnce && opened < wanted && !stop.aborted; tries++) {
      opened += 1;
      await Promise.all([holder.open(aim), pause(pauseMs)]);
      addressMost = Math.max(addressMost, holder.held);
      most = Math.max(
        most,
        holders.reduce((sum, { held }) => sum + held, 0),
      );
    }
  };
  const filling = holders.flatMap(holder => Array.from({ length: atOnce }, () => fill(holder)));
  await Promise.race([Promise.all(filling), stopped(stop)]);
  begun();
  await stopped(stop);
  const refused = holders.reduce((sum, each) => sum + each.refused, 0);
  const lost = holders.reduce((sum, each) => sum + each.lost, 0);
  await Promise.all(holders.map(({ one }) => one.stop()));
  return { opened, most, addressMost, refused, lost };
}

/** One address and its links. */
class Holder {
  readonly one: Assailant;
  refused = 0;
  #ready = 0;

  constructor(from: string) {
    this.one = new Assailant(from);
  }

  /** Ended by the relay after they were ready. */
  get lost(): number {
    return this.one.lost - this.refused;
  }

  get held(): number {
    return this.#ready - this.lost;
  }

  async open({ guard }: Aim): Promise<void> {
    if ((await this.one.open(guard)) === undefined) this.refused += 1;
    else this.#ready += 1;
  }
}
