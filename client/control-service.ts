import { type Fault, fail, ok, type Result } from '../src/base/fault.ts';
import { controlConnectionsMax, controlLineBytesMax, endedReportsMax, hopsMax } from '../src/base/limits.ts';
import type { RelayInfo } from '../src/directory/relay-info.ts';
import type { Clock, Observer, StreamId, StreamPort } from '../src/ports.ts';
import type { CircuitReport } from './circuit-report.ts';
import { circuitReport } from './circuit-report.ts';
import type { ClientCore, StreamService } from './client-core.ts';
import { ControlParams } from './control-params.ts';
import {
  type ControlRequest,
  encodeControlLine,
  LineReader,
  parseControlRequest,
} from './control-protocol.ts';
import type { ManagedCircuit, ManagedFault } from './managed-circuit.ts';

/** Wallet and channels of a scheme, as commands see them: methods `wallet.*` and `channel.*`. */
export interface MoneyDesk {
  /** False: no such method. */
  call(method: string, params: ControlParams, talk: ControlTalk): boolean;
}

/** One request of a command. */
export interface ControlTalk {
  /** At once or later, once. */
  readonly answer: (result: Result<unknown>) => void;
  /** Any number of times before the answer. */
  readonly tell: (event: string, fields: Readonly<Record<string, unknown>>) => void;
  /** Runs when the command has gone, with its answer or without. */
  onGone(run: () => void): void;
}

export interface ControlPorts {
  readonly streams: Pick<StreamPort, 'write' | 'pause' | 'resume' | 'end' | 'close'>;
  readonly clock: Clock;
  readonly observer: Observer;
}

/** What the service tells of besides the core. */
export interface ControlFacts {
  readonly version: string;
  /** HOST:PORT of the SOCKS listener; empty: none. */
  readonly socks: string;
}

type Answer = ControlTalk['answer'];
type Tell = ControlTalk['tell'];

interface Opening {
  readonly circuit: ManagedCircuit;
  readonly pay: boolean;
  readonly answer: Answer;
  readonly tell: Tell;
}

/** A command's connection. */
interface Connection {
  readonly lines: LineReader;
  /** Requests that are not answered yet. */
  pending: number;
  /** It sends no more. */
  ended: boolean;
  /** Those that it asked for. */
  readonly circuits: Set<ManagedCircuit>;
  /** What is to be done when it is gone. */
  readonly whenGone: (() => void)[];
}

/** The control socket: what commands ask of the running client. */
export class ControlService implements StreamService {
  readonly #core: ClientCore;
  readonly #money: MoneyDesk | undefined;
  readonly #ports: ControlPorts;
  readonly #facts: ControlFacts;
  readonly #connections = new Map<StreamId, Connection>();
  #openings: Opening[] = [];
  /** What became of the circuits that ended last. */
  readonly #ended = new Map<number, CircuitReport>();
  #closings: { readonly circuit: ManagedCircuit; readonly answer: Answer }[] = [];

  constructor(core: ClientCore, money: MoneyDesk | undefined, ports: ControlPorts, facts: ControlFacts) {
    this.#core = core;
    this.#money = money;
    this.#ports = ports;
    this.#facts = facts;
  }

  owns(stream: StreamId): boolean {
    return this.#connections.has(stream);
  }

