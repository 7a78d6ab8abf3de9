import { ControllerService } from '../client/controller/controller-service.ts';
import { parseTorrc, type Torrc } from '../src/config/torrc.ts';
import { ClientLab, type ClientLabOptions } from './client-lab.fixture.ts';
import type { Talk } from './talker.fixture.ts';

const controllerPort = 9_052;
const cookie = new Uint8Array(32).fill(7);

/** What AUTHENTICATE is given in hex. */
export const cookieHex = '07'.repeat(32);

export const torrcText =
  'DataDirectory /nowhere\nDirAuthority a b 1.2.3.4:5 c\nMaxCircuitDirtiness 5 minutes\n';

/** A client in a simulated network, once it has a circuit, and programs that control it. */
export class ControllerLab {
  readonly lab: ClientLab;
  /** What the torrc says when it is read again. */
  torrc = torrcText;
  /** How often a controller wanted the client to end. */
  stops = 0;

  constructor(options: ClientLabOptions = {}) {
    this.lab = new ClientLab(options).bootstrap();
    const { host, ports } = this.lab.machine;
    this.lab.turn(core => {
      const service = new ControllerService(core, ports, {
        secrets: { cookie: { bytes: cookie, file: '/nowhere/cookie' }, passwords: [] },
        version: '1.2.3',
        facts: {
          pid: 42,
          uid: 7,
          user: 'somebody',
          torrcFile: '/nowhere/torrc',
          listeners: { socks: ['127.0.0.1:9050'], control: ['unix:/nowhere/control'] },
        },
        torrc: torrcOf(this.torrc),
        money: undefined,
        readTorrc: () => parseTorrc(this.torrc, 'torrc'),
        stop: () => {
          this.stops += 1;
        },
      });
      host.node.onLog = ({ level, event, fields }) => service.onLog(level, event, fields);
      core.addService('controller', service);
      host.streams.listen(controllerPort, 'controller');
      service.start();
    });
  }

  /** A program that may not command yet. */
  connect(): Program {
    return new Program(this.lab, this.lab.connect(controllerPort));
  }

  /** A program that has authenticated. */
  program(): Program {
    const program = this.connect();
    program.ask(`AUTHENTICATE ${cookieHex}`);
    return program;
  }
}

/** One controller: commands and their replies, and the events between them. */
export class Program {
  readonly talk: Talk;
  readonly #lab: ClientLab;

  constructor(lab: ClientLab, talk: Talk) {
    this.#lab = lab;
    this.talk = talk;
  }

  /** The lines of the reply to a command, its data among them. */
  ask(command: string): readonly string[] {
    const before = this.#read().replies.length;
    this.talk.send(`${command}\r\n`);
    this.#lab.until(() => this.#read().replies.length > before || this.talk.over, `an answer to ${command}`);
    return this.#read().replies[before] ?? [];
  }

  /** The value of a key, its lines joined by commas; the error's line where there is none. */
  info(key: string): string {
    const [first, ...more] = this.ask(`GETINFO ${key}`);
    if (!first.startsWith('250')) return first;
    if (first.startsWith('250+')) return more.slice(0, -2).join(',');
    return first.slice(`250-${key}=`.length);
  }

  /** Whole events so far, without their 650; those of several lines joined. */
  get events(): readonly string[] {
    return this.#read().events;
  }

  /** The first event, of those so far or to come, that matches. */
  event(wanted: RegExp): string {
    let found: string | undefined;
    this.#lab.until(() => {
      found = this.events.find(each => wanted.test(each));
      return found !== undefined;
    }, `an event like ${wanted}`);
    return found ?? '';
  }

  /** spec: control-spec 2.3 */
  #read(): { replies: string[][]; events: string[] } {
    const replies: string[][] = [];
    const events: string[] = [];
    let lines: string[] = [];
    let data = false;
    for (const line of this.talk.text.split('\r\n').slice(0, -1)) {
      lines.push(line);
      data = data ? line !== '.' : /^\d{3}\+/.test(line);
      if (data || !/^\d{3} /.test(line)) continue;
      if (lines[0].startsWith('650'))
        events.push(lines.map(each => each.replace(/^650[-+ ]/, '')).join('\n'));
      else replies.push(lines);
      lines = [];
    }
    return { replies, events };
  }
}

function torrcOf(text: string): Torrc {
  const parsed = parseTorrc(text, 'torrc');
  if (!parsed.ok) throw new Error(parsed.fault.detail);
  return parsed.value;
}
