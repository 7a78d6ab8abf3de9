import { cellCommand } from '../../src/cell/commands.ts';
import type { Endpoint } from '../../src/ports.ts';
import type { Dice } from './dice.ts';
import { LiveLink } from './live-link.ts';
import { ActionReader } from './targets/action-bytes.ts';
import { HostileCells, sealedBy } from './targets/hostile-cells.ts';

const linksAtOnce = 8;
const circuitsPerLink = 4;
const cellsPerCircuit = 64;
const slowCellsPerCircuit = 4;
/** Hears nothing. */
export const nobody = { opened: () => true, unrecognised: (): false => false, cellsToMark: () => 1 };

interface AssaultAim {
  readonly at: Endpoint;
  /** The address that a link comes from: limits are of addresses, and this is about cells. */
  readonly from: (link: number) => string;
  readonly isOver: () => boolean;
  readonly dice: Dice;
}

/** Links to one relay, one after the other and several at once, on which anything is said. */
export class Assault {
  cells = 0;
  links = 0;
  readonly #aim: AssaultAim;

  constructor(aim: AssaultAim) {
    this.#aim = aim;
  }

  /** Goes on until so many cells were said in all. */
  async upTo(cases: number, signal: AbortSignal): Promise<void> {
    const work = async (): Promise<void> => {
      while (this.cells < cases && !signal.aborted && !this.#aim.isOver()) await this.#visit();
    };
    await Promise.all(Array.from({ length: linksAtOnce }, work));
  }

  async #visit(): Promise<void> {
    this.links += 1;
    const { at, from, dice } = this.#aim;
    const link = await LiveLink.to(at, from(this.links), dice.pick([3, 4, 5] as const));
    if (link === undefined) return;
    const input = new ActionReader(dice.bytes(4_096));
    if (dice.oneIn(16)) this.#say(link, new HostileCells(link.talk, input), input, slowCellsPerCircuit);
    else link.shakeHands();
    for (let circuit = 0; circuit < circuitsPerLink && !link.closed && !link.talk.ragged; circuit++) {
      link.talk.cut(0, 0);
      const made = await link.create(nobody);
      if (made === undefined) break;
      const cells = new HostileCells(link.talk, input);
      cells.circuit = made.id;
      cells.seal = sealedBy(made.layers);
      link.talk.cut(dice.below(64), dice.below(514));
      this.#say(link, cells, input, link.talk.isSlow ? slowCellsPerCircuit : cellsPerCircuit);
      await link.drain();
      link.talk.cut(0, 0);
      link.talk.say(link.talk.fixed(made.id, cellCommand.destroy, new Uint8Array(1)));
    }
    // Whatever was said has been taken once this is answered, or the link is closed for it.
    if (!link.talk.ragged) await link.create(nobody);
    link.hangUp();
  }

  #say(link: LiveLink, cells: HostileCells, input: ActionReader, most: number): void {
    for (let left = most; left > 0 && !link.closed; left--) {
      const what = input.u8();
      if (what < 180) cells.sayRelayCell();
      else if (what < 240) cells.sayCell();
      else if (what < 252) cells.sayData();
      else cells.sayNoise();
      this.cells += 1;
    }
  }
}
