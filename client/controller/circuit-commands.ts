import { parseIp } from '../../src/base/ip.ts';
import { addressMapMax } from '../../src/base/limits.ts';
import { reverseName } from '../../src/base/reverse-name.ts';
import { endReason } from '../../src/cell/commands.ts';
import type { StreamGoal } from '../../src/circuit/stream-goal.ts';
import { type Reply, replyCode, replyLine, replyOk } from '../../src/control/control-reply.ts';
import { type Argument, parseArguments } from '../../src/control/control-text.ts';
import type { CircuitPurpose } from '../circuit-want.ts';
import type { ClientCore } from '../client-core.ts';
import type { ManagedCircuit } from '../managed-circuit.ts';
import type { RequestedStream, RequestUser } from '../requested-stream.ts';
import { isEndReason } from './circuit-words.ts';
import type { ControllerEvents } from './controller-events.ts';

const unknown = (text: string): Reply => replyLine(replyCode.unrecognizedEntity, text);
const bad = (text: string): Reply => replyLine(replyCode.badArgument, text);
const failed = (text: string): Reply => replyLine(replyCode.internal, text);

interface Command {
  /** Arguments that it needs. */
  readonly least: number;
  run(given: readonly Argument[]): Reply;
}

/** Commands that build, use and end circuits and streams. spec: control-spec 3.9-3.16, 3.20 */
export class CircuitCommands {
  readonly #core: ClientCore;
  readonly #events: ControllerEvents;
  readonly #commands: Readonly<Record<string, Command>> = {
    ATTACHSTREAM: { least: 2, run: given => this.#attach(given) },
    CLOSECIRCUIT: { least: 1, run: given => this.#closeCircuit(given) },
    CLOSESTREAM: { least: 2, run: given => this.#closeStream(given) },
    EXTENDCIRCUIT: { least: 1, run: given => this.#extend(given) },
    MAPADDRESS: { least: 1, run: given => this.#mapAddress(given) },
    RESOLVE: { least: 1, run: given => this.#resolve(given) },
    SETCIRCUITPURPOSE: { least: 2, run: given => this.#setPurpose(given) },
  };

  constructor(core: ClientCore, events: ControllerEvents) {
    this.#core = core;
    this.#events = events;
  }

  /** Undefined: none of these commands. */
  run(keyword: string, rest: string): Reply | undefined {
    if (!Object.hasOwn(this.#commands, keyword)) return undefined;
    const given = parseArguments(rest);
    const { least, run } = this.#commands[keyword];
    if (given === undefined) return bad(`Bad arguments to ${keyword}: the quotes do not match`);
    if (given.length < least) return bad(`Bad arguments to ${keyword}: Need at least ${least} argument(s)`);
    return run(given);
  }

  #extend([id, ...more]: readonly Argument[]): Reply {
    const purpose = purposeOf(more);
    if (purpose === undefined) return unknown('Unknown purpose');
    if (this.#circuit(id) !== undefined)
      return failed('A circuit that exists grows no further: extend circuit 0');
    if (id.value !== '0') return unknown(`Unknown circuit "${id.value}"`);
    const names = more.find(({ key }) => key === undefined)?.value.split(',');
    const path = names?.map(name => name.replace(/(?<=^\$[0-9A-Fa-f]{40})[=~].*$/, ''));
    const view = this.#core.planner.view;
    const missing = path?.find(name => view !== undefined && view.relayByName(name) === undefined);
    if (missing !== undefined) return unknown(`No such router "${missing}"`);
    // Streams that nobody led there take no way shorter than their own.
    const shared = purpose === 'general' && (path === undefined || path.length >= this.#core.planner.hops);
    const opened = this.#core.openCircuit({ path, to: anyPort, purpose: shared ? 'general' : 'fixed' });
    if (opened.ok) return replyLine(replyCode.ok, `EXTENDED ${opened.value.id}`);
    const { code, detail } = opened.fault;
    return failed(`Couldn't start circuit: ${code}${detail === undefined ? '' : ` (${detail})`}`);
  }

  #attach([streamId, circuitId, ...more]: readonly Argument[]): Reply {
    const stream = this.#stream(streamId);
    if (stream === undefined) return unknown(`Unknown stream "${streamId.value}"`);
    const circuit = this.#circuit(circuitId);
    if (circuit === undefined && circuitId.value !== '0')
      return unknown(`Unknown circuit "${circuitId.value}"`);
    if (circuit !== undefined && circuit.state !== 'open')
      return failed("Can't attach stream to non-open origin circuit");
    const hop = more.find(({ key }) => key?.toUpperCase() === 'HOP')?.value;
    const isHop = hop === undefined || (/^[1-9]$/.test(hop) && Number(hop) <= (circuit?.path.length ?? 0));
    if (!isHop) return failed("Circuit doesn't have that many hops.");
    if (stream.attach(circuit, hop === undefined ? undefined : Number(hop) - 1)) return replyOk;
    return replyLine(replyCode.unmanaged, 'Connection is not managed by controller.');
  }

  #closeStream([id, reason]: readonly Argument[]): Reply {
    const stream = this.#stream(id);
    if (stream === undefined) return unknown(`Unknown stream "${id.value}"`);
    if (!/^\d{1,3}$/.test(reason.value) || !isEndReason(Number(reason.value)))
      return unknown(`Unrecognized reason "${reason.value}"`);
    stream.end(Number(reason.value));
    return replyOk;
  }

  #closeCircuit([id, ...flags]: readonly Argument[]): Reply {
    const circuit = this.#circuit(id);
    if (circuit === undefined) return unknown(`Unknown circuit "${id.value}"`);
    const ifUnused = flags.some(({ value }) => value.toUpperCase() === 'IFUNUSED');
    if (!ifUnused || circuit.openStreams === 0) circuit.close();
    return replyOk;
  }

  #setPurpose([id, ...more]: readonly Argument[]): Reply {
    const circuit = this.#circuit(id);
    if (circuit === undefined || circuit.purpose === 'directory')
      return unknown(`Unknown circuit "${id.value}"`);
    const purpose = purposeOf(more);
    if (purpose === undefined) return unknown('Unknown purpose');
    const before = circuit.purpose;
    circuit.purpose = purpose;
    if (before !== purpose) this.#events.onPurpose(circuit, before);
    return replyOk;
  }

  /** Programs that ask for the first are led to the second; a name that maps to itself is mapped no more. */
  #mapAddress(given: readonly Argument[]): Reply {
    const { mapped } = this.#core.streams;
    const lines = given.map(({ key, value }) => {
      const from = key?.toLowerCase();
      if (from === undefined || !isHost(from) || !isHost(value))
        return bad(`syntax error: mapping '${value}' is not of expected form 'foo=bar'.`);
      if (/^(0\.0\.0\.0|::0?|\.)$/.test(from)) return bad(`No address is made up here: name the one to map`);
      if (from === value.toLowerCase()) mapped.delete(from);
      else if (mapped.has(from) || mapped.size < addressMapMax) mapped.set(from, value);
      else return replyLine(replyCode.resourceExhausted, 'Too many addresses are mapped');
      return replyLine(replyCode.ok, `${key}=${value}`);
    });
    const [first, ...more] = lines.flat();
    return [first, ...more];
  }

  /** The answer comes as an event ADDRMAP. */
  #resolve(given: readonly Argument[]): Reply {
    const reverse = given.some(({ key, value }) => key === 'mode' && value === 'reverse');
    const names = given.filter(({ key }) => key === undefined).map(({ value }) => value);
    if (names.length === 0) return bad('Missing argument to RESOLVE');
    if (!names.every(name => (reverse ? parseIp(name) !== undefined : isHost(name))))
      return bad('Bad arguments to RESOLVE');
    for (const name of names) {
      const goal: StreamGoal = { kind: 'resolve', name: reverse ? reverseName(name) : name };
      const asked = { goal, isolation: '' };
      const tellNone = (): void => this.#events.onAddress(name, undefined);
      this.#core.openStream(asked, new Resolving(tellNone)).start();
    }
    return replyOk;
  }

  #circuit({ value }: Argument): ManagedCircuit | undefined {
    const circuit = /^\d{1,15}$/.test(value) ? this.#core.pool.get(Number(value)) : undefined;
    // No stream that is led anywhere shares a circuit with questions of payment.
    return circuit?.purpose === 'asks' ? undefined : circuit;
  }

  #stream({ value }: Argument): RequestedStream | undefined {
    return /^\d{1,15}$/.test(value) ? this.#core.streams.get(Number(value)) : undefined;
  }
}

const anyPort = { host: 'circuit.invalid', port: 443 };

/** What may be asked of an exit. */
function isHost(text: string): boolean {
  return /^[A-Za-z0-9._-]{1,253}$/.test(text) || parseIp(text) !== undefined;
}

/** `purpose=general`, the default, or `purpose=controller`. */
function purposeOf(given: readonly Argument[]): CircuitPurpose | undefined {
  const word = given.find(({ key }) => key?.toLowerCase() === 'purpose')?.value.toLowerCase() ?? 'general';
  if (word === 'general') return 'general';
  return word === 'controller' ? 'fixed' : undefined;
}

/** Nobody waits for the answer but those who hear of events. */
class Resolving implements RequestUser {
  readonly #onNone: () => void;

  constructor(onNone: () => void) {
    this.#onNone = onNone;
  }

  onOpened(): void {}

  onData(): boolean {
    return true;
  }

  onWritable(): void {}

  onResolved({ addresses }: { readonly addresses: readonly unknown[] }): void {
    if (addresses.length === 0) this.#onNone();
  }

  onClosed(reason: number): void {
    if (reason !== endReason.done) this.#onNone();
  }
}
