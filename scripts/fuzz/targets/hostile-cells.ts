import { relayBodyBytesMax } from '../../../src/base/limits.ts';
import { cellCommand, relayCommand } from '../../../src/cell/commands.ts';
import { cellPayloadBytes } from '../../../src/cell/link-codec.ts';
import { relayHeaderBytes, writeRelayHeader } from '../../../src/cell/relay-cell.ts';
import { cellMemory, packArea } from '../../../src/crypto/kernels/cell-memory.ts';
import type { ClientLayers } from '../../../src/onion/client-layers.ts';
import type { ActionReader } from './action-bytes.ts';
import type { LinkTalk } from './link-talk.ts';

/** Cells of all runs of DATA in a visit. */
const dataCellsMax = 256;
/** Byte by byte each cell is five hundred events. */
const slowDataCellsMax = 8;
const fullBody = new Uint8Array(relayBodyBytesMax);

/** What a relay cell is, besides its body. */
interface SealedCell {
  readonly early?: boolean;
  /** The length that it claims; that of its body otherwise. */
  readonly claims?: number;
  /** Changed on the way, so that nobody can read it. */
  readonly spoilt?: boolean;
}

/** Makes a plain relay cell in the cell memory one that the far side can read. */
export type SealCell = (at: number) => void;

/** As the client of a circuit says it to its first hop. */
export function sealedBy(layers: ClientLayers): SealCell {
  return at => layers.seal(cellMemory, at, cellPayloadBytes, 1, 0);
}

/** Cells that an input makes up, said on one link and about one circuit of it. */
export class HostileCells {
  circuit = 0;
  /** Of the circuit, once it is made. */
  seal: SealCell | undefined;
  readonly #talk: LinkTalk;
  readonly #input: ActionReader;
  #dataCells = 0;

  constructor(talk: LinkTalk, input: ActionReader) {
    this.#talk = talk;
    this.#input = input;
  }

  /** A relay cell that the far side can read, unless its input says otherwise. */
  sayRelayCell(): void {
    const command = this.#input.u8();
    const streamId = this.#input.u8();
    const flags = this.#input.u8();
    const claims = (flags & 7) === 1 ? this.#input.u16() : undefined;
    const body = this.#input.bytes(relayBodyBytesMax);
    const id = (flags & 16) === 0 ? streamId % 8 : streamId * 257;
    this.sealed(command, id, body, { early: (flags & 6) === 2, claims, spoilt: (flags & 15) === 12 });
  }

  /** A cell of any command. */
  sayCell(): void {
    const command = this.#input.u8();
    const circuit = this.#circuitNamed(this.#input.u8());
    const claims = this.#input.u8();
    const payload = this.#input.bytes(cellPayloadBytes);
    if (claims < 224) this.#talk.say(this.#talk.any(circuit, command, payload.length, payload));
    else {
      const claimed = this.#input.u16();
      const padded = new Uint8Array(Math.max(payload.length, Math.min(claimed, 20_000)));
      padded.set(payload);
      // A cell that claims more than it has swallows those behind it.
      this.#talk.say(this.#talk.any(circuit, command, claimed, claims < 250 ? padded : payload));
    }
  }

  sayNoise(): void {
    this.#talk.ragged = true;
    this.#talk.say(this.#input.bytes(600));
  }

  /** Full DATA cells behind each other, as many as windows allow and more. */
  sayData(): void {
    const streamId = this.#input.u8() % 4;
    const most = this.#talk.isSlow ? slowDataCellsMax : dataCellsMax;
    for (let count = this.#input.u8() % 128; count > 0 && this.#dataCells < most; count--) {
      this.#dataCells += 1;
      this.sealed(relayCommand.data, streamId, fullBody);
    }
  }

  sealed(command: number, streamId: number, body: Uint8Array, cell: SealedCell = {}): void {
    const { early = false, claims = body.length, spoilt = false } = cell;
    const linkCommand = early ? cellCommand.relayEarly : cellCommand.relay;
    const bytes = this.#talk.make(this.circuit, linkCommand, (into, at) => {
      // There the kernels seal it.
      const made = cellMemory.subarray(packArea.at, packArea.at + cellPayloadBytes).fill(0);
      writeRelayHeader(made, 0, command, streamId, claims);
      made.set(body, relayHeaderBytes);
      this.seal?.(packArea.at);
      into.set(made, at);
      if (spoilt) into[at + cellPayloadBytes - 1] ^= 1;
    });
    this.#talk.say(bytes);
  }

  #circuitNamed(which: number): number {
    const ours = this.circuit;
    return [ours, ours, 0, ours + 1, 1, 0x7fff, 0x8000_0000, 0xffff_ffff][which % 8];
  }
}
