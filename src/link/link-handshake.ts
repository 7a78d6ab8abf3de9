import { equalBytes } from '../base/bytes.ts';
import { formatIp, parseIp } from '../base/ip.ts';
import { cellCommand } from '../cell/commands.ts';
import {
  type CircuitIdBytes,
  cellPayloadBytes,
  encodeFixed,
  encodeVariable,
  encodeVersionsCell,
  fixedCellBytes,
} from '../cell/link-codec.ts';
import {
  authChallengeMessage,
  authenticateMessage,
  decodeNetinfo,
  decodeVersions,
  encodeNetinfo,
  encodeVersions,
} from '../cell/link-messages.ts';
import { Sha256Log } from '../crypto/sha.ts';
import type { Entropy, LinkFacts } from '../ports.ts';
import {
  type AuthenticationFacts,
  authMethod,
  exportedKey,
  makeAuthentication,
  verifyAuthentication,
} from './authenticate.ts';
import {
  type LinkIdentity,
  type ProvenIdentity,
  rsaIdSha256,
  verifyLinkCertificates,
} from './link-certificates.ts';
import type { LinkFault, LinkPeer, LinkProtocol } from './link-faults.ts';

export interface HandshakeOptions {
  readonly initiator: boolean;
  /** Absent: a client, which shows no certificates. */
  readonly identity: LinkIdentity | undefined;
  /** Whom an initiator means to reach. */
  readonly expect: { readonly rsaId?: Uint8Array; readonly ed25519?: Uint8Array };
  readonly protocols: readonly LinkProtocol[];
  readonly facts: LinkFacts;
  readonly entropy: Entropy;
  readonly wallMs: () => number;
  /** IP texts for NETINFO. */
  readonly ownAddresses: readonly string[];
  readonly peerAddress: string;
}

/** What the machine asks of its link. */
export interface HandshakeHost {
  write(bytes: Uint8Array): void;
  useProtocol(protocol: LinkProtocol): void;
}

/**
 * Who sends what before a link is open:
 *
 *     initiator                     responder
 *     VERSIONS            ------>
 *                         <------   VERSIONS CERTS AUTH_CHALLENGE NETINFO
 *     CERTS AUTHENTICATE  ------>   (a relay that shows who it is)
 *     NETINFO             ------>
 *
 * Any other fixed cell ends the link. Padding, what later versions may know, a second VERSIONS and a NETINFO that comes
 * before it are passed over, as C tor does. spec: tor-spec/negotiating-channels
 */
export class LinkHandshake {
  readonly #options: HandshakeOptions;
  readonly #host: HandshakeHost;
  #protocol: LinkProtocol | undefined;
  #proven: ProvenIdentity | undefined;
  #challenged = false;
  #authenticated = false;
  #done: LinkPeer | undefined;
  /** What each side has sent, whatever was passed over included, up to AUTH_CHALLENGE and CERTS: AUTHENTICATE binds it. */
  readonly #sent = new Sha256Log();
  readonly #received = new Sha256Log();

  constructor(options: HandshakeOptions, host: HandshakeHost) {
    this.#options = options;
    this.#host = host;
  }

  get protocol(): LinkProtocol | undefined {
    return this.#protocol;
  }

  /** Set once the link is open. */
  get peer(): LinkPeer | undefined {
    return this.#done;
  }

