import { createHash } from 'node:crypto';
import type { CloseReason } from '../ports.ts';
import { ByteQueue } from './byte-queue.ts';
import { Inbox, type Parcel } from './inbox.ts';
import type { SimNode } from './sim-node.ts';

/** What a port does with the news of its end of a connection. Each is called in the node's own turn. */
export interface EndUser {
  opened(): void;
  /** `bytes` are poisoned as soon as this returns. */
  bytes(bytes: Uint8Array): void;
  writable(): void;
  ended(): void;
  closed(why: CloseReason): void;
}

/** The machine at an end of a connection, and the wire it is on. */
export interface Carrier {
  readonly node: SimNode;
  /** Bytes that may be on their way to a reader that does not take them. */
  readonly windowBytes: number;
  /** Written bytes that wait to be sent before write() answers false. */
  readonly sendBufferBytes: number;
  /** Where the next segment is cut at the latest. */
  segmentBytes(): number;
  /** Reserves the uplink for `size` bytes; the time at which the last of them has left. */
  useUplink(size: number): number;
  /** One-way delay to the machine at the other end. */
  delayUs(to: Carrier): number;
  dropEnd(end: ConnectionEnd): void;
}

/** What a kept view of delivered bytes reads as afterwards. */
export const poisonByte = 0xdb;
/** Bytes in front of those delivered, so that a core which takes `.buffer` for the bytes themselves is caught. */
const leadBytes = 8;
const nothing = new Uint8Array(0);
/** What is written and never acknowledged ends a connection after so long. */
const giveUpUs = 20_000_000;

/**
 * One end of a simulated TCP or TLS connection. Bytes, not messages: what is written in a turn leaves merged, split as
 * the network's faults say, at the sender's uplink rate; no more than a window is on its way to a slow reader.
 */
export class ConnectionEnd {
  readonly host: Carrier;
  /** DER of the certificate shown here in TLS. */
  certificate: Uint8Array = nothing;
  user: EndUser | undefined;
  open = true;
  #peer: ConnectionEnd | undefined;
  #inbox: Inbox;
  #outgoing = new ByteQueue();
  #sending = false;
  #wantsWritable = false;
  /** Bytes sent to the peer that it has not taken yet. */
  #unread = 0;
  #waitsForWindow = false;
  #stalledUntilUs = 0;
  #ending: 'no' | 'asked' | 'sent' = 'no';
  #closing: 'done' | 'reset' | undefined;
  #sawEnd = false;
  #secret: Uint8Array = nothing;

  constructor(host: Carrier) {
    this.host = host;
    this.#inbox = new Inbox(host.node, parcel => this.#take(parcel));
  }

  /** Makes two ends one connection, with `secret` as what TLS would agree on. What was written before goes out now. */
  static join(a: ConnectionEnd, b: ConnectionEnd, secret: Uint8Array): void {
    a.#peer = b;
    b.#peer = a;
    a.#secret = secret;
    b.#secret = secret;
    a.#send();
    b.#send();
  }

  get peer(): ConnectionEnd | undefined {
    return this.#peer;
  }

