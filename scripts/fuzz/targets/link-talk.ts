import { concatBytes } from '../../../src/base/bytes.ts';
import { isVariableCommand } from '../../../src/cell/commands.ts';
import { cellPayloadBytes, fixedCellBytes } from '../../../src/cell/link-codec.ts';

type Cutting = 'whole' | 'joined' | 'in two' | 'bytes';

/** Once in so many the bytes come one by one, which takes long. */
const cuttings: readonly Cutting[] = Array.from({ length: 64 }, (_, at) =>
  at === 63 ? 'bytes' : at % 4 === 1 ? 'joined' : at % 4 === 2 ? 'in two' : 'whole',
);
const gatheredBytesMax = 32_768;
const lengthBytes = 2;
/** Events that one cell may be: bytes of a fixed cell, or a few bytes each of a longer one. */
const piecesMax = 514;

/** Brings cells to a core, cut as TCP might cut them: at every place in turn. */
export class LinkTalk {
  /** Width of circuit ids, as the handshake settles it. */
  idBytes: 2 | 4 = 2;
  /** Bytes were said that are no whole cells: what follows is part of one. */
  ragged = false;
  readonly #push: (bytes: Uint8Array) => void;
  #cutting: Cutting = 'whole';
  #cutAt = 0;
  #gathered: Uint8Array[] = [];
  #gatheredBytes = 0;
  readonly #cell = new Uint8Array(fixedCellBytes(4));

  constructor(push: (bytes: Uint8Array) => void) {
    this.#push = push;
  }

  /** How bytes are cut from here on; each number is one way. */
  cut(way: number, at: number): void {
    this.#cutting = cuttings[way % cuttings.length];
    this.#cutAt = at;
  }

  get isSlow(): boolean {
    return this.#cutting === 'bytes';
  }

  say(bytes: Uint8Array): void {
    switch (this.#cutting) {
      case 'whole':
        this.#push(bytes);
        break;
      case 'joined':
        this.#gathered.push(bytes.slice());
        this.#gatheredBytes += bytes.length;
        if (this.#gatheredBytes > gatheredBytesMax) this.flush();
        break;
      case 'in two': {
        const at = this.#cutAt % (bytes.length + 1);
        this.#push(bytes.subarray(0, at));
        this.#push(bytes.subarray(at));
        break;
      }
      case 'bytes': {
        const step = Math.ceil(bytes.length / piecesMax);
        for (let at = 0; at < bytes.length; at += step) this.#push(bytes.subarray(at, at + step));
        break;
      }
    }
  }

  /** What was joined goes on its way. */
  flush(): void {
    if (this.#gathered.length === 0) return;
    const bytes = concatBytes(...this.#gathered);
    this.#gathered = [];
    this.#gatheredBytes = 0;
    this.#push(bytes);
  }

  /** A fixed cell, whose payload `write` makes at that place of zeros. Valid until the next one. */
  make(circuit: number, command: number, write: (bytes: Uint8Array, at: number) => void): Uint8Array {
    const at = this.idBytes + 1;
    const cell = this.#cell.subarray(0, at + cellPayloadBytes);
    cell.fill(0);
    this.#head(cell, circuit, command);
    write(cell, at);
    return cell;
  }

  /** A fixed cell whose payload begins so, and is zeros from there on. Valid until the next one. */
  fixed(circuit: number, command: number, payload: Uint8Array): Uint8Array {
    return this.make(circuit, command, (cell, at) => cell.set(payload.subarray(0, cellPayloadBytes), at));
  }

  /** A cell as its command frames it; one of variable length may claim more than it has. */
  any(circuit: number, command: number, claimed: number, payload: Uint8Array): Uint8Array {
    if (!isVariableCommand(command)) return this.fixed(circuit, command, payload);
    const cell = new Uint8Array(this.idBytes + 1 + lengthBytes + payload.length);
    this.#head(cell, circuit, command);
    cell[this.idBytes + 1] = claimed >> 8;
    cell[this.idBytes + 2] = claimed & 0xff;
    cell.set(payload, this.idBytes + 1 + lengthBytes);
    if (claimed !== payload.length) this.ragged = true;
    return cell;
  }

  #head(cell: Uint8Array, circuit: number, command: number): void {
    let id = circuit;
    for (let at = this.idBytes - 1; at >= 0; at--, id = Math.floor(id / 256)) cell[at] = id & 0xff;
    cell[this.idBytes] = command;
  }
}
