import type { Fault } from '../../src/base/fault.ts';
import { type Reply, type ReplyLine, replyCode, replyLine } from '../../src/control/control-reply.ts';
import { quoteWire } from '../../src/control/control-text.ts';
import { formatDocumentTime } from '../../src/directory/calendar.ts';
import type { NetworkView } from '../../src/directory/network-view.ts';
import type { RelayInfo } from '../../src/directory/relay-info.ts';
import type { Clock, LogFields, Observer } from '../../src/ports.ts';
import type { ClientCore } from '../client-core.ts';
import type { CircuitStep, ClientWatch, CreditedPayment } from '../client-watch.ts';
import type { HeldLink, LinkStep } from '../link-pool.ts';
import type { ManagedCircuit } from '../managed-circuit.ts';
import type { RequestedStream, StreamRequest, StreamStep } from '../requested-stream.ts';
import { type Bootstrap, bootstrapOf, bootstrapWords } from './bootstrap-words.ts';
import {
  circuitEndWords,
  circuitWords,
  endpointWord,
  hostWord,
  isoTime,
  linkWord,
  purposeWord,
  relayWord,
  stepStatus,
  streamEndWords,
  streamWords,
} from './circuit-words.ts';
import type { ControllerMoney } from './controller-money.ts';
import { relayEntry } from './network-words.ts';
import { paymentWords } from './payment-words.ts';

/** What SETEVENTS takes. PAYMENT is ours: a hop has credited a payment. spec: control-spec 4.1 */
export const eventNames = [
  'ADDRMAP',
  'BW',
  'CIRC',
  'CIRC_MINOR',
  'CONF_CHANGED',
  'DEBUG',
  'ERR',
  'GUARD',
  'INFO',
  'NEWCONSENSUS',
  'NEWDESC',
  'NOTICE',
  'NS',
  'ORCONN',
  'PAYMENT',
  'SIGNAL',
  'STATUS_CLIENT',
  'STATUS_GENERAL',
  'STATUS_SERVER',
  'STREAM',
  'STREAM_BW',
  'WARN',
] as const;
export type EventName = (typeof eventNames)[number];

/** Gives an event to whoever asked for it; it is made only when somebody did. */
export type TellEvent = (name: EventName, make: () => Reply | undefined) => void;

const severities = { debug: 'DEBUG', info: 'NOTICE', warn: 'WARN', error: 'ERR' } as const;

/** How long an address that an exit has told counts as known: it is kept nowhere. */
const addressMsMax = 60_000;

/** Turns what happens in the client into events. */
export class ControllerEvents implements ClientWatch {
  readonly #core: ClientCore;
  readonly #clock: Clock;
  readonly #money: ControllerMoney;
  readonly #tell: TellEvent;
  #view: NetworkView | undefined;
  #bootstrap: Bootstrap | undefined;
  readonly #carried = new WeakMap<RequestedStream, Pick<RequestedStream, 'bytesIn' | 'bytesOut'>>();
  #guards: ReadonlyMap<string, string>;

  constructor(core: ClientCore, clock: Clock, money: ControllerMoney, tell: TellEvent) {
    this.#core = core;
    this.#clock = clock;
    this.#money = money;
    this.#tell = tell;
    this.#guards = this.#guardStates();
  }

