import { toHex } from '../../src/base/bytes.ts';
import { destroyReason, endReason } from '../../src/cell/commands.ts';
import { formatDocumentTime } from '../../src/directory/calendar.ts';
import type { NetworkView } from '../../src/directory/network-view.ts';
import type { CircuitPurpose } from '../circuit-want.ts';
import type { CircuitStep } from '../client-watch.ts';
import type { HeldLink } from '../link-pool.ts';
import type { ManagedCircuit, ManagedFault } from '../managed-circuit.ts';
import type { RequestedStream, StreamPhase } from '../requested-stream.ts';

/** How circuits, streams and relays are written in replies and events. spec: control-spec 2.4, 4.1.1, 4.1.2 */

/** `$FINGERPRINT~Nickname` */
export function relayWord({
  rsaId,
  nickname,
}: {
  readonly rsaId: Uint8Array;
  readonly nickname: string;
}): string {
  return `$${toHex(rsaId).toUpperCase()}~${nickname}`;
}

/** The relay at a link's far end; by its fingerprint alone where the network view does not have it. */
export function linkWord({ rsaId }: HeldLink, view: NetworkView | undefined): string {
  const nickname = view?.relayById(rsaId)?.nickname;
  return nickname === undefined ? `$${toHex(rsaId).toUpperCase()}` : relayWord({ rsaId, nickname });
}

/** The words that follow an id in `circuit-status` and in a CIRC event; the path holds the hops that are there. */
export function circuitWords(circuit: ManagedCircuit, status: string): string {
  const path = circuit.path.slice(0, circuit.hopsBuilt).map(relayWord);
  const words = [status, ...(path.length === 0 ? [] : [path.join(',')])];
  words.push(`BUILD_FLAGS=${buildFlags(circuit.purpose)}`, `PURPOSE=${purposeWord(circuit.purpose)}`);
  words.push(`TIME_CREATED=${isoTime(circuit.createdWallMs)}`);
  return words.join(' ');
}

/** A circuit's status as it stands. */
export function circuitStatus(circuit: ManagedCircuit): string {
  switch (circuit.state) {
    case 'linking':
    case 'building':
      return circuit.hopsBuilt === 0 ? 'LAUNCHED' : 'EXTENDED';
    case 'open':
    case 'closing':
      return 'BUILT';
    case 'ended':
      return isBuilt(circuit) ? 'CLOSED' : 'FAILED';
  }
}

export function stepStatus(circuit: ManagedCircuit, step: CircuitStep): string {
  switch (step) {
    case 'launched':
      return 'LAUNCHED';
    case 'extended':
      return 'EXTENDED';
    case 'built':
      return 'BUILT';
    case 'ended':
      return circuitStatus(circuit);
  }
}

function isBuilt(circuit: ManagedCircuit): boolean {
  return circuit.hopsBuilt === circuit.path.length;
}

export function purposeWord(purpose: CircuitPurpose): string {
  return purpose === 'fixed' ? 'CONTROLLER' : 'GENERAL';
}

function buildFlags(purpose: CircuitPurpose): string {
  return purpose === 'directory' ? 'ONEHOP_TUNNEL,IS_INTERNAL,NEED_CAPACITY' : 'NEED_CAPACITY';
}

/** Names of DESTROY's reasons, as events give them. */
const destroyWords: Readonly<Record<number, string>> = {
  [destroyReason.none]: 'NONE',
  [destroyReason.protocol]: 'TORPROTOCOL',
  [destroyReason.internal]: 'INTERNAL',
  [destroyReason.requested]: 'REQUESTED',
  [destroyReason.hibernating]: 'HIBERNATING',
  [destroyReason.resourceLimit]: 'RESOURCELIMIT',
  [destroyReason.connectFailed]: 'CONNECTFAILED',
  [destroyReason.orIdentity]: 'OR_IDENTITY',
  [destroyReason.channelClosed]: 'CHANNEL_CLOSED',
  [destroyReason.finished]: 'FINISHED',
  [destroyReason.timeout]: 'TIMEOUT',
  [destroyReason.destroyed]: 'DESTROYED',
  [destroyReason.noSuchService]: 'NOSUCHSERVICE',
};

