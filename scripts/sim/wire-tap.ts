import { cellCommand } from '../../src/cell/commands.ts';
import { type CellHandler, LinkCodec } from '../../src/cell/link-codec.ts';
import type { LinkId } from '../../src/ports.ts';
import type { LinkTap } from '../../src/sim/sim-links.ts';

/** One circuit as it is seen on one link of a node, from its CREATE cell on. */
export interface SeenCircuit {
  readonly link: LinkId;
  readonly id: number;
  /** Who sent the CREATE: 'peer', and the node is the hop that was asked; 'node', and it asks the next one. */
  readonly createdBy: 'peer' | 'node';
  readonly fast: boolean;
  /** RELAY and RELAY_EARLY cells. */
  relayIn: number;
  relayOut: number;
  /** When the latest of those came in, and how many had come before that. */
  lastInStep: number;
  relayInBefore: number;
  destroyed: boolean;
}

interface SeenLink {
  readonly read: LinkCodec;
  readonly written: LinkCodec;
  /** What is done with the cells of each. */
  readonly onRead: CellHandler;
  readonly onWritten: CellHandler;
  readVersions: ReadonlySet<number> | undefined;
  writtenVersions: ReadonlySet<number> | undefined;
  readonly live: Map<number, SeenCircuit>;
}

type Direction = 'in' | 'out';

/** Reads the cells of a node's links from outside, so that what a relay counted can be held against what it carried. */
export class WireTap implements LinkTap {
  readonly circuits: SeenCircuit[] = [];
  readonly #step: () => number;
  #links = new Map<LinkId, SeenLink>();

  /** @param step number of the event that is happening. */
  constructor(step: () => number) {
    this.#step = step;
  }

  /** The circuit of that id on that link that is in use, or was last. */
  find(link: LinkId, id: number): SeenCircuit | undefined {
    return this.#links.get(link)?.live.get(id);
  }

  read(link: LinkId, bytes: Uint8Array): void {
    const seen = this.#linkOf(link);
    seen.read.push(bytes, seen.onRead);
  }

  written(link: LinkId, bytes: Uint8Array): void {
    const seen = this.#linkOf(link);
    seen.written.push(bytes, seen.onWritten);
  }

  #linkOf(link: LinkId): SeenLink {
    const known = this.#links.get(link);
    if (known !== undefined) return known;
    const seen: SeenLink = {
      read: new LinkCodec(),
      written: new LinkCodec(),
      onRead: this.#handler(link, () => seen, 'in'),
      onWritten: this.#handler(link, () => seen, 'out'),
      readVersions: undefined,
      writtenVersions: undefined,
      live: new Map(),
    };
    this.#links.set(link, seen);
    return seen;
  }

  #handler(link: LinkId, seen: () => SeenLink, direction: Direction): CellHandler {
    return {
      onVariable: (_circuit, command, payload) => {
        if (command === cellCommand.versions) onVersions(seen(), direction, payload);
      },
      onFixed: (circuit, command) => this.#onFixed(link, seen(), direction, circuit, command),
      onRun: (circuit, _bytes, _at, _stride, count) => {
        for (; count > 0; count--) this.#onFixed(link, seen(), direction, circuit, cellCommand.relay);
      },
    };
  }

  #onFixed(link: LinkId, seen: SeenLink, direction: Direction, id: number, command: number): void {
    if (command === cellCommand.create2 || command === cellCommand.createFast) {
      const fast = command === cellCommand.createFast;
      const createdBy = direction === 'in' ? 'peer' : 'node';
      const cells = { relayIn: 0, relayOut: 0, lastInStep: 0, relayInBefore: 0 };
      const circuit: SeenCircuit = { link, id, createdBy, fast, ...cells, destroyed: false };
      seen.live.set(id, circuit);
      this.circuits.push(circuit);
      return;
    }
    const circuit = seen.live.get(id);
    if (circuit === undefined) return;
    if (command === cellCommand.destroy) circuit.destroyed = true;
    if (command !== cellCommand.relay && command !== cellCommand.relayEarly) return;
    if (direction === 'out') {
      circuit.relayOut += 1;
      return;
    }
    const step = this.#step();
    if (circuit.lastInStep !== step) circuit.relayInBefore = circuit.relayIn;
    circuit.lastInStep = step;
    circuit.relayIn += 1;
  }
}

/** spec: tor-spec/negotiating-channels: the highest version that both offer */
function onVersions(seen: SeenLink, direction: Direction, payload: Uint8Array): void {
  const offered = new Set<number>();
  for (let at = 0; at + 1 < payload.length; at += 2) offered.add(payload[at] * 256 + payload[at + 1]);
  if (direction === 'in') seen.readVersions = offered;
  else seen.writtenVersions = offered;
  if (seen.readVersions === undefined || seen.writtenVersions === undefined) return;
  const { readVersions } = seen;
  const common = [5, 4, 3].find(version => readVersions.has(version) && seen.writtenVersions?.has(version));
  if (common === undefined) return;
  seen.read.useProtocol(common as 3 | 4 | 5);
  seen.written.useProtocol(common as 3 | 4 | 5);
}