  onCircuit(circuit: ManagedCircuit, step: CircuitStep): void {
    this.#tell('CIRC', () => {
      const why = step === 'ended' ? ` ${circuitEndWords(circuit)}` : '';
      return event(`CIRC ${circuit.id} ${circuitWords(circuit, stepStatus(circuit, step))}${why}`);
    });
    if (step === 'extended') return;
    this.#tellBootstrap();
    this.#tellGuards();
  }

  /** A controller has changed what a circuit is for. */
  onPurpose(circuit: ManagedCircuit, before: ManagedCircuit['purpose']): void {
    this.#tell('CIRC_MINOR', () =>
      event(
        `CIRC_MINOR ${circuit.id} PURPOSE_CHANGED ${circuitWords(circuit, '').trim()} OLD_PURPOSE=${purposeWord(before)}`,
      ),
    );
  }

  onStream(stream: RequestedStream, step: StreamStep): void {
    const { request, to } = stream;
    if (step.kind === 'remapped' && step.address !== to.host) this.onAddress(to.host, step.address);
    if (step.kind === 'closed') this.#tellCarried(stream);
    this.#tell('STREAM', () => {
      switch (step.kind) {
        case 'new': {
          const from = request.source;
          const source = from === undefined ? '' : ` SOURCE_ADDR=${endpointWord(from.host, from.port)}`;
          const status = request.goal.kind === 'resolve' ? 'NEWRESOLVE' : 'NEW';
          return streamEvent(stream, status, `${source} PURPOSE=USER${loginWords(request)}`);
        }
        case 'unattached':
          return streamEvent(stream, 'CONTROLLER_WAIT');
        case 'sent':
          return streamEvent(
            stream,
            request.goal.kind === 'resolve' ? 'SENTRESOLVE' : 'SENTCONNECT',
            loginWords(request),
          );
        case 'remapped':
          return event(`STREAM ${streamWords(stream, 'REMAP', step.address)} SOURCE=EXIT`);
        case 'succeeded':
          return streamEvent(stream, 'SUCCEEDED');
        case 'detached':
        case 'failed':
        case 'closed':
          return streamEvent(stream, step.kind.toUpperCase(), ` ${streamEndWords(step)}`);
      }
    });
  }

  /** What address a name has; undefined: none is known. */
  onAddress(host: string, address: string | undefined): void {
    this.#tell('ADDRMAP', () => {
      const until = quoteWire(formatDocumentTime(this.#clock.wallMs() + addressMsMax));
      const words = `ADDRMAP ${hostWord(host)} ${address === undefined ? '<error>' : hostWord(address)} ${until}`;
      return event(`${words}${address === undefined ? ' error=yes' : ''} EXPIRES=${until} CACHED="NO"`);
    });
  }

  onLink(link: HeldLink, step: LinkStep, fault?: Fault): void {
    this.#tell('ORCONN', () => {
      const words = `ORCONN ${linkWord(link, this.#core.planner.view)}`;
      if (step === 'launched') return event(`${words} LAUNCHED ID=${link.id}`);
      if (step === 'connected') return event(`${words} CONNECTED ID=${link.id}`);
      const status = link.ready ? 'CLOSED' : 'FAILED';
      return event(`${words} ${status} REASON=${linkReason(fault)} NCIRCS=${link.circuits} ID=${link.id}`);
    });
    this.#tellBootstrap();
  }

  onView(view: NetworkView): void {
    const before = this.#view;
    this.#view = view;
    if (before === undefined) this.#status('NOTICE', 'ENOUGH_DIR_INFO');
    if (before?.validAfterMs !== view.validAfterMs)
      this.#tell('NEWCONSENSUS', () => entriesEvent('NEWCONSENSUS', view.relays));
    this.#tell('NS', () => {
      const known = (relay: RelayInfo): RelayInfo | undefined => before?.relayById(relay.rsaId);
      return entriesEvent(
        'NS',
        view.relays.filter(relay => !isSameEntry(known(relay), relay)),
      );
    });
    this.#tell('NEWDESC', () => {
      const relays = newlyDescribed(before, view).map(relayWord);
      return relays.length === 0 ? undefined : event(['NEWDESC', ...relays].join(' '));
    });
    this.#tellBootstrap();
    this.#tellGuards();
  }

  onPayment(circuit: ManagedCircuit, payment: CreditedPayment): void {
    this.#money.onPayment(circuit, payment);
    this.#tell('PAYMENT', () => event(`PAYMENT ${paymentWords(circuit, payment)}`));
  }

  /** A line of the log; its text is as safe as the log's. */
  onLog(level: Parameters<Observer['log']>[0], name: string, fields: LogFields = {}): void {
    this.#tell(severities[level], () => {
      const words = Object.entries(fields).map(([key, value]) => `${key}=${value}`);
      return event([severities[level], name, ...words].join(' '));
    });
  }

  /** A second has passed: what went over all links in it, and what each stream has carried since it was last told. */
  onSecond(read: number, written: number): void {
    this.#tell('BW', () => event(`BW ${read} ${written}`));
    for (const stream of this.#core.streams.streams) this.#tellCarried(stream);
  }

  onSignal(name: string): void {
    this.#tell('SIGNAL', () => event(`SIGNAL ${name}`));
  }

  /** Options that have another value now; undefined: their default. */
  onConfigChanged(changed: readonly (readonly [option: string, value: string | undefined])[]): void {
    if (changed.length === 0) return;
    this.#tell('CONF_CHANGED', () => {
      const lines = changed.map(([option, value]) =>
        eventLine(value === undefined ? option : `${option}=${value}`),
      );
      return [eventLine('CONF_CHANGED'), ...lines, eventLine('OK')];
    });
  }

  #tellCarried(stream: RequestedStream): void {
    const { id, bytesIn, bytesOut } = stream;
    const before = this.#carried.get(stream) ?? { bytesIn: 0, bytesOut: 0 };
    const [read, written] = [bytesIn - before.bytesIn, bytesOut - before.bytesOut];
    if (read + written === 0) return;
    this.#carried.set(stream, { bytesIn, bytesOut });
    this.#tell('STREAM_BW', () =>
      event(`STREAM_BW ${id} ${written} ${read} ${isoTime(this.#clock.wallMs())}`),
    );
  }

  #tellBootstrap(): void {
    if (this.#bootstrap?.progress === 100) return;
    const now = bootstrapOf(this.#core);
    if (now.progress <= (this.#bootstrap?.progress ?? -1)) return;
    this.#bootstrap = now;
    if (now.progress === 100) this.#status('NOTICE', 'CIRCUIT_ESTABLISHED');
    this.#status('NOTICE', bootstrapWords(now));
  }

  #status(severity: string, words: string): void {
    this.#tell('STATUS_CLIENT', () => event(`STATUS_CLIENT ${severity} ${words}`));
  }

  #tellGuards(): void {
    const before = this.#guards;
    this.#guards = this.#guardStates();
    for (const [word, state] of this.#guards) {
      const earlier = before.get(word);
      if (earlier === undefined) this.#guard(word, 'NEW');
      else if (earlier !== state && state !== 'unlisted') this.#guard(word, state.toUpperCase());
    }
    for (const word of before.keys()) if (!this.#guards.has(word)) this.#guard(word, 'DROPPED');
  }

  #guardStates(): ReadonlyMap<string, string> {
    return new Map(this.#core.planner.guardStates.map(guard => [relayWord(guard), guard.state]));
  }

  #guard(word: string, status: string): void {
    this.#tell('GUARD', () => event(`GUARD ENTRY ${word} ${status}`));
  }
}

