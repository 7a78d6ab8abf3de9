import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { utf8 } from '../base/bytes.ts';
import { controlBacklogBytesMax, controlCommandBytesMax, controlInputBytesMax } from '../base/limits.ts';
import { parseHashedPassword } from '../crypto/hashed-password.ts';
import { ControlAuth, type ControlSecrets } from './control-auth.ts';
import { ControlConnection } from './control-connection.ts';
import { encodeReply, replyLine } from './control-reply.ts';
import { wireBytes, wireText } from './control-text.ts';

const cookie = { bytes: new Uint8Array(32).fill(7), file: '/tmp/a "cookie" é' };
const cookieHex = '07'.repeat(32);
/** Made by `tor --hash-password`, Tor 0.4.9.11. */
const password = 'my "secret" pass';
const hashed = parseHashedPassword('16:4EF17141B3AE709D60F443CB180C012DDC280085B603014C276C8E1D09');
const byCookie: ControlSecrets = { cookie, passwords: [] };

/** A connection whose host answers every command by its name, and tells an event while it runs EVENT. */
class Controller {
  text = '';
  closed = false;
  paused = false;
  room = Number.POSITIVE_INFINITY;
  readonly ran: string[] = [];
  readonly connection: ControlConnection;

  constructor(secrets: ControlSecrets = byCookie) {
    const wire = {
      write: (bytes: Uint8Array) => {
        this.text += wireText(bytes);
        this.room -= bytes.length;
        return this.room > 0;
      },
      pause: () => {
        this.paused = true;
      },
      resume: () => {
        this.paused = false;
      },
      close: () => {
        this.closed = true;
      },
    };
    const auth = new ControlAuth(secrets, '0.4.9.11-test', {
      bytes: length => new Uint8Array(length).fill(9),
    });
    this.connection = new ControlConnection(wire, auth, {
      eventNames: new Set(['CIRC', 'BW']),
      run: ({ keyword, rest, data }, connection) => {
        this.ran.push(keyword + data);
        if (keyword === 'EVENT') connection.tell(encodeReply(replyLine(650, 'CIRC')));
        return replyLine(250, `${keyword} ${rest}`);
      },
    });
  }

  /** Sends lines; what comes back, line by line. */
  ask(...lines: readonly string[]): string[] {
    const before = this.text.length;
    this.connection.onBytes(wireBytes(lines.map(line => `${line}\r\n`).join('')));
    return this.text.slice(before).split('\r\n').slice(0, -1);
  }
}

const authenticated = (): Controller => {
  const controller = new Controller();
  expect(controller.ask(`AUTHENTICATE ${cookieHex}`)).toEqual(['250 OK']);
  return controller;
};