  onAccepted(stream: StreamId): void {
    if (this.#connections.size >= controlConnectionsMax) this.#ports.streams.close(stream);
    else
      this.#connections.set(stream, {
        lines: new LineReader(),
        pending: 0,
        ended: false,
        circuits: new Set(),
        whenGone: [],
      });
  }

  onBytes(stream: StreamId, bytes: Uint8Array): void {
    const connection = this.#connections.get(stream);
    if (connection === undefined) return;
    const lines = connection.lines.push(bytes);
    if (lines === undefined) {
      this.#refuse(stream, `a line of more than ${controlLineBytesMax} bytes`);
      return;
    }
    for (const line of lines) {
      const request = parseControlRequest(line);
      if (request === undefined) {
        this.#refuse(stream, 'not a request');
        return;
      }
      this.#handle(stream, connection, request);
    }
  }

  onWritable(stream: StreamId): void {
    this.#ports.streams.resume(stream);
  }

  onEnd(stream: StreamId): void {
    const connection = this.#connections.get(stream);
    if (connection === undefined) return;
    connection.ended = true;
    this.#endIfDone(stream, connection);
  }

  onClosed(stream: StreamId): void {
    this.#forget(stream);
  }

  /** The core built a circuit. */
  onCircuitOpen(circuit: ManagedCircuit): void {
    for (const opening of this.#openings.filter(each => each.circuit === circuit)) {
      opening.tell('built', { circuit: circuit.id });
      if (opening.pay) circuit.startPayments();
    }
    this.#settleOpenings(circuit);
  }

  /** All hops of a circuit have been paid. */
  onCircuitPaid(circuit: ManagedCircuit): void {
    this.#settleOpenings(circuit);
  }

  onCircuitEnded(circuit: ManagedCircuit, fault: ManagedFault): void {
    this.#ended.set(circuit.id, this.#report(circuit));
    const [oldest] = this.#ended.keys();
    if (this.#ended.size > endedReportsMax && oldest !== undefined) this.#ended.delete(oldest);
    for (const { circuits } of this.#connections.values()) circuits.delete(circuit);
    const openings = this.#openings.filter(each => each.circuit === circuit);
    this.#openings = this.#openings.filter(each => each.circuit !== circuit);
    for (const { answer } of openings) answer({ ok: false, fault });
    const closings = this.#closings.filter(each => each.circuit === circuit);
    this.#closings = this.#closings.filter(each => each.circuit !== circuit);
    for (const { answer } of closings) answer({ ok: true, value: this.#report(circuit) });
  }

  #settleOpenings(circuit: ManagedCircuit): void {
    const done = this.#openings.filter(
      each => each.circuit === circuit && circuit.state === 'open' && (!each.pay || isPaid(circuit)),
    );
    this.#openings = this.#openings.filter(each => !done.includes(each));
    for (const { answer } of done) answer({ ok: true, value: this.#report(circuit) });
  }

  #handle(stream: StreamId, connection: Connection, { id, method, params }: ControlRequest): void {
    connection.pending += 1;
    const answer: Answer = result => {
      connection.pending -= 1;
      if (result.ok) this.#send(stream, { id, result: result.value ?? null });
      else this.#send(stream, { id, error: told(result.fault) });
      this.#endIfDone(stream, connection);
    };
    const tell: Tell = (event, fields) => this.#send(stream, { id, event, ...fields });
    const given = new ControlParams(params);
    switch (method) {
      case 'status':
        answer({ ok: true, value: this.#status() });
        break;
      case 'relays':
        answer({ ok: true, value: this.#relays() });
        break;
      case 'relay':
        answer(this.#relay(given));
        break;
      case 'circuits':
        answer({ ok: true, value: [...this.#core.pool.circuits].map(each => this.#report(each)) });
        break;
      case 'circuit':
        this.#withCircuit(
          given,
          answer,
          circuit => answer({ ok: true, value: this.#report(circuit) }),
          report => answer({ ok: true, value: report }),
        );
        break;
      case 'open-circuit':
        this.#open(connection, given, answer, tell);
        break;
      case 'close-circuit':
        this.#withCircuit(
          given,
          answer,
          circuit => {
            this.#closings.push({ circuit, answer });
            circuit.close();
          },
          report => answer({ ok: true, value: report }),
        );
        break;
      case 'connect-stream':
        this.#withCircuit(given, answer, circuit => {
          answer({ ok: true, value: { socks: this.#facts.socks, ...this.#core.tickets.issue(circuit) } });
        });
        break;
      default:
        if (this.#money?.call(method, given, { answer, tell, onGone: run => connection.whenGone.push(run) }))
          break;
        if (this.#money === undefined && /^(wallet|channel)\./.test(method)) answer(noWallet);
        else answer(fail('CONTROL_UNKNOWN_METHOD', method));
    }
  }

  #status(): unknown {
    const { core, circuits, streams } = { core: this.#core, ...this.#counts() };
    const { version, socks } = this.#facts;
    const view = core.planner.view;
    const [guard] = core.planner.guards;
    return {
      version,
      ready: core.ready,
      socks,
      relays: view?.relays.length ?? 0,
      directory: core.directory.progress,
      guard: guard === undefined ? null : (view?.relayById(guard)?.nickname ?? null),
      circuits,
      streams,
    };
  }

  #counts(): { circuits: number; streams: number } {
    let circuits = 0;
    let streams = 0;
    for (const circuit of this.#core.pool.circuits) {
      circuits += 1;
      streams += circuit.openStreams;
    }
    return { circuits, streams };
  }

  #relays(): unknown {
    return (this.#core.planner.view?.relays ?? []).map(toldRelay);
  }

  /** One that the view lacks is looked for in a newer consensus; ask again. */
  #relay(given: ControlParams): Result<unknown> {
    const name = given.require('name', given.text('name'));
    const read = given.result(name ?? '');
    if (!read.ok) return read;
    const { planner } = this.#core;
    const relay = planner.view?.relayByName(read.value);
    return relay === undefined ? planner.named([read.value]) : ok(toldRelay(relay));
  }

  #open({ circuits }: Connection, given: ControlParams, answer: Answer, tell: Tell): void {
    const path = given.texts('path');
    const hops = given.integer('hops', 1, hopsMax);
    const host = given.text('host');
    const port = given.integer('port', 1, 65_535);
    const pay = given.flag('pay') ?? true;
    const user = given.text('user');
    const maxSpendMsat = given.amount('maxSpendMsat');
    const read = given.result({ window: given.window('window'), maxSpendMsat });
    const to = port === undefined ? { host: 'circuit.invalid', port: 443 } : { host: host ?? '', port };
    const opened = read.ok ? this.#core.openCircuit({ path, hops, to, terms: read.value }) : read;
    if (!opened.ok) {
      answer(opened);
      return;
    }
    const circuit = opened.value;
    circuits.add(circuit);
    if (user !== undefined) this.#core.tickets.bind(user, circuit);
    tell('building', { circuit: circuit.id, path: circuit.path.map(each => each.nickname) });
    this.#openings.push({ circuit, pay, answer, tell });
    if (circuit.state === 'open') this.onCircuitOpen(circuit);
  }

  #withCircuit(
    given: ControlParams,
    answer: Answer,
    act: (circuit: ManagedCircuit) => void,
    whenEnded: (report: CircuitReport) => void = ({ id }) =>
      answer(fail('CIRCUIT_ENDED', `circuit ${id} has ended`)),
  ): void {
    const id = given.require('circuit', given.integer('circuit', 1, Number.MAX_SAFE_INTEGER));
    const read = given.result(id);
    if (!read.ok) {
      answer(read);
      return;
    }
    const circuit = this.#core.pool.get(read.value ?? 0);
    const ended = this.#ended.get(read.value ?? 0);
    if (circuit === undefined && ended !== undefined) whenEnded(ended);
    else if (circuit === undefined) answer(fail('CIRCUIT_UNKNOWN', `there is no circuit ${read.value}`));
    else act(circuit);
  }

  #report(circuit: ManagedCircuit): CircuitReport {
    return circuitReport(circuit, this.#ports.clock.monotonicMs());
  }

  /** A command that does not read what it asked for is asked no more until it does. */
  #send(stream: StreamId, message: Readonly<Record<string, unknown>>): void {
    if (!this.#connections.has(stream)) return;
    const { streams } = this.#ports;
    if (!streams.write(stream, encodeControlLine(message))) streams.pause(stream);
  }

  #refuse(stream: StreamId, detail: string): void {
    this.#send(stream, { error: { code: 'CONTROL_MALFORMED', detail } });
    this.#forget(stream);
    this.#ports.streams.close(stream);
  }

  #endIfDone(stream: StreamId, { ended, pending }: Connection): void {
    if (!ended || pending > 0 || !this.#connections.has(stream)) return;
    this.#forget(stream);
    this.#ports.streams.end(stream);
  }

  /** A command that is gone uses its circuits no more, and nobody else knows them: what they lock up is let go. */
  #forget(stream: StreamId): void {
    const connection = this.#connections.get(stream);
    this.#connections.delete(stream);
    for (const circuit of connection?.circuits ?? []) circuit.close();
    for (const run of connection?.whenGone ?? []) run();
  }
}

const noWallet = fail(
  'WALLET_ABSENT',
  'this client has no wallet: its pay.yaml names no scheme with a chain',
);

function toldRelay(relay: RelayInfo): Readonly<Record<string, unknown>> {
  return {
    nickname: relay.nickname,
    address: `${relay.address.host}:${relay.address.port}`,
    flags: [...relay.flags].sort(),
    priceMsat: relay.priceMsatPer2Pow20,
    schemes: relay.paySchemes,
    bandwidth: relay.bandwidth,
  };
}

function isPaid(circuit: ManagedCircuit): boolean {
  return circuit.payments?.ready ?? true;
}

function told({ code, detail }: Fault): Fault {
  return { code, detail };
}
