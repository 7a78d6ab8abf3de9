import { equalBytes } from '../src/base/bytes.ts';
import { parseIp } from '../src/base/ip.ts';
import { extendWaitMsMax } from '../src/base/limits.ts';
import { cellCommand, destroyReason } from '../src/cell/commands.ts';
import { encodeCreate2 } from '../src/cell/link-messages.ts';
import { type LinkTarget, targetMatches } from '../src/cell/link-specifier.ts';
import type { Extend2Message } from '../src/cell/relay-messages.ts';
import type { RelayCircuit } from '../src/circuit/relay-circuit.ts';
import type { Cancel, Clock, LinkId } from '../src/ports.ts';
import type { CircuitTable } from './circuit-table.ts';
import { isPrivateAddress } from './exit-policy.ts';
import type { LinkTable } from './link-table.ts';

/** What an extension asks of the link mux. */
interface ExtensionLinks {
  allocateCircuit(link: LinkId): number | undefined;
  send(link: LinkId, circuit: number, command: number, bytes: Uint8Array, at: number): boolean;
}

export interface ExtensionOptions {
  readonly links: ExtensionLinks;
  readonly linkTable: LinkTable;
  readonly circuits: CircuitTable;
  readonly clock: Clock;
  /** This relay's own RSA identity. */
  readonly ownRsaId: Uint8Array;
  /** `ExtendAllowPrivateAddresses` */
  readonly allowPrivate: boolean;
}

/** Circuits that are being extended: from EXTEND2 over the link to the next relay until its CREATED2. */
export class Extensions {
  readonly #options: ExtensionOptions;
  #waits = new Map<RelayCircuit, Cancel>();

  constructor(options: ExtensionOptions) {
    this.#options = options;
  }

  start(circuit: RelayCircuit, message: Extend2Message): void {
    const { linkTable, clock } = this.#options;
    const { target } = message;
    // spec: tor-spec/create-created-cells: never back to the previous hop, never to ourselves
    if (this.#leadsBack(circuit, target) || !this.#isReachable(target)) {
      circuit.destroy(destroyReason.protocol);
      return;
    }
    const cancel = clock.after(extendWaitMsMax, () => {
      this.#waits.delete(circuit);
      circuit.destroy(destroyReason.timeout);
    });
    this.#waits.set(circuit, cancel);
    linkTable.find(target, {
      onLink: link => this.#create(circuit, cancel, link, message),
      onNoLink: reason => {
        if (this.#waits.get(circuit) === cancel) circuit.onNextLost(reason);
      },
    });
  }

  /** The next relay answered. */
  onCreated(circuit: RelayCircuit, reply: Uint8Array | undefined): void {
    const cancel = this.#waits.get(circuit);
    if (cancel === undefined) return;
    cancel();
    this.#waits.delete(circuit);
    if (reply === undefined) circuit.destroy(destroyReason.protocol);
    else circuit.extended(reply);
  }

  /** The circuit wants the extension no more, or it has failed. */
  forget(circuit: RelayCircuit): void {
    this.#waits.get(circuit)?.();
    this.#waits.delete(circuit);
  }

  #create(circuit: RelayCircuit, wait: Cancel, link: LinkId, message: Extend2Message): void {
    // The circuit may have been truncated, or be gone, while it waited.
    if (this.#waits.get(circuit) !== wait || !circuit.alive) return;
    const { links, circuits } = this.#options;
    const id = links.allocateCircuit(link);
    if (id === undefined) {
      circuit.onNextLost(destroyReason.resourceLimit);
      return;
    }
    const next = { link, id };
    circuit.setNext(next);
    circuits.addNext(circuit, next);
    const payload = encodeCreate2(message.handshakeType, message.handshake);
    if (!links.send(link, id, cellCommand.create2, payload, 0))
      circuit.onNextLost(destroyReason.resourceLimit);
  }

  #leadsBack(circuit: RelayCircuit, target: LinkTarget): boolean {
    const { linkTable, ownRsaId } = this.#options;
    const peer = linkTable.peerOf(circuit.previous.link);
    if (equalBytes(target.rsaId, ownRsaId)) return true;
    return peer?.kind === 'relay' && targetMatches(target, peer.rsaId, peer.ed25519);
  }

  #isReachable(target: LinkTarget): boolean {
    const address = target.ipv4 ?? target.ipv6;
    const ip = address && parseIp(address.host);
    if (address === undefined || ip === undefined || address.port === 0) return false;
    return this.#options.allowPrivate || !isPrivateAddress(ip);
  }
}