const circuitFaultWords: Readonly<Record<ManagedFault['code'], string>> = {
  CIRCUIT_LINK: 'CHANNEL_CLOSED',
  CIRCUIT_TIMEOUT: 'TIMEOUT',
  CIRCUIT_DESTROYED: 'DESTROYED',
  CIRCUIT_PROTOCOL: 'TORPROTOCOL',
  CIRCUIT_CLOSED: 'FINISHED',
  CIRCUIT_NO_PATH: 'NOPATH',
  CIRCUIT_UNPAID: 'RESOURCELIMIT',
  CIRCUIT_CHEATED: 'TORPROTOCOL',
};

/** Why a circuit is no more: `REASON=… [REMOTE_REASON=…]`. */
export function circuitEndWords(circuit: ManagedCircuit): string {
  const { fault, destroyReason: remote } = circuit;
  const never = fault?.code === 'CIRCUIT_LINK' && circuit.hopsBuilt === 0;
  const reason = never ? 'CONNECTFAILED' : circuitFaultWords[fault?.code ?? 'CIRCUIT_CLOSED'];
  if (remote === undefined) return `REASON=${reason}`;
  return `REASON=DESTROYED REMOTE_REASON=${destroyWords[remote] ?? remote}`;
}

/** Names of END's reasons, as events give them and CLOSESTREAM takes their numbers. */
const endWords: Readonly<Record<number, string>> = {
  [endReason.misc]: 'MISC',
  [endReason.resolveFailed]: 'RESOLVEFAILED',
  [endReason.connectRefused]: 'CONNECTREFUSED',
  [endReason.exitPolicy]: 'EXITPOLICY',
  [endReason.destroy]: 'DESTROY',
  [endReason.done]: 'DONE',
  [endReason.timeout]: 'TIMEOUT',
  [endReason.noRoute]: 'NOROUTE',
  [endReason.hibernating]: 'HIBERNATING',
  [endReason.internal]: 'INTERNAL',
  [endReason.resourceLimit]: 'RESOURCELIMIT',
  [endReason.connectionReset]: 'CONNRESET',
  [endReason.torProtocol]: 'TORPROTOCOL',
  [endReason.notDirectory]: 'NOTDIRECTORY',
};

export function isEndReason(reason: number): boolean {
  return Object.hasOwn(endWords, reason);
}

/** Why a stream ended or was taken from its circuit. */
export function streamEndWords({
  reason,
  remote,
}: {
  readonly reason: number;
  readonly remote: boolean;
}): string {
  const word = endWords[reason] ?? String(reason);
  return remote ? `REASON=END REMOTE_REASON=${word}` : `REASON=${word}`;
}

/** A stream's status as it stands. */
export function streamStatus(stream: RequestedStream): string {
  const resolves = stream.request.goal.kind === 'resolve';
  const words: Readonly<Record<StreamPhase, string>> = {
    waiting: resolves ? 'NEWRESOLVE' : 'NEW',
    sent: resolves ? 'SENTRESOLVE' : 'SENTCONNECT',
    open: 'SUCCEEDED',
  };
  return words[stream.phase];
}

/** `ID STATUS CIRCUIT HOST:PORT`; a host other than the one asked for is what an exit made of it. */
export function streamWords(stream: RequestedStream, status: string, host = stream.to.host): string {
  return `${stream.id} ${status} ${stream.circuit?.id ?? 0} ${endpointWord(host, stream.to.port)}`;
}

/** A name that an exit told may hold anything; what is no part of a word is shown as a question mark. */
export function hostWord(host: string): string {
  return host.replace(/[^!-~]/g, '?');
}

export function endpointWord(host: string, port: number): string {
  const word = hostWord(host);
  return `${word.includes(':') ? `[${word}]` : word}:${port}`;
}

/** `2026-01-31T23:59:00.123000` */
export function isoTime(wallMs: number): string {
  const fraction = String(Math.floor(wallMs % 1_000)).padStart(3, '0');
  return `${formatDocumentTime(wallMs).replace(' ', 'T')}.${fraction}000`;
}
