import { cellCommand } from '../../../src/cell/commands.ts';
import { encodeCreated2 } from '../../../src/cell/link-messages.ts';
import type { NodeKeys } from '../../../src/crypto/node-keys.ts';
import { makeLinkIdentity, makeTlsCertificate } from '../../../src/link/link-certificates.ts';
import { LinkMux, type LinkUser } from '../../../src/link/link-mux.ts';
import type { Clock, Endpoint, Entropy, LinkId } from '../../../src/ports.ts';
import { exporterOf, type LooseNeighbour } from './loose-ports.ts';

const noBytes = new Uint8Array(0);
const link: LinkId = 1;

/** A relay that shakes hands by the rules and answers each CREATE2, so that circuits can be extended to it. */
export class Neighbour implements LooseNeighbour {
  readonly endpoint: Endpoint = { host: '10.9.9.9', port: 9_001 };
  readonly keys: NodeKeys;
  readonly certificate: Uint8Array;
  /** Of the circuit that was extended last; 0: none was. */
  circuit = 0;
  /** Sends any bytes to the core, over the last link that it opened. */
  say: (bytes: Uint8Array) => void = () => {};
  readonly #clock: Clock;
  readonly #entropy: Entropy;

  constructor(keys: NodeKeys, clock: Clock, entropy: Entropy) {
    this.keys = keys;
    this.#clock = clock;
    this.#entropy = entropy;
    this.certificate = makeTlsCertificate(keys, clock.wallMs());
  }

  accept(send: (bytes: Uint8Array) => void): (bytes: Uint8Array) => void {
    const facts = {
      peerCertificate: noBytes,
      ownCertificate: this.certificate,
      exporter: exporterOf(this.certificate),
    };
    const mux: LinkMux = new LinkMux({
      port: {
        open: () => link,
        write: (_link, bytes) => {
          send(bytes.slice());
          return true;
        },
        pendingBytes: () => 0,
        pause() {},
        resume() {},
        close() {},
        facts: () => facts,
      },
      clock: this.#clock,
      entropy: this.#entropy,
      observer: { log() {}, count() {} },
      identity: makeLinkIdentity(this.keys, () => this.#clock.wallMs()),
      protocols: [4],
      ownAddresses: [this.endpoint.host],
      user: this.#userOf(() => mux),
    });
    mux.onAccepted(link, this.endpoint);
    this.say = send;
    return bytes => mux.onBytes(link, bytes);
  }

  #userOf(mux: () => LinkMux): LinkUser {
    return {
      onLinkReady() {},
      onLinkLost() {},
      onRun() {},
      onCircuitWritable() {},
      onCell: (_link, circuit, command) => {
        if (command !== cellCommand.create2 || !mux().acceptsCircuit(link, circuit)) return;
        this.circuit = circuit;
        mux().send(link, circuit, cellCommand.created2, encodeCreated2(new Uint8Array(64)), 0);
      },
    };
  }
}
