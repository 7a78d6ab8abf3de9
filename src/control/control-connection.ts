import { utf8 } from '../base/bytes.ts';
import { controlBacklogBytesMax, controlInputBytesMax } from '../base/limits.ts';
import { CommandReader, type ControlCommand } from './command-reader.ts';
import type { ControlAuth } from './control-auth.ts';
import { encodeReply, type Reply, replyCode, replyLine, replyOk } from './control-reply.ts';
import { wordsOf } from './control-text.ts';

/** The connection as bytes: one stream of a StreamPort. */
export interface ControlWire {
  /** Takes all of `bytes`. False: full, onWritable follows. */
  write(bytes: Uint8Array): boolean;
  pause(): void;
  resume(): void;
  /** Sends what was written, for a while, then closes. */
  close(): void;
}

/** Who carries commands out, once a controller has authenticated. */
export interface ControlHost {
  readonly eventNames: ReadonlySet<string>;
  run(command: ControlCommand, connection: ControlConnection): Reply;
}

/** Extensions of the protocol that are always on. spec: control-spec 3.19 */
export const featureNames: readonly string[] = ['VERBOSE_NAMES', 'EXTENDED_EVENTS'];

const httpMethod = /^(GET|HEAD|POST|PUT|DELETE|CONNECT|OPTIONS|PATCH)$/;
const httpHint = utf8(
  'HTTP/1.0 501 This is no HTTP server\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n' +
    'This port speaks the Tor control protocol, not HTTP.\n',
);

/**
 * One controller: bytes in, replies and events out.
 *
 * | state         | commands |
 * |---------------|----------|
 * | new           | PROTOCOLINFO and AUTHCHALLENGE once each, AUTHENTICATE, QUIT; all else, and each refusal, ends it |
 * | authenticated | those, SETEVENTS, USEFEATURE, and what the host carries out |
 *
 * A controller that does not read is not read from either: its commands wait, and with them what they would answer.
 * spec: control-spec 2, 3.4, 3.5
 */
export class ControlConnection {
  /** What it asked to be told of. */
  events: ReadonlySet<string> = new Set();
  /** The client ends with this connection. spec: control-spec 3.23 */
  owner = false;
  readonly #wire: ControlWire;
  readonly #auth: ControlAuth;
  readonly #host: ControlHost;
  readonly #reader = new CommandReader();
  /** Commands that were used up: they may come once before AUTHENTICATE. */
  readonly #asked = new Set<string>();
  #authenticated = false;
  #over = false;
  #full = false;
  /** Bytes written since the wire was full. */
  #backlogBytes = 0;
  /** Events that happen during a command follow its reply. */
  #held: Uint8Array[] | undefined;

  constructor(wire: ControlWire, auth: ControlAuth, host: ControlHost) {
    this.#wire = wire;
    this.#auth = auth;
    this.#host = host;
  }

  get authenticated(): boolean {
    return this.#authenticated;
  }

  onBytes(bytes: Uint8Array): void {
    if (this.#over) return;
    this.#reader.push(bytes);
    if (this.#reader.pendingBytes > controlInputBytesMax) this.close();
    else this.#pump();
  }

  onWritable(): void {
    if (this.#over) return;
    this.#full = false;
    this.#backlogBytes = 0;
    this.#wire.resume();
    this.#pump();
  }

  /** One event, encoded as a whole. */
  tell(event: Uint8Array): void {
    if (this.#held === undefined) this.#write(event);
    else this.#held.push(event);
  }

  close(): void {
    if (this.#over) return;
    this.#over = true;
    this.#wire.close();
  }

  #pump(): void {
    while (!this.#over && !this.#full) {
      const command = this.#reader.next();
      if (command === undefined) return;
      if (command === 'too-long') this.close();
      else this.#onCommand(command);
    }
  }

  #onCommand(command: ControlCommand): void {
    this.#held = [];
    const reply = this.#authenticated ? this.#run(command) : this.#admit(command);
    const held = this.#held;
    this.#held = undefined;
    if (reply !== undefined) this.#write(encodeReply(reply));
    for (const event of held) this.#write(event);
    const refused = !this.#authenticated && reply?.[0].code !== replyCode.ok;
    if (refused || command.keyword === 'QUIT') this.close();
  }

  /** Before the controller has authenticated. Undefined: it was answered otherwise. */
  #admit({ keyword, rest }: ControlCommand): Reply | undefined {
    const first = !this.#asked.has(keyword);
    this.#asked.add(keyword);
    const challenged = this.#asked.has('AUTHCHALLENGE');
    if (keyword === 'QUIT') return closing;
    if (keyword === 'AUTHENTICATE') return this.#authenticate(rest);
    if (keyword === 'AUTHCHALLENGE' && first) return this.#auth.challenge(rest);
    // After a challenge nothing but its answer is heard.
    if (keyword === 'PROTOCOLINFO' && first && !challenged) return this.#auth.protocolInfo(rest);
    if (!httpMethod.test(keyword))
      return replyLine(replyCode.authenticationRequired, 'Authentication required.');
    this.#wire.write(httpHint);
    return undefined;
  }

  #run(command: ControlCommand): Reply {
    const { keyword, rest } = command;
    switch (keyword) {
      case 'QUIT':
        return closing;
      case 'PROTOCOLINFO':
        return this.#auth.protocolInfo(rest);
      case 'AUTHCHALLENGE':
        return this.#auth.challenge(rest);
      case 'AUTHENTICATE':
        return this.#authenticate(rest);
      case 'SETEVENTS':
        return this.#setEvents(rest);
      case 'USEFEATURE':
        return this.#useFeature(rest);
      default:
        return this.#host.run(command, this);
    }
  }

  #authenticate(rest: string): Reply {
    const reply = this.#auth.authenticate(rest);
    this.#authenticated = reply === replyOk;
    return reply;
  }

  /** What is not listed is no longer told; a name that is none changes nothing. */
  #setEvents(rest: string): Reply {
    const wanted = wordsOf(rest).filter(word => word.toUpperCase() !== 'EXTENDED');
    const unknown = wanted.find(word => !this.#host.eventNames.has(word.toUpperCase()));
    if (unknown !== undefined)
      return replyLine(replyCode.unrecognizedEntity, `Unrecognized event "${unknown}"`);
    this.events = new Set(wanted.map(word => word.toUpperCase()));
    return replyOk;
  }

  #useFeature(rest: string): Reply {
    const unknown = wordsOf(rest).find(word => !featureNames.includes(word.toUpperCase()));
    if (unknown === undefined) return replyOk;
    return replyLine(replyCode.unrecognizedEntity, `Unrecognized feature "${unknown}"`);
  }

  #write(bytes: Uint8Array): void {
    if (this.#over) return;
    if (this.#full) this.#backlogBytes += bytes.length;
    if (this.#backlogBytes > controlBacklogBytesMax) {
      this.close();
      return;
    }
    if (this.#wire.write(bytes) || this.#full) return;
    this.#full = true;
    this.#wire.pause();
  }
}

const closing: Reply = replyLine(replyCode.ok, 'closing connection');