function event(text: string): Reply {
  return replyLine(replyCode.event, text);
}

function eventLine(text: string): ReplyLine {
  return { code: replyCode.event, text };
}

function streamEvent(stream: RequestedStream, status: string, more = ''): Reply {
  return event(`STREAM ${streamWords(stream, status)}${more}`);
}

/** By which a controller tells whose stream it is. */
function loginWords({ login }: StreamRequest): string {
  if (login === undefined) return '';
  return ` SOCKS_USERNAME=${quoteWire(login.user)} SOCKS_PASSWORD=${quoteWire(login.password)}`;
}

function entriesEvent(name: string, relays: readonly RelayInfo[]): Reply | undefined {
  const data = relays.map(relayEntry).join('');
  return relays.length === 0 ? undefined : [{ code: replyCode.event, text: name, data }, eventLine('OK')];
}

function isSameEntry(before: RelayInfo | undefined, now: RelayInfo): boolean {
  return before !== undefined && relayEntry(before) === relayEntry(now);
}

function newlyDescribed(before: NetworkView | undefined, view: NetworkView): readonly RelayInfo[] {
  return view.relays.filter(relay => {
    const known = before?.relayById(relay.rsaId)?.microdescriptorDigest;
    return known === undefined || relay.microdescriptorDigest.some((byte, at) => byte !== known[at]);
  });
}

function linkReason(fault: Fault | undefined): string {
  if (fault?.code === 'LINK_CLOSED') return 'DONE';
  if (fault?.code === 'LINK_TIMEOUT') return 'TIMEOUT';
  return fault?.code === 'LINK_WRONG_IDENTITY' ? 'IDENTITY' : 'MISC';
}
