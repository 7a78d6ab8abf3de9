import { LinkCodec } from '../cell/link-codec.ts';
import type { TokenBucket } from '../flow/token-bucket.ts';
import type { Cancel, Endpoint, LinkId } from '../ports.ts';
import type { SpareBlocks } from './cell-queue.ts';
import { CellScheduler } from './cell-scheduler.ts';
import type { CircuitIds } from './circuit-ids.ts';
import type { LinkPeer, LinkProtocol } from './link-faults.ts';
import type { LinkHandshake } from './link-handshake.ts';

/** Whom a node means to reach by a link it opens. */
export interface ExpectedPeer {
  readonly rsaId?: Uint8Array;
  readonly ed25519?: Uint8Array;
}

/** All that the mux keeps of one link. */
export class LinkState {
  readonly id: LinkId;
  readonly initiator: boolean;
  readonly remote: Endpoint;
  readonly expect: ExpectedPeer;
  readonly codec = new LinkCodec();
  readonly scheduler: CellScheduler;
  handshake: LinkHandshake | undefined;
  peer: LinkPeer | undefined;
  protocol: LinkProtocol = 3;
  ids: CircuitIds | undefined;
  /** When it was begun, was ready, or its last circuit ended. */
  idleSinceMs = 0;
  /** The port is full, and is given no more. */
  full = false;
  /** Given to the port so far, and when it last was. */
  writtenBytes = 0;
  writtenMs = 0;
  /** What of it the network had not taken when that was last asked. */
  pendingBytes = 0;
  /** As long as the network has not taken so many bytes … */
  waitingBytes = 0;
  /** … something waits since this monotonic time, or longer. */
  waitingSinceMs = 0;
  /** Waits to be flushed at the end of this turn. */
  dirty = false;
  cancelTimeout: Cancel | undefined;
  /** Cells of no use that it may still bring; made with the first of them. */
  waste: TokenBucket | undefined;
  /** Set while it is not read, because it brought too many. */
  cancelHold: Cancel | undefined;

  constructor(id: LinkId, initiator: boolean, remote: Endpoint, expect: ExpectedPeer, spares: SpareBlocks) {
    this.scheduler = new CellScheduler(spares);
    this.id = id;
    this.initiator = initiator;
    this.remote = remote;
    this.expect = expect;
  }

  /** The digests and certificates of the handshake are of no use any more, and most links live long. */
  shookHands(peer: LinkPeer, protocol: LinkProtocol): void {
    this.peer = peer;
    this.protocol = protocol;
    this.handshake = undefined;
  }
}
