import type { Result } from '../../src/base/fault.ts';
import { bandwidthsToldMax, controlConnectionsMax, controllerAdmitMsMax } from '../../src/base/limits.ts';
import type { Torrc } from '../../src/config/torrc.ts';
import type { ControlCommand } from '../../src/control/command-reader.ts';
import { ControlAuth, type ControlSecrets } from '../../src/control/control-auth.ts';
import { ControlConnection, type ControlHost } from '../../src/control/control-connection.ts';
import { encodeReply, type Reply, replyCode, replyLine, replyOk } from '../../src/control/control-reply.ts';
import type { Cancel, Clock, Entropy, LogFields, Observer, StreamId, StreamPort } from '../../src/ports.ts';
import type { ClientCore, StreamService } from '../client-core.ts';
import type { MoneyDesk } from '../control-service.ts';
import { CircuitCommands } from './circuit-commands.ts';
import { ControllerEvents, type EventName, eventNames } from './controller-events.ts';
import { getInfo } from './controller-info.ts';
import { ControllerMoney } from './controller-money.ts';
import { ControllerOptions } from './controller-options.ts';
import { type SignalName, signalOf } from './controller-signals.ts';
import type { InfoSources, ProcessFacts } from './info-keys.ts';

export interface ControllerPorts {
  readonly streams: Pick<StreamPort, 'write' | 'pause' | 'resume' | 'close'>;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly observer: Observer;
}

export interface ControllerSetup {
  readonly secrets: ControlSecrets;
  /** Of naulon. */
  readonly version: string;
  readonly facts: ProcessFacts;
  readonly torrc: Torrc;
  readonly money: MoneyDesk | undefined;
  /** Reads the torrc again. */
  readTorrc(): Result<Torrc>;
  /** A controller wants the client to end, in order. */
  stop(): void;
}

/**
 * What programs judge our control protocol by: stem reads a version of C tor and asks for no more than that version has.
 * What follows it says whose it is.
 */
const likeTor = '0.4.9.0';

/** The Tor control protocol: what stem, nyx and scripts ask of the running client. spec: control-spec */
export class ControllerService implements StreamService, ControlHost {
  readonly eventNames: ReadonlySet<string> = new Set(eventNames);
  readonly #core: ClientCore;
  readonly #ports: ControllerPorts;
  readonly #setup: ControllerSetup;
  readonly #connections = new Map<StreamId, ControlConnection>();
  readonly #events: ControllerEvents;
  readonly #commands: CircuitCommands;
  readonly #options: ControllerOptions;
  readonly #sources: InfoSources;
  readonly #bandwidths: string[] = [];
  #before = { read: 0, written: 0 };
  #tick: Cancel | undefined;