describe('a controller that has not authenticated', () => {
  it('learns how it can, once', () => {
    const controller = new Controller({ cookie, passwords: hashed === undefined ? [] : [hashed] });
    expect(controller.ask('PROTOCOLINFO 1')).toEqual([
      '250-PROTOCOLINFO 1',
      '250-AUTH METHODS=COOKIE,SAFECOOKIE,HASHEDPASSWORD COOKIEFILE="/tmp/a \\"cookie\\" \\303\\251"',
      '250-VERSION Tor="0.4.9.11-test"',
      '250 OK',
    ]);
    expect([controller.ask('PROTOCOLINFO 1'), controller.closed]).toEqual([
      ['514 Authentication required.'],
      true,
    ]);
  });

  it.each([
    ['GETINFO version', '514'],
    ['+LOADCONF\r\nx\r\n.', '514'],
    ['', '514'],
    ['{"id": 1, "method": "status"}', '514'],
    ['PROTOCOLINFO one', '513'],
    ['AUTHENTICATE', '515'],
    ['AUTHENTICATE 00', '515'],
    [`AUTHENTICATE ${'08'.repeat(32)}`, '515'],
    [`AUTHENTICATE ${cookieHex}00`, '515'],
    ['AUTHENTICATE hello', '551'],
    ['AUTHENTICATE "hello', '512'],
    ['AUTHENTICATE "a" "b"', '512'],
    ['AUTHCHALLENGE', '512'],
    ['AUTHCHALLENGE SAFECOOKIE', '512'],
    ['AUTHCHALLENGE SAFECOOKIE 12 34', '512'],
    ['AUTHCHALLENGE SAFECOOKIE 123', '513'],
    ['AUTHCHALLENGE PASSWORD 12', '513'],
    ['SETEVENTS CIRC', '514'],
  ])('is refused %j with %s, and nothing after it is heard', (line, code) => {
    const controller = new Controller();
    const [answer, ...more] = controller.ask(line, `AUTHENTICATE ${cookieHex}`, 'FOO');
    expect([answer.slice(0, 3), more, controller.closed, controller.ran]).toEqual([code, [], true, []]);
  });

  it.each(['GET / HTTP/1.1', 'POST /x HTTP/1.1', 'OPTIONS * HTTP/1.1'])('is told in HTTP: %s', line => {
    const controller = new Controller();
    const [status] = controller.ask(line, 'Host: x', '', `AUTHENTICATE ${cookieHex}`, 'FOO');
    expect([status, controller.closed, controller.ran]).toEqual([
      'HTTP/1.0 501 This is no HTTP server',
      true,
      [],
    ]);
  });

  it('may end', () => {
    const controller = new Controller();
    expect([controller.ask('QUIT'), controller.closed]).toEqual([['250 closing connection'], true]);
  });

  it('commands nothing, whatever it sends but the cookie', () => {
    const word = fc.constantFrom(
      'AUTHENTICATE',
      'AUTHCHALLENGE SAFECOOKIE',
      'FOO',
      'PROTOCOLINFO',
      '+FOO',
      '.',
      '',
    );
    const value = fc.oneof(fc.constantFrom('""', '00', '"', cookieHex.slice(2)), fc.string());
    fc.assert(
      fc.property(fc.array(fc.tuple(word, value)), lines => {
        const controller = new Controller();
        controller.ask(...lines.map(([a, b]) => `${a} ${b}`));
        expect([controller.ran, controller.connection.authenticated]).toEqual([[], false]);
      }),
      { numRuns: 1_000 },
    );
  });
});

describe('a secret', () => {
  const hmac = (who: string, nonce: Uint8Array): string => {
    const ours = new Uint8Array(32).fill(9);
    const key = `Tor safe cookie authentication ${who} hash`;
    return createHmac('sha256', key).update(cookie.bytes).update(nonce).update(ours).digest('hex');
  };

  it.each([
    ['ABCDEF12', Uint8Array.of(0xab, 0xcd, 0xef, 0x12)],
    ['"ab \\" c"', utf8('ab " c')],
  ])('is proven without being shown: nonce %s', (nonce, bytes) => {
    const controller = new Controller();
    const [challenge] = controller.ask(`AUTHCHALLENGE SAFECOOKIE ${nonce}`);
    const [, hash, theirs] = /^250 AUTHCHALLENGE SERVERHASH=(\w+) SERVERNONCE=(\w+)$/.exec(challenge) ?? [];
    expect([hash.toLowerCase(), theirs]).toEqual([hmac('server-to-controller', bytes), '09'.repeat(32)]);
    expect(controller.ask(`AUTHENTICATE ${hmac('controller-to-server', bytes)}`, 'FOO')).toEqual([
      '250 OK',
      '250 FOO ',
    ]);
  });

  it.each([
    ['the cookie', `AUTHENTICATE ${cookieHex}`],
    ['another challenge', 'AUTHCHALLENGE SAFECOOKIE 12'],
    ['PROTOCOLINFO', 'PROTOCOLINFO 1'],
  ])('once challenged is proven, not by %s', (_, line) => {
    const controller = new Controller();
    controller.ask('AUTHCHALLENGE SAFECOOKIE 12');
    expect([controller.ask(line)[0].slice(0, 2), controller.closed]).toEqual(['51', true]);
  });

  it.each([
    [`"${password.replaceAll('"', '\\"')}"`, '250'],
    [Buffer.from(password).toString('hex'), '250'],
    ['"my secret pass"', '515'],
    ['', '515'],
    [cookieHex, '515'],
  ])('may be a password: %s', (given, code) => {
    const controller = new Controller({ cookie: undefined, passwords: hashed === undefined ? [] : [hashed] });
    expect(controller.ask(`AUTHENTICATE ${given}`)[0].slice(0, 3)).toBe(code);
  });

  it('is not asked for where there is none', () => {
    const controller = new Controller({ cookie: undefined, passwords: [] });
    expect(controller.ask('PROTOCOLINFO', 'AUTHENTICATE', 'FOO').slice(-2)).toEqual(['250 OK', '250 FOO ']);
    expect(controller.text).toContain('AUTH METHODS=NULL\r\n');
  });

  it.each(['', '17:00', '16:00', '16:xyz', `16:${'0'.repeat(60)}`])('%j is no hashed password', text =>
    expect(parseHashedPassword(text)).toBeUndefined(),
  );
});

