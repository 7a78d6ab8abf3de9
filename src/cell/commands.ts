/**
 * Numbers of the Tor protocol by their names. Plain numbers travel through the code, because a node must carry
 * commands, reasons and types it has never heard of.
 */

/** spec: tor-spec/cell-packet-format */
export const cellCommand = {
  padding: 0,
  /** With its answer, CREATED: the retired TAP handshake. */
  create: 1,
  created: 2,
  relay: 3,
  destroy: 4,
  createFast: 5,
  createdFast: 6,
  versions: 7,
  netinfo: 8,
  relayEarly: 9,
  create2: 10,
  created2: 11,
  paddingNegotiate: 12,
  vpadding: 128,
  certs: 129,
  authChallenge: 130,
  authenticate: 131,
} as const;

/** Cells about circuits, but for RELAY; other cells of an open link are padding, or unknown. */
export const circuitCommands: ReadonlySet<number> = new Set([
  cellCommand.relayEarly,
  cellCommand.destroy,
  cellCommand.created,
  cellCommand.createFast,
  cellCommand.createdFast,
  cellCommand.create2,
  cellCommand.created2,
]);

/** spec: tor-spec/relay-cells. REDEEM and RECEIPT are naulon's own. */
export const relayCommand = {
  begin: 1,
  data: 2,
  end: 3,
  connected: 4,
  sendme: 5,
  extend: 6,
  extended: 7,
  truncate: 8,
  truncated: 9,
  drop: 10,
  resolve: 11,
  resolved: 12,
  beginDir: 13,
  extend2: 14,
  extended2: 15,
  confluxLink: 19,
  confluxLinked: 20,
  confluxLinkedAck: 21,
  confluxSwitch: 22,
  establishIntro: 32,
  establishRendezvous: 33,
  introduce1: 34,
  introduce2: 35,
  rendezvous1: 36,
  rendezvous2: 37,
  introEstablished: 38,
  rendezvousEstablished: 39,
  introduceAck: 40,
  xoff: 43,
  xon: 44,
  redeem: 200,
  receipt: 201,
} as const;

/** Why a stream ended. spec: tor-spec/closing-streams */
export const endReason = {
  misc: 1,
  resolveFailed: 2,
  connectRefused: 3,
  exitPolicy: 4,
  destroy: 5,
  done: 6,
  timeout: 7,
  noRoute: 8,
  hibernating: 9,
  internal: 10,
  resourceLimit: 11,
  connectionReset: 12,
  torProtocol: 13,
  notDirectory: 14,
} as const;

/**
 * naulon's answer to BEGIN and RESOLVE before a circuit was paid: RESOURCELIMIT, upon which C tor tries another exit. It
 * takes END 5 for a breach of protocol and drops the circuit without a word (seen with 0.4.9.11).
 */
export const endUnpaid = endReason.resourceLimit;

/** Why a circuit was destroyed or truncated. spec: tor-spec/tearing-down-circuits */
export const destroyReason = {
  none: 0,
  protocol: 1,
  internal: 2,
  requested: 3,
  hibernating: 4,
  resourceLimit: 5,
  connectFailed: 6,
  orIdentity: 7,
  channelClosed: 8,
  finished: 9,
  timeout: 10,
  destroyed: 11,
  noSuchService: 12,
} as const;

/** Key exchanges of CREATE2 and EXTEND2. spec: tor-spec/create-created-cells */
export const handshakeType = { tap: 0, fast: 1, ntor: 2, ntorV3: 3 } as const;

/** Kinds of address in RESOLVED and NETINFO. spec: tor-spec/remote-hostname-lookup */
export const addressType = {
  hostname: 0,
  ipv4: 4,
  ipv6: 6,
  errorTransient: 0xf0,
  errorPermanent: 0xf1,
} as const;

/** True for commands whose cells carry their own length. spec: tor-spec/cell-packet-format */
export function isVariableCommand(command: number): boolean {
  return command === cellCommand.versions || command >= 128;
}