  constructor(core: ClientCore, ports: ControllerPorts, setup: ControllerSetup) {
    this.#core = core;
    this.#ports = ports;
    this.#setup = setup;
    const { clock } = ports;
    const money = new ControllerMoney(core, setup.money);
    this.#events = new ControllerEvents(core, clock, money, (name, make) => this.#tell(name, make));
    this.#commands = new CircuitCommands(core, this.#events);
    this.#options = new ControllerOptions(core, setup.torrc, changed =>
      this.#events.onConfigChanged(changed),
    );
    this.#sources = {
      core,
      clock,
      facts: setup.facts,
      version: this.#version,
      money,
      bandwidths: this.#bandwidths,
      startedMs: clock.monotonicMs(),
      configText: () => this.#options.text,
    };
    core.watch = this.#events;
  }

  /** Begins to count the bytes of each second. */
  start(): void {
    this.#tick = this.#ports.clock.after(1_000, () => {
      this.#tellBandwidth();
      this.start();
    });
  }

  /** Ends every connection. */
  stop(): void {
    this.#tick?.();
    for (const connection of [...this.#connections.values()]) connection.close();
  }

  /** The client's log has a line more. */
  onLog(level: Parameters<Observer['log']>[0], event: string, fields?: LogFields): void {
    this.#events.onLog(level, event, fields);
  }

  // StreamService

  owns(stream: StreamId): boolean {
    return this.#connections.has(stream);
  }

  /** Whoever has taken longest to authenticate gives way; false: all have. */
  #makeRoom(): boolean {
    for (const connection of this.#connections.values()) {
      if (connection.authenticated) continue;
      connection.close();
      return true;
    }
    return false;
  }

  onAccepted(stream: StreamId): void {
    const { streams, clock, entropy } = this.#ports;
    if (this.#connections.size >= controlConnectionsMax && !this.#makeRoom()) {
      streams.close(stream);
      return;
    }
    const wire = {
      write: (bytes: Uint8Array) => streams.write(stream, bytes),
      pause: () => streams.pause(stream),
      resume: () => streams.resume(stream),
      close: () => {
        streams.close(stream);
        this.onClosed(stream);
      },
    };
    const auth = new ControlAuth(this.#setup.secrets, this.#version, entropy);
    const connection = new ControlConnection(wire, auth, this);
    this.#connections.set(stream, connection);
    clock.after(controllerAdmitMsMax, () => {
      if (!connection.authenticated) connection.close();
    });
  }

  onBytes(stream: StreamId, bytes: Uint8Array): void {
    this.#connections.get(stream)?.onBytes(bytes);
  }

  onWritable(stream: StreamId): void {
    this.#connections.get(stream)?.onWritable();
  }

  onEnd(stream: StreamId): void {
    this.#connections.get(stream)?.close();
  }

  /** A client that a controller owns ends with its connection. spec: control-spec 3.23 */
  onClosed(stream: StreamId): void {
    const connection = this.#connections.get(stream);
    if (!this.#connections.delete(stream) || connection?.owner !== true) return;
    this.#ports.observer.log('info', 'owner-gone');
    this.#setup.stop();
  }

  // ControlHost

  run({ keyword, rest, data }: ControlCommand, connection: ControlConnection): Reply {
    switch (keyword) {
      case 'GETINFO':
        return getInfo(this.#sources, rest);
      case 'GETCONF':
        return this.#options.getConf(rest);
      case 'SETCONF':
      case 'RESETCONF':
        return this.#options.setConf(rest);
      case '+LOADCONF':
        return this.#options.loadConf(data);
      case 'SIGNAL':
        return this.#signal(rest);
      case 'TAKEOWNERSHIP':
      case 'DROPOWNERSHIP':
        connection.owner = keyword === 'TAKEOWNERSHIP';
        return replyOk;
      default:
        return (
          this.#commands.run(keyword, rest) ??
          replyLine(replyCode.unrecognizedCommand, `Unrecognized command "${keyword}"`)
        );
    }
  }

  get #version(): string {
    return `${likeTor}-naulon-${this.#setup.version}`;
  }

  #signal(rest: string): Reply {
    if (rest === '')
      return replyLine(replyCode.badArgument, 'Bad arguments to SIGNAL: Need at least 1 argument(s)');
    const signal = signalOf(rest);
    if (signal === undefined)
      return replyLine(replyCode.unrecognizedEntity, `Unrecognized signal code "${rest}"`);
    // C tor answers before it acts, and a signal that fails is a line in its log.
    this.#ports.clock.after(0, () => this.#onSignal(signal));
    this.#events.onSignal(signal);
    return replyOk;
  }

  #onSignal(signal: SignalName): void {
    const { observer } = this.#ports;
    switch (signal) {
      case 'RELOAD': {
        const reloaded = this.#options.reload(() => this.#setup.readTorrc());
        if (!reloaded.ok) observer.log('warn', 'torrc-refused', { code: reloaded.fault.code });
        else if (reloaded.value.length > 0)
          observer.log('warn', 'options need a new start', { options: reloaded.value.join(' ') });
        break;
      }
      case 'SHUTDOWN':
      case 'HALT':
        this.#setup.stop();
        break;
      case 'NEWNYM':
        this.#core.pool.renew();
        break;
      case 'DUMP':
      case 'HEARTBEAT': {
        const { read, written } = this.#core.traffic;
        const circuits = [...this.#core.pool.circuits].length;
        observer.log('info', 'heartbeat', { circuits, read, written });
        break;
      }
      case 'CLEARDNSCACHE':
        // Exits look names up; nothing of it is kept here.
        break;
    }
  }

  #tellBandwidth(): void {
    const { read, written } = this.#core.traffic;
    const now = { read: read - this.#before.read, written: written - this.#before.written };
    this.#before = { read, written };
    this.#bandwidths.push(`${now.read},${now.written}`);
    if (this.#bandwidths.length > bandwidthsToldMax) this.#bandwidths.shift();
    this.#events.onSecond(now.read, now.written);
  }

  #tell(name: EventName, make: () => Reply | undefined): void {
    let bytes: Uint8Array | undefined;
    for (const connection of this.#connections.values()) {
      if (!connection.authenticated || !connection.events.has(name)) continue;
      if (bytes === undefined) {
        const event = make();
        if (event === undefined) return;
        bytes = encodeReply(event);
      }
      connection.tell(bytes);
    }
  }
}
