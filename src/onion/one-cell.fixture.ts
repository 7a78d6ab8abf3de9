import { ClientLayers } from './client-layers.ts';
import type { RelayLayer } from './relay-layer.ts';

const cellBytes = 509;

/** A client's layers for a test that looks at one cell at a time. */
export class TestLayers extends ClientLayers {
  readonly #seen: { hop: number | undefined };

  constructor() {
    const seen: { hop: number | undefined } = { hop: undefined };
    super({
      opened(hop) {
        seen.hop = hop;
        return true;
      },
      unrecognised: () => false,
      cellsToMark: () => 1,
    });
    this.#seen = seen;
  }

  /** The hop that sent the cell; undefined: none did. */
  openCell(bytes: Uint8Array, at: number): number | undefined {
    this.#seen.hop = undefined;
    this.open(bytes, at, cellBytes, 1);
    return this.#seen.hop;
  }
}

/** Takes the relay's layer off a cell of the client. True: it is for that relay. */
export function takeCell(layer: RelayLayer, bytes: Uint8Array, at: number): boolean {
  let own = false;
  layer.fromClient(bytes, at, cellBytes, 1, {
    own() {
      own = true;
      return true;
    },
    foreign: () => true,
    ownCellsMost: 1,
  });
  return own;
}