describe('a controller that has authenticated', () => {
  it('is answered in order, with events between replies and never within', () => {
    expect(authenticated().ask('EVENT a', '+DATA\r\nx\r\n.', 'QUIT', 'FOO')).toEqual([
      '250 EVENT a',
      '650 CIRC',
      '250 +DATA ',
      '250 closing connection',
    ]);
  });

  it('chooses its events anew each time, all or none', () => {
    const controller = authenticated();
    expect(controller.ask('SETEVENTS EXTENDED circ BW', 'SETEVENTS CIRC NOPE')).toEqual([
      '250 OK',
      '552 Unrecognized event "NOPE"',
    ]);
    expect([...controller.connection.events]).toEqual(['CIRC', 'BW']);
    controller.ask('SETEVENTS');
    expect([...controller.connection.events]).toEqual([]);
  });

  it('may use features that are always on', () => {
    expect(authenticated().ask('USEFEATURE verbose_names EXTENDED_EVENTS', 'USEFEATURE NOPE')).toEqual([
      '250 OK',
      '552 Unrecognized feature "NOPE"',
    ]);
  });

  it('is shut out again by a wrong secret', () => {
    const controller = authenticated();
    expect([controller.ask('AUTHENTICATE 00', 'FOO').length, controller.closed, controller.ran]).toEqual([
      1,
      true,
      [],
    ]);
  });

  it('is closed for a command that does not end', () => {
    const controller = authenticated();
    controller.connection.onBytes(new Uint8Array(controlCommandBytesMax + 1).fill(65));
    expect(controller.closed).toBe(true);
  });

  it('answers whatever comes with whole replies', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), text => {
        const controller = authenticated();
        controller.connection.onBytes(utf8(`${text}\r\n`));
        expect(controller.text).toMatch(/^((\d{3}[- ][^\r\n]*|\d{3}\+[^\r\n]*(\r\n[^\r\n]*)*\r\n\.)\r\n)*$/);
      }),
    );
  });
});

describe('a controller that does not read', () => {
  it('is not read from until it does', () => {
    const controller = authenticated();
    controller.room = 15;
    controller.ask('ONE', 'TWO', 'THREE');
    expect([controller.ran, controller.paused]).toEqual([['ONE', 'TWO'], true]);
    controller.room = 1_000;
    controller.connection.onWritable();
    expect([controller.ran, controller.paused]).toEqual([['ONE', 'TWO', 'THREE'], false]);
  });

  it('is closed when events for it pile up, or its commands do', () => {
    const [events, commands] = [authenticated(), authenticated()];
    for (const controller of [events, commands]) {
      controller.room = 0;
      controller.ask('ONE');
    }
    const event = new Uint8Array(1_000_000);
    for (let sent = 0; sent <= controlBacklogBytesMax; sent += event.length) {
      expect(events.closed).toBe(false);
      events.connection.tell(event);
    }
    for (let sent = 0; sent <= controlInputBytesMax; sent += 1_000)
      commands.connection.onBytes(new Uint8Array(1_000));
    expect([events.closed, commands.closed]).toEqual([true, true]);
  });
});
