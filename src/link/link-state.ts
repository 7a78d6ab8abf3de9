import { LinkCodec } from '../cell/link-codec.ts';
import type { Cancel, Endpoint, LinkId } from '../ports.ts';
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
  readonly scheduler = new CellScheduler();
  handshake: LinkHandshake | undefined;
  peer: LinkPeer | undefined;
  protocol: LinkProtocol = 3;
  ids: CircuitIds | undefined;
  /** False while the port is full. */
  writable = true;
  /** Waits to be flushed at the end of this turn. */
  dirty = false;
  cancelTimeout: Cancel | undefined;

  constructor(id: LinkId, initiator: boolean, remote: Endpoint, expect: ExpectedPeer) {
    this.id = id;
    this.initiator = initiator;
    this.remote = remote;
    this.expect = expect;
  }
}
