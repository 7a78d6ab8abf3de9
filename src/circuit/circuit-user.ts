/** The circuit's place on its link. */
export interface CircuitCarrier {
  /** Queues a cell, copying its 509 bytes of payload. False: over the hard cap, the circuit must die. */
  send(command: number, bytes: Uint8Array, at: number): boolean;
  /** Queues RELAY cells whose payloads lie `stride` bytes apart, copying them. False as above. */
  sendRun(bytes: Uint8Array, at: number, stride: number, count: number): boolean;
  /** Cells queued and not yet written. */
  queued(): number;
  /** The circuit is gone: tells the neighbour (unless it told us), and gives the id back. */
  release(destroyReason: number | undefined): void;
}

/** How a circuit came to its end. */
export interface CircuitEnd {
  readonly by: 'us' | 'peer' | 'link';
  /** Of DESTROY or TRUNCATED. spec: tor-spec/tearing-down-circuits */
  readonly reason: number;
  /** What was wrong, when a hop broke the rules; safe to log. */
  readonly fault?: string;
  /** The hop that is to blame, as far as the client can tell. */
  readonly hop?: number;
}

/** Who owns a circuit. */
export interface CircuitUser {
  /** One more hop is there; the last one's is followed by onBuilt. */
  onHop(): void;
  /** All hops are there; payers may be set and streams opened. */
  onBuilt(): void;
  onEnded(end: CircuitEnd): void;
  /** A stream ended and none is left. */
  onIdle(): void;
}
