import { splitAddress } from '../scripts/network-ports.ts';
import { assert } from '../src/base/assert.ts';
import { toHex } from '../src/base/bytes.ts';
import { cellCommand, destroyReason, handshakeType } from '../src/cell/commands.ts';
import { encodeCreate2 } from '../src/cell/link-messages.ts';
import { ntorClientRequest, ntorClientStart } from '../src/crypto/ntor.ts';
import { parseServerDescriptor } from '../src/directory/descriptor.ts';
import type { LinkFault, LinkPeer } from '../src/link/link-faults.ts';
import { LinkMux, type LinkUser } from '../src/link/link-mux.ts';
import { SystemClock } from '../src/node-io/system-clock.ts';
import { SystemEntropy } from '../src/node-io/system-entropy.ts';
import { TlsLinks } from '../src/node-io/tls-links.ts';
import type { LinkId } from '../src/ports.ts';
import { httpGet } from './http-get.ts';

/** Handshakes that wait for their answers: enough to keep a relay busy, too few for any relay to turn one away. */
const waitingMax = 64;
/** Fewer than a link of protocol 3 can carry. */
const circuitsPerLink = 25_000;

/**
 * Asks one relay, ours or C tor, for circuits as fast as it answers, over links as clients open them. It sends one
 * request again and again, which no relay minds and which costs nothing to make.
 */
export class CreateLoad implements LinkUser {
  readonly #ports = new TlsLinks();
  readonly #mux: LinkMux;
  readonly #entropy = new SystemEntropy();
  readonly #relay: { readonly host: string; readonly port: number };
  #create: Uint8Array = new Uint8Array(0);
  #link: LinkId = 0;
  #onLink: { ready(peer: LinkPeer): void; lost(fault: LinkFault): void } | undefined;
  #onAnswer: ((circuit: number, created: boolean) => void) | undefined;

  private constructor(relay: string) {
    const [host, port] = splitAddress(relay);
    this.#relay = { host, port };
    this.#mux = new LinkMux({
      port: this.#ports,
      clock: new SystemClock(),
      entropy: this.#entropy,
      observer: { log() {}, count() {} },
      identity: undefined,
      protocols: [3],
      ownAddresses: [],
      user: this,
    });
    this.#ports.attach(this.#mux);
  }

  /** @param relay HOST:PORT of its links. @param directory HOST:PORT where its descriptor is. */
  static async to(relay: string, directory: string): Promise<CreateLoad> {
    const load = new CreateLoad(relay);
    const peer = await load.#open();
    assert(peer.kind === 'relay', 'who listens proves who it is');
    load.#leave();
    const text = await httpGet(directory, `/tor/server/fp/${toHex(peer.rsaId).toUpperCase()}`);
    const parsed = parseServerDescriptor(text, Date.now());
    assert(parsed.ok, 'the descriptor of a relay that the authority lists');
    const { rsaId, ntorKey } = parsed.value;
    const request = ntorClientRequest(ntorClientStart(load.#entropy, rsaId, ntorKey));
    load.#create = encodeCreate2(handshakeType.ntor, request);
    return load;
  }

  /** Makes circuits and ends each at once, for `ms`: how many were made, in how many seconds. */
  async churn(ms: number, signal: AbortSignal): Promise<{ readonly made: number; readonly seconds: number }> {
    await this.#open();
    const started = performance.now();
    let made = 0;
    await this.#ask(signal, circuit => {
      made += 1;
      this.#mux.releaseCircuit(this.#link, circuit, destroyReason.finished);
      return performance.now() - started < ms;
    });
    this.#leave();
    return { made, seconds: (performance.now() - started) / 1_000 };
  }

  /** Makes so many circuits and leaves them open, on as many links as that takes. */
  async hold(circuits: number, signal: AbortSignal): Promise<void> {
    for (let left = circuits; left > 0; left -= circuitsPerLink) {
      const here = Math.min(left, circuitsPerLink);
      let asked = waitingMax;
      await this.#open();
      await this.#ask(signal, () => ++asked <= here, Math.min(waitingMax, here));
    }
  }

  stop(): Promise<void> {
    return this.#ports.stop();
  }

  #open(): Promise<LinkPeer> {
    return new Promise((ready, failed) => {
      this.#onLink = {
        ready,
        lost: fault => failed(new Error(`the relay closed the link: ${fault.code} ${fault.detail ?? ''}`)),
      };
      this.#link = this.#mux.open(this.#relay, {});
    });
  }

  /** A link without circuits would be given up after a while, in the midst of whatever is measured then. */
  #leave(): void {
    this.#mux.close(this.#link, 'done');
  }

  /** Keeps requests under way while `goesOn` says so, then waits for the last answer. */
  #ask(signal: AbortSignal, goesOn: (circuit: number) => boolean, atOnce = waitingMax): Promise<void> {
    return new Promise((done, failed) => {
      let waiting = 0;
      const send = (): void => {
        const circuit = this.#mux.allocateCircuit(this.#link);
        assert(circuit !== undefined, 'a link has room for these circuits');
        waiting += 1;
        this.#mux.send(this.#link, circuit, cellCommand.create2, this.#create, 0);
      };
      this.#onLink = { ready: () => {}, lost: fault => failed(new Error(`a link ended: ${fault.code}`)) };
      this.#onAnswer = (circuit, created) => {
        waiting -= 1;
        if (signal.aborted) failed(signal.reason);
        else if (!created) failed(new Error('the relay refuses circuits'));
        else if (goesOn(circuit)) send();
        else if (waiting === 0) done();
      };
      for (let i = 0; i < atOnce; i++) send();
    });
  }

  onLinkReady(_link: LinkId, peer: LinkPeer): void {
    this.#onLink?.ready(peer);
  }

  onLinkLost(_link: LinkId, fault: LinkFault): void {
    this.#onLink?.lost(fault);
  }

  onCell(_link: LinkId, circuit: number, command: number): void {
    if (command === cellCommand.created2) this.#onAnswer?.(circuit, true);
    else if (command === cellCommand.destroy) this.#onAnswer?.(circuit, false);
  }

  onRun(): void {}

  onCircuitWritable(): void {}
}