  /** Equal at both ends and different for each connection, as a TLS exporter is. */
  exportKey(label: string, context: Uint8Array): Uint8Array {
    const hash = createHash('sha256').update(this.#secret);
    hash.update(`${label.length}:${label}`).update(context);
    return new Uint8Array(hash.digest());
  }

  write(bytes: Uint8Array): boolean {
    if (!this.open || this.#ending !== 'no') return true;
    this.#outgoing.push(bytes);
    this.#send();
    if (this.#outgoing.length <= this.host.sendBufferBytes) return true;
    this.#wantsWritable = true;
    return false;
  }

  /** Written, and not sent yet. */
  get pendingBytes(): number {
    return this.#outgoing.length;
  }

  /** No more bytes from here. */
  end(): void {
    if (!this.open || this.#ending !== 'no') return;
    this.#ending = 'asked';
    this.#send();
  }

  /** Ends both directions; what was written is still delivered. No news comes here any more. */
  close(why: CloseReason): void {
    if (!this.open) return;
    this.#shut();
    this.#closing = why === 'done' ? 'done' : 'reset';
    this.#send();
  }

  /** Cuts the connection as a lost route does: both sides learn of it, bytes under way are gone. */
  reset(): void {
    this.#lose('reset');
    if (this.#peer !== undefined) this.#peer.#lose('reset');
  }

  /** Ends the connection after a mistake at this end, which is told of it as the peer is. */
  fail(): void {
    this.#lose('protocol');
    if (this.#peer !== undefined) this.#peer.#lose('reset');
  }

  #lose(why: CloseReason): void {
    if (!this.open) return;
    this.#outgoing.clear();
    this.#inbox.replaceWith({ kind: 'closed', why }, 0);
  }

  /**
   * The process at this end died: its kernel resets the peer. When the machine died with it (`silently`), nobody tells the
   * peer, which writes to nowhere until its own kernel gives up.
   */
  vanish(silently: boolean): void {
    if (!this.open) return;
    this.#shut();
    this.#outgoing.clear();
    if (!this.#peer?.open) return;
    if (silently) this.#peer.#inbox.replaceWith({ kind: 'closed', why: 'timeout' }, giveUpUs);
    else this.#peer.#inbox.replaceWith({ kind: 'closed', why: 'reset' }, this.#latencyUs());
  }

  /** Nothing leaves here for `ms`. */
  stall(ms: number): void {
    this.#stalledUntilUs = Math.max(
      this.#stalledUntilUs,
      this.host.node.world.nowUs + Math.round(ms * 1_000),
    );
  }

  pause(): void {
    this.#inbox.pause();
  }

  resume(): void {
    this.#inbox.resume();
  }

  /** Hands this end news that arrives `delayUs` from now, after all that was sent before it. */
  receive(parcel: Parcel, delayUs: number): void {
    this.#inbox.push(parcel, delayUs);
  }

  #take(parcel: Parcel): void {
    switch (parcel.kind) {
      case 'opened':
        this.user?.opened();
        break;
      case 'bytes':
        if (this.#peer !== undefined) this.#peer.#windowOpened(parcel.bytes.length, this.#latencyUs());
        this.user?.bytes(parcel.bytes);
        parcel.bytes.fill(poisonByte);
        break;
      case 'ended':
        this.#sawEnd = true;
        this.user?.ended();
        this.#closeWhenBothEnded();
        break;
      case 'closed':
        this.#shut();
        this.#outgoing.clear();
        this.user?.closed(parcel.why);
        break;
    }
  }

  /** The peer took `count` bytes; word of it takes `delayUs`. */
  #windowOpened(count: number, delayUs: number): void {
    this.#unread -= count;
    if (!this.#waitsForWindow) return;
    this.#waitsForWindow = false;
    this.host.node.world.after(delayUs, () => this.#send());
  }

  /** Lets what is written leave after the turn that writes it, so that its writes merge. */
  #send(): void {
    if (this.#sending || this.#peer === undefined) return;
    const { nowUs } = this.host.node.world;
    this.#sendAt(Math.max(nowUs, this.#stalledUntilUs));
  }

  #sendAt(timeUs: number): void {
    this.#sending = true;
    this.host.node.world.after(timeUs - this.host.node.world.nowUs, () => {
      this.#sending = false;
      this.#sendSegment();
    });
  }

  /** Puts the next run of bytes on the wire, or, when there is none, the end or close that waits behind them. */
  #sendSegment(): void {
    const { world } = this.host.node;
    if (this.#stalledUntilUs > world.nowUs) {
      this.#send();
      return;
    }
    const room = this.host.windowBytes - this.#unread;
    const size = Math.min(this.#outgoing.length, this.host.segmentBytes(), room);
    if (size > 0) {
      const sentUs = this.host.useUplink(size);
      const bytes = new Uint8Array(leadBytes + size).subarray(leadBytes);
      this.#outgoing.take(bytes);
      this.#unread += size;
      this.#peer?.receive({ kind: 'bytes', bytes }, sentUs - world.nowUs + this.#latencyUs());
      this.#tellWritable();
      this.#sendAt(sentUs);
    } else if (this.#outgoing.length > 0) {
      this.#waitsForWindow = true;
    } else if (this.#closing !== undefined) {
      this.#peer?.receive({ kind: 'closed', why: this.#closing }, this.#latencyUs());
      this.#closing = undefined;
    } else if (this.#ending === 'asked') {
      this.#ending = 'sent';
      this.#peer?.receive({ kind: 'ended' }, this.#latencyUs());
      this.#closeWhenBothEnded();
    }
  }

  #tellWritable(): void {
    if (!this.#wantsWritable || this.#outgoing.length > 0) return;
    this.#wantsWritable = false;
    this.host.node.later(0, () => {
      if (this.open) this.user?.writable();
    });
  }

  #closeWhenBothEnded(): void {
    if (this.open && this.#sawEnd && this.#ending === 'sent')
      this.receive({ kind: 'closed', why: 'done' }, 0);
  }

  #shut(): void {
    this.open = false;
    this.#inbox.close();
    this.host.dropEnd(this);
  }

  #latencyUs(): number {
    return this.#peer === undefined ? 0 : this.host.delayUs(this.#peer.host);
  }
}
