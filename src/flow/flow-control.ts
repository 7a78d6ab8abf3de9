import type { Fault } from '../base/fault.ts';

/**
 * How much each end of a circuit, and of its streams, may send. There are two ways: fixed windows, and congestion control
 * with XON and XOFF, which client and relay agree on when a hop is added. Any breach ends the circuit: a peer that
 * acknowledges what it did not receive would make us fill its relays' memory.
 * spec: tor-spec/flow-control, proposal 324
 */
export type FlowFault = Fault<
  'SENDME_UNEXPECTED' | 'SENDME_WRONG_DIGEST' | 'XOFF_UNEXPECTED' | 'XON_UNEXPECTED' | 'DATA_BEYOND_WINDOW'
>;

/** The sending side of a circuit. */
export interface PackageWindow {
  /** True while a DATA cell may be sent. */
  readonly open: boolean;
  /** DATA cells that may be sent now. */
  readonly cells: number;
  /** DATA cells to come until one that the peer answers, that one included. */
  readonly cellsToMark: number;
  /** Counts a DATA cell being sent. True: the peer will answer this one, so give its digest to expectDigest. */
  package(): boolean;
  /** @param digest 20 bytes, kept. */
  expectDigest(digest: Uint8Array): void;
  /** A SENDME came with this digest: early, superfluous and wrong ones are faults. */
  sendme(digest: Uint8Array): FlowFault | undefined;
}

/** The receiving side of a circuit. */
export interface DeliverWindow {
  /** DATA cells that the far end may send without another SENDME; under congestion control the most that it may. */
  readonly cells: number;
  /** The same when all that came has been answered. */
  readonly cellsMost: number;
  /** What a SENDME adds to them. */
  readonly grantCells: number;
  /** DATA cells to come until one whose digest a SENDME must carry, that one included. */
  readonly cellsToMark: number;
  /** Counts DATA cells that came, at most `cellsToMark`. */
  deliver(cells: number): FlowFault | undefined;
  /** True right after a cell whose digest a SENDME must carry. */
  readonly marked: boolean;
  /** A SENDME goes out. */
  acknowledge(): void;
}

/** The sending side of a stream. */
export interface StreamSender {
  /** True while the far end takes DATA. */
  readonly open: boolean;
  /** A DATA cell with so many bytes goes out. */
  package(bytes: number): void;
  onSendme(): FlowFault | undefined;
  onXoff(): FlowFault | undefined;
  /** @param rate at which the far end's bytes are taken, in bytes a millisecond; 0: as fast as they come. */
  onXon(rate: number): FlowFault | undefined;
  /** The stream is over. */
  stop(): void;
}

/** What the receiving side of a stream has to tell the far end, other than a SENDME. */
export type StreamSignal =
  | { readonly kind: 'xoff' }
  /** In bytes a millisecond; 0: as fast as they come. */
  | { readonly kind: 'xon'; readonly rate: number };

/** The receiving side of a stream. */
export interface StreamReceiver {
  /** DATA cells that may still come, at most: what a stream that we end must put up with. */
  readonly cells: number;
  /** DATA cells came with so many bytes; `full`: whoever reads the stream takes no more for now, so they wait. */
  deliver(cells: number, bytes: number, full: boolean): FlowFault | undefined;
  /** Whoever reads the stream has taken what waited. */
  drained(): void;
  /** True when a stream SENDME is owed, to be paid when bytes are taken. */
  readonly due: boolean;
  /** A stream SENDME goes out. */
  acknowledge(): void;
  /** What is to be told now; it is taken as told. */
  signal(): StreamSignal | undefined;
  /** The stream is over. */
  stop(): void;
}

/** Both sides of a stream at one of its ends. */
export interface StreamFlow {
  readonly sender: StreamSender;
  readonly receiver: StreamReceiver;
}

/** How one circuit is controlled, between its client and one of its hops. */
export interface CircuitFlow {
  readonly sent: PackageWindow;
  readonly received: DeliverWindow;
  /** True: streams have windows and SENDMEs of their own; otherwise XOFF and XON. */
  readonly streamWindows: boolean;
  /** DATA cells that may be under way for one stream. */
  readonly streamCells: number;
  /** For a new stream. @param onOpen the sender is open again, by no cell of the far end. */
  stream(onOpen: () => void): StreamFlow;
}
