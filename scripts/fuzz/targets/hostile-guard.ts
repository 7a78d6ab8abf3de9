import { concatBytes } from '../../../src/base/bytes.ts';
import { cellCommand } from '../../../src/cell/commands.ts';
import { cellPayloadBytes, encodeVersionsCell, LinkCodec } from '../../../src/cell/link-codec.ts';
import { encodeNetinfo, encodeVersions } from '../../../src/cell/link-messages.ts';
import type { NodeKeys } from '../../../src/crypto/node-keys.ts';
import { makeLinkIdentity, makeTlsCertificate } from '../../../src/link/link-certificates.ts';
import type { LinkId } from '../../../src/ports.ts';
import { LinkTalk } from './link-talk.ts';
import type { LooseNeighbour, LoosePorts } from './loose-ports.ts';

/** How far a guard shakes hands by the rules. */
export type Manners = 'none' | 'versions' | 'certs' | 'all';

const netinfo = encodeNetinfo({ time: 0, other: '127.0.0.1', own: [] });

interface HeardCell {
  readonly circuit: number;
  readonly command: number;
  readonly payload: Uint8Array;
}

/** The relay at the other end of a client's link, one link at a time: hears what the client says, and says anything. */
export class HostileGuard implements LooseNeighbour {
  readonly keys: NodeKeys;
  readonly endpoint: { readonly host: string; readonly port: number };
  readonly certificate: Uint8Array;
  readonly protocol: 3 | 4 | 5;
  /** Body of CERTS. */
  readonly certs: Uint8Array;
  manners: Manners = 'all';
  /** Takes what the client says about its circuits. */
  hear: (circuit: number, command: number, payload: Uint8Array) => void = () => {};
  talk = new LinkTalk(() => {});
  readonly #ports: LoosePorts;
  #link: LinkId | undefined;

  constructor(keys: NodeKeys, protocol: 3 | 4 | 5, ports: LoosePorts) {
    this.keys = keys;
    this.protocol = protocol;
    this.endpoint = { host: `10.6.6.${protocol}`, port: 9_001 };
    this.#ports = ports;
    const wallMs = ports.clock.wallMs();
    this.certificate = makeTlsCertificate(keys, wallMs);
    this.certs = makeLinkIdentity(keys, () => wallMs).responderCerts(this.certificate);
  }

  /** The link is there, or about to be. */
  get isOpen(): boolean {
    return this.#link !== undefined && this.#ports.isOpen(this.#link);
  }

  accept(_send: (bytes: Uint8Array) => void, link: LinkId): (bytes: Uint8Array) => void {
    this.#link = link;
    const talk = new LinkTalk(bytes => this.#ports.say(link, bytes));
    this.talk = talk;
    const codec = new LinkCodec();
    const cells: HeardCell[] = [];
    const handler = {
      onFixed: (circuit: number, command: number, bytes: Uint8Array, at: number): void => {
        cells.push({ circuit, command, payload: bytes.slice(at, at + cellPayloadBytes) });
      },
      onRun: (circuit: number, bytes: Uint8Array, at: number, stride: number, count: number): void => {
        for (; count > 0; count--, at += stride) handler.onFixed(circuit, cellCommand.relay, bytes, at);
      },
      onVariable: (_circuit: number, command: number): void => {
        if (command !== cellCommand.versions) return;
        codec.useProtocol(this.protocol);
        this.#shakeHands(talk);
      },
    };
    return bytes => {
      codec.push(bytes, handler);
      for (const { circuit, command, payload } of cells.splice(0)) this.hear(circuit, command, payload);
    };
  }

  hangUp(): void {
    if (this.#link !== undefined) this.#ports.hangUp(this.#link);
    this.#link = undefined;
    this.#ports.settle();
  }

  #shakeHands(talk: LinkTalk): void {
    if (this.manners === 'none') return;
    const versions = encodeVersionsCell(encodeVersions([this.protocol])).slice();
    talk.idBytes = this.protocol === 3 ? 2 : 4;
    const certs = talk.any(0, cellCommand.certs, this.certs.length, this.certs);
    const last = talk.fixed(0, cellCommand.netinfo, netinfo);
    const cells = { versions: [versions], certs: [versions, certs], all: [versions, certs, last] };
    talk.say(concatBytes(...cells[this.manners]));
  }
}