  start(): void {
    if (this.#options.initiator) this.#sendVersions();
  }

  /** @param cell the whole cell with its header. */
  onVariable(circuit: number, command: number, payload: Uint8Array, cell: Uint8Array): LinkFault | undefined {
    if (command === cellCommand.versions && this.#protocol === undefined)
      return this.#onVersions(payload, cell);
    if (!handshakeCommands.has(command)) {
      if (this.#protocol === undefined && command !== cellCommand.vpadding) return unexpected(command);
      if (!this.#challenged) this.#received.add(cell);
      return undefined;
    }
    if (circuit !== 0 || this.#protocol === undefined || this.#done !== undefined) return unexpected(command);
    if (command === cellCommand.certs) return this.#onCerts(payload, cell);
    if (command === cellCommand.authChallenge) return this.#onAuthChallenge(payload, cell);
    return this.#onAuthenticate(payload);
  }

  /** The only fixed cell of the handshake is NETINFO. spec: tor-spec/negotiating-channels (NETINFO) */
  onFixed(command: number, bytes: Uint8Array, at: number): LinkFault | undefined {
    if (command !== cellCommand.netinfo) return unexpected(command);
    if (this.#protocol === undefined) return undefined;
    const netinfo = decodeNetinfo(bytes.subarray(at, at + cellPayloadBytes));
    if (netinfo === undefined) return malformed('NETINFO');
    const seen = parseIp(this.#options.peerAddress);
    const isCanonical = seen !== undefined && netinfo.own.includes(formatIp(seen));
    if (!this.#options.initiator) {
      // Certificates that no AUTHENTICATE followed prove nothing: whoever sent them is a client, as for C tor.
      this.#done =
        this.#proven !== undefined && this.#authenticated
          ? relayPeer(this.#proven, isCanonical)
          : { kind: 'client' };
      return undefined;
    }
    if (this.#proven === undefined) return unexpected(command);
    if (this.#options.identity !== undefined && this.#challenged) {
      const fault = this.#sendAuthentication(this.#options.identity, this.#proven);
      if (fault !== undefined) return fault;
    }
    this.#sendNetinfo();
    this.#done = relayPeer(this.#proven, isCanonical);
    return undefined;
  }

  #onVersions(payload: Uint8Array, cell: Uint8Array): LinkFault | undefined {
    const offered = decodeVersions(payload);
    if (offered === undefined) return malformed('VERSIONS');
    const common = this.#options.protocols.filter(version => offered.includes(version));
    if (common.length === 0) return { code: 'LINK_NO_COMMON_PROTOCOL' };
    this.#received.add(cell);
    if (!this.#options.initiator) this.#sendVersions();
    this.#protocol = highest(common);
    this.#host.useProtocol(this.#protocol);
    if (this.#options.initiator) return undefined;
    const { identity, facts, entropy } = this.#options;
    if (identity === undefined) return { code: 'LINK_UNEXPECTED_CELL', detail: 'a client takes no links' };
    this.#sendVariable(cellCommand.certs, identity.responderCerts(facts.ownCertificate));
    const challenge = authChallengeMessage.encode({ challenge: entropy.bytes(32), methods: [authMethod] });
    this.#sendVariable(cellCommand.authChallenge, challenge);
    this.#sendNetinfo();
    return undefined;
  }

  #onCerts(payload: Uint8Array, cell: Uint8Array): LinkFault | undefined {
    const { initiator, facts, expect, wallMs } = this.#options;
    if (this.#proven !== undefined || this.#challenged) return unexpected(cellCommand.certs);
    const side = initiator ? 'responder' : 'initiator';
    const verified = verifyLinkCertificates(payload, side, facts.peerCertificate, wallMs());
    if (!verified.ok) return verified.fault;
    const { rsaId, ed25519 } = verified.value;
    const wrong = (wanted: Uint8Array | undefined, found: Uint8Array) =>
      wanted !== undefined && !equalBytes(wanted, found);
    if (wrong(expect.rsaId, rsaId) || wrong(expect.ed25519, ed25519)) return { code: 'LINK_WRONG_IDENTITY' };
    this.#proven = verified.value;
    this.#received.add(cell);
    return undefined;
  }

  #onAuthChallenge(payload: Uint8Array, cell: Uint8Array): LinkFault | undefined {
    if (!this.#options.initiator || this.#challenged || this.#proven === undefined)
      return unexpected(cellCommand.authChallenge);
    const decoded = authChallengeMessage.decodePadded(payload);
    if (decoded === undefined) return malformed('AUTH_CHALLENGE');
    this.#challenged = decoded.methods.includes(authMethod);
    this.#received.add(cell);
    return undefined;
  }

  #onAuthenticate(payload: Uint8Array): LinkFault | undefined {
    const { initiator, identity, facts } = this.#options;
    const proven = this.#proven;
    if (initiator || this.#authenticated || proven?.linkAuth === undefined || identity === undefined)
      return unexpected(cellCommand.authenticate);
    const decoded = authenticateMessage.decodePadded(payload);
    if (decoded === undefined) return malformed('AUTHENTICATE');
    const initiatorRsa = rsaIdSha256(proven.rsaPublicDer);
    const exported = exportedKey(facts, initiatorRsa);
    if (exported === undefined) return ended;
    const bound: AuthenticationFacts = {
      initiatorRsa,
      responderRsa: rsaIdSha256(identity.keys.rsaIdentity.publicDer),
      initiatorEd25519: proven.ed25519,
      responderEd25519: identity.keys.identity.publicKey,
      responderLog: this.#sent.digest(),
      initiatorLog: this.#received.digest(),
      tlsCertificate: facts.ownCertificate,
      exported,
    };
    if (
      decoded.method !== authMethod ||
      !verifyAuthentication(decoded.authentication, bound, proven.linkAuth)
    )
      return { code: 'LINK_BAD_AUTHENTICATION' };
    this.#authenticated = true;
    return undefined;
  }

  #sendAuthentication(identity: LinkIdentity, responder: ProvenIdentity): LinkFault | undefined {
    const { facts, entropy } = this.#options;
    const initiatorRsa = rsaIdSha256(identity.keys.rsaIdentity.publicDer);
    const exported = exportedKey(facts, initiatorRsa);
    if (exported === undefined) return ended;
    this.#sendVariable(cellCommand.certs, identity.initiatorCerts);
    const bound: AuthenticationFacts = {
      initiatorRsa,
      responderRsa: rsaIdSha256(responder.rsaPublicDer),
      initiatorEd25519: identity.keys.identity.publicKey,
      responderEd25519: responder.ed25519,
      responderLog: this.#received.digest(),
      initiatorLog: this.#sent.digest(),
      tlsCertificate: facts.peerCertificate,
      exported,
    };
    const authentication = makeAuthentication(bound, entropy.bytes(24), identity.keys.linkAuth);
    this.#host.write(
      this.#variable(
        cellCommand.authenticate,
        authenticateMessage.encode({ method: authMethod, authentication }),
      ),
    );
    return undefined;
  }

  #sendVersions(): void {
    const cell = encodeVersionsCell(encodeVersions(this.#options.protocols));
    this.#sent.add(cell);
    this.#host.write(cell);
  }

  /** Sends a cell that the logs of AUTHENTICATE hold. */
  #sendVariable(command: number, payload: Uint8Array): void {
    const cell = this.#variable(command, payload);
    this.#sent.add(cell);
    this.#host.write(cell);
  }

  /** A client tells neither time nor address. spec: tor-spec/negotiating-channels (NETINFO) */
  #sendNetinfo(): void {
    const { identity, ownAddresses, peerAddress, wallMs } = this.#options;
    const known = identity !== undefined;
    const payload = encodeNetinfo({
      time: known ? Math.floor(wallMs() / 1000) % 2 ** 32 : 0,
      other: peerAddress,
      own: known ? ownAddresses : [],
    });
    const cell = new Uint8Array(fixedCellBytes(this.#idBytes()));
    encodeFixed(cell, 0, this.#idBytes(), 0, cellCommand.netinfo, payload, 0);
    this.#host.write(cell);
  }

  #variable(command: number, payload: Uint8Array): Uint8Array {
    return encodeVariable(this.#idBytes(), 0, command, payload);
  }

  #idBytes(): CircuitIdBytes {
    return this.#protocol === 3 ? 2 : 4;
  }
}

/** Cells that only the handshake has. Other variable-length ones are padding, or unknown. */
export const handshakeCommands: ReadonlySet<number> = new Set([
  cellCommand.certs,
  cellCommand.authChallenge,
  cellCommand.authenticate,
]);

/** The highest version that both know. spec: tor-spec/negotiating-channels (VERSIONS) */
function highest(common: readonly LinkProtocol[]): LinkProtocol {
  return common.reduce((best, version) => (version > best ? version : best));
}

function relayPeer({ rsaId, ed25519, rsaPublicDer }: ProvenIdentity, isCanonical: boolean): LinkPeer {
  return { kind: 'relay', rsaId, ed25519, rsaPublicDer, isCanonical };
}

/** The peer ended the connection behind what it said. */
const ended: LinkFault = { code: 'LINK_CLOSED', detail: 'done' };

export function unexpected(command: number): LinkFault {
  return { code: 'LINK_UNEXPECTED_CELL', detail: `command ${command}` };
}

function malformed(message: string): LinkFault {
  return { code: 'LINK_MALFORMED', detail: message };
}
