import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { controlConnectionsMax } from '../../src/base/limits.ts';
import { exitTo } from '../../test/client-lab.fixture.ts';
import { ControllerLab, type Program } from '../../test/controller-lab.fixture.ts';
import { socksAnswer, socksRequest } from '../../test/talker.fixture.ts';
import { endpointWord } from './circuit-words.ts';

const path = 'relay0,relay1,relay4';

/** Builds a circuit along relays and waits until it is there. Returns its number. */
function extend(program: Program, relays = path): number {
  program.ask('SETEVENTS CIRC STREAM');
  const [answer] = program.ask(`EXTENDCIRCUIT 0 ${relays}`);
  const id = Number(/^250 EXTENDED (\d+)$/.exec(answer)?.[1]);
  program.event(new RegExp(`^CIRC ${id} BUILT `));
  return id;
}

const nicknames = (words: string): string => [...words.matchAll(/~(\w+)/g)].map(([, name]) => name).join(',');

describe('whoever connects', () => {
  let lab: ControllerLab;
  beforeAll(() => {
    lab = new ControllerLab();
  });

  it('commands once it has shown the cookie', () => {
    const program = lab.connect();
    expect(program.ask('PROTOCOLINFO 1')).toContain('250-VERSION Tor="0.4.9.0-naulon-1.2.3"');
    expect(lab.program().info('version')).toBe('0.4.9.0-naulon-1.2.3');
  });

  it.each(['GETINFO version', 'AUTHENTICATE', 'POST / HTTP/1.1\r\nHost: a\r\n\r\nSIGNAL SHUTDOWN'])(
    'is sent away after %j',
    command => {
      const program = lab.connect();
      program.talk.send(`${command}\r\n`);
      lab.lab.until(() => program.talk.over, 'the end');
      expect(lab.stops).toBe(0);
    },
  );

  it('has two minutes to authenticate', () => {
    const program = lab.connect();
    const startUs = lab.lab.world.nowUs;
    lab.lab.until(() => program.talk.over, 'the end');
    expect(Math.round((lab.lab.world.nowUs - startUs) / 1e6)).toBe(120);
    const known = lab.program();
    lab.lab.world.runUntil(() => false, { virtualMs: 200_000 });
    expect(known.info('process/pid')).toBe('42');
  });

  it('is one of so many', () => {
    const lab = new ControllerLab();
    const programs = Array.from({ length: controlConnectionsMax + 1 }, () => lab.connect());
    lab.lab.until(() => programs.some(({ talk }) => talk.over), 'the end of one');
    expect(programs.filter(({ talk }) => talk.over)).toHaveLength(1);
  });
});

describe('GETINFO', () => {
  let program: Program;
  beforeAll(() => {
    program = new ControllerLab().program();
  });

  it('knows every key that it names', () => {
    const names = program.info('info/names').split(',');
    const keys = names.map(line => line.split(' ')[0]).filter(key => !key.endsWith('*'));
    expect(keys.length).toBeGreaterThan(60);
    const refused = keys.filter(key => !program.ask(`GETINFO ${key}`)[0].startsWith('250'));
    const cannot = ['address', 'address/v4', 'address/v6', 'fingerprint'];
    expect(refused).toEqual([...cannot, 'payment/balance', 'payment/channels']);
  });

  it.each([
    ['process/user', /^somebody$/],
    ['config-file', /^\/nowhere\/torrc$/],
    ['config-text', /,MaxCircuitDirtiness 600(,|$)/],
    ['net/listeners/control', /^"unix:\/nowhere\/control"$/],
    ['circuit-status', /,\d+ BUILT \$[0-9A-F]{40}~relay\d.* PURPOSE=GENERAL TIME_CREATED=\d{4}-\d\d-\d\dT/],
    ['stream-status', /^$/],
    ['orconn-status', /,\$[0-9A-F]{40}~relay\d CONNECTED$/],
    ['entry-guards', /^\$[0-9A-F]{40}~relay\d up/],
    [
      'ns/name/relay2',
      /^r relay2 \S{27} A{27} 2038-01-01 00:00:00 \S+ \d+ 0,s .*Running.*,w Bandwidth=\d+,p reject/,
    ],
    ['md/name/relay2', /^onion-key,ntor-onion-key /],
    ['status/bootstrap-phase', /^NOTICE BOOTSTRAP PROGRESS=100 TAG=done SUMMARY="Done"$/],
    ['status/circuit-established', /^1$/],
    ['consensus/valid-until', /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/],
    ['dir/status-vote/current/consensus', /^network-status-version 3 microdesc,/],
    ['traffic/read', /^[1-9]\d+$/],
    ['ip-to-country/1.2.3.4', /^551 /],
    ['payment/schemes', /^memory-credit$/],
    ['desc/name/relay2', /^552 We fetch microdescriptors/],
    ['ns/name/nobody', /^$/],
    ['md/name/nobody', /^552 Unrecognized key "md\/name\/nobody"$/],
    ['ns/id/$12', /^$/],
    ['__proto__', /^552 /],
    ['toString', /^552 /],
  ])('%s', (key, expected) => expect(program.info(key)).toMatch(expected));

  it('finds a relay by its fingerprint, however it is written', () => {
    const [, entry] = /^(.*?),/.exec(program.info('ns/name/relay3')) ?? [];
    const id = /\$([0-9A-F]{40})~relay3/.exec(program.info('entry-guards'))?.[1] ?? '';
    for (const name of [id, `$${id}`, `$${id}~relay3`, `$${id.toLowerCase()}=relay3`])
      expect(program.info(`ns/id/${name}`)).toContain(entry);
  });

  it('answers all keys of a question, or none', () => {
    const answer = program.ask('GETINFO dormant  version');
    expect(answer).toEqual(['250-dormant=0', '250-version=0.4.9.0-naulon-1.2.3', '250 OK']);
    expect(program.ask('GETINFO a version b')).toEqual([
      '552-Unrecognized key "a"',
      '552 Unrecognized key "b"',
    ]);
    expect(program.ask('GETINFO')).toEqual(['250 OK']);
  });

  it('tells the bytes of each second, as BW does', () => {
    program.ask('SETEVENTS BW');
    const [, read, written] = program.event(/^BW/).split(' ');
    expect(program.info('bw-event-cache').split(' ').at(-1)).toBe(`${read},${written}`);
  });
});

describe('options', () => {
  const start = () => {
    const lab = new ControllerLab();
    return { lab, program: lab.program() };
  };

  it('are told as torrc has them, and as they were changed', () => {
    const { program } = start();
    expect(program.ask('GETCONF datadirectory Nickname MaxCircuitDirtiness')).toEqual([
      '250-DataDirectory=/nowhere',
      '250-Nickname',
      '250 MaxCircuitDirtiness=600',
    ]);
    program.ask('SETEVENTS CONF_CHANGED');
    expect(program.ask('SETCONF MaxCircuitDirtiness="20 seconds" __leavestreamsunattached=1')).toEqual([
      '250 OK',
    ]);
    expect(program.event(/./)).toBe('CONF_CHANGED\nMaxCircuitDirtiness=20\n__LeaveStreamsUnattached=1\nOK');
    expect(program.ask('GETCONF MaxCircuitDirtiness')).toEqual(['250 MaxCircuitDirtiness=20']);
    program.ask('RESETCONF MaxCircuitDirtiness');
    expect(program.ask('GETCONF MaxCircuitDirtiness')).toEqual(['250 MaxCircuitDirtiness=600']);
  });

  it.each([
    ['SETCONF Foo=1', '552'],
    ['SETCONF MaxCircuitDirtiness=soon', '513'],
    ['SETCONF MaxCircuitDirtiness=0', '513'],
    ['SETCONF __LeaveStreamsUnattached=2', '513'],
    ['SETCONF SocksPort=1', '553'],
    ['SETCONF DataDirectory', '553'],
    ['SETCONF DataDirectory=/nowhere', '250'],
    ['SETCONF Nickname', '250'],
    ['SETCONF Nickname="a', '512'],
    ['SETCONF', '250'],
    ['GETCONF Foo', '552'],
    ['GETCONF', '250'],
    ['RESETCONF SocksTimeout=5 Foo', '552'],
    ['+LOADCONF\r\nFoo 1\r\n.', '552'],
    ['+LOADCONF\r\nSocksTimeout 5\r\n.', '553'],
  ])('%j is answered %s, and changes nothing where it fails', (command, code) => {
    const { program } = start();
    const before = program.info('config-text');
    expect(program.ask(command)[0].slice(0, 3)).toBe(code);
    expect(program.info('config-text')).toBe(before);
  });

  it('are loaded from a whole torrc, and from the file again', () => {
    const { lab, program } = start();
    program.ask(`+LOADCONF\r\n${lab.torrc.replaceAll('\n', '\r\n')}SocksTimeout 33\r\n.`);
    expect(program.ask('GETCONF SocksTimeout')).toEqual(['250 SocksTimeout=33']);
    program.ask('SETEVENTS WARN CONF_CHANGED');
    lab.torrc += 'MaxCircuitDirtiness 44\nSocksPort 1\n';
    expect(program.ask('SIGNAL RELOAD')).toEqual(['250 OK']);
    expect(program.event(/^WARN/)).toBe('WARN options need a new start options=SocksPort');
    expect(program.event(/^CONF/)).toBe('CONF_CHANGED\nMaxCircuitDirtiness=44\nSocksTimeout=120\nOK');
  });
});

describe('circuits', () => {
  it('are built along a path, told of at each step, and closed', () => {
    const program = new ControllerLab().program();
    const id = extend(program, 'relay0,relay1,relay4 purpose=controller');
    const told = program.events.filter(event => event.startsWith(`CIRC ${id} `));
    expect(told.map(event => [event.split(' ')[2], nicknames(event)])).toEqual([
      ['LAUNCHED', ''],
      ['EXTENDED', 'relay0'],
      ['EXTENDED', 'relay0,relay1'],
      ['EXTENDED', path],
      ['BUILT', path],
    ]);
    expect(program.info('circuit-status')).toContain(`${id} BUILT `);
    program.ask('SETEVENTS CIRC CIRC_MINOR');
    expect(program.ask(`SETCIRCUITPURPOSE ${id} purpose=general`)).toEqual(['250 OK']);
    expect(program.event(/^CIRC_MINOR/)).toMatch(
      /PURPOSE_CHANGED .* PURPOSE=GENERAL .* OLD_PURPOSE=CONTROLLER$/,
    );
    expect(program.ask(`CLOSECIRCUIT ${id}`)).toEqual(['250 OK']);
    expect(program.event(new RegExp(`^CIRC ${id} CLOSED`))).toMatch(/ REASON=FINISHED$/);
    expect(program.ask(`CLOSECIRCUIT ${id}`)).toEqual([`552 Unknown circuit "${id}"`]);
  });

  it('are told to have failed, and by whom', () => {
    const lab = new ControllerLab();
    const program = lab.program();
    program.ask('SETEVENTS CIRC ORCONN GUARD');
    lab.lab.network.relays[1].machine.host.node.stall(1e9);
    program.ask('SETCONF CircuitBuildTimeout=5');
    program.ask('EXTENDCIRCUIT 0 relay0,relay1,relay4');
    expect(program.event(/^CIRC \d+ FAILED/)).toMatch(/~relay0 .* REASON=TIMEOUT$/);
    program.ask('EXTENDCIRCUIT 0 relay1,relay0,relay4');
    expect(program.event(/^CIRC \d+ FAILED BUILD/)).toMatch(/ REASON=TIMEOUT$/);
    expect(program.event(/^GUARD/)).toMatch(/^GUARD ENTRY \$[0-9A-F]{40}~relay1 DOWN$/);
  });

  it.each([
    ['EXTENDCIRCUIT', '512'],
    ['EXTENDCIRCUIT 0 relay0,nobody', '552'],
    ['EXTENDCIRCUIT 0 relay0,relay0', '551'],
    ['EXTENDCIRCUIT 0 ,', '552'],
    ['EXTENDCIRCUIT 1 relay4', '551'],
    ['EXTENDCIRCUIT 999 relay4', '552'],
    ['EXTENDCIRCUIT x', '552'],
    ['EXTENDCIRCUIT 0 relay0 purpose=party', '552'],
    [`EXTENDCIRCUIT 0 ${Array.from({ length: 50 }, () => 'relay0').join(',')}`, '551'],
    ['EXTENDCIRCUIT 0 "relay0', '512'],
    ['EXTENDCIRCUIT 0', '250'],
    ['CLOSECIRCUIT -1', '552'],
    ['CLOSECIRCUIT 999 IfUnused', '552'],
    ['CLOSESTREAM 1 1', '552'],
    ['ATTACHSTREAM 1 1', '552'],
    ['ATTACHSTREAM', '512'],
    ['SETCIRCUITPURPOSE 1 purpose=general', '552'],
    ['SETCIRCUITPURPOSE 2', '512'],
    ['SETCIRCUITPURPOSE 2 purpose=party', '552'],
    ['ATTACHSTREAM 1', '512'],
    ['CLOSESTREAM 1', '512'],
    ['MAPADDRESS a', '512'],
    ['MAPADDRESS 0.0.0.0=a.example', '512'],
    ['MAPADDRESS a="b c"', '512'],
    ['MAPADDRESS a.example=::1', '250'],
    ['RESOLVE mode=reverse', '512'],
    ['RESOLVE mode=reverse a.example', '512'],
    ['RESOLVE "a;b"', '512'],
    ['RESOLVE "a b"', '512'],
    ['SIGNAL', '512'],
    ['SIGNAL KILL', '552'],
    ['SIGNAL __proto__', '552'],
    ['USEFEATURE VERBOSE_NAMES', '250'],
    ['USEFEATURE FOO', '552'],
    ['SETEVENTS FOO', '552'],
    ['SETEVENTS', '250'],
    ['ADD_ONION NEW:BEST Port=1', '510'],
    ['constructor 1', '510'],
    ['', '510'],
  ])('%j is answered with %s', (command, code) => {
    const program = new ControllerLab().program();
    expect(program.ask(command)[0].slice(0, 3)).toBe(code);
    expect(program.info('dormant')).toBe('0');
  });

  it('any commands get an answer each, and harm nothing', () => {
    const lab = new ControllerLab();
    const program = lab.program();
    const word = fc.constantFrom(
      '0',
      '1',
      '2',
      '99',
      'relay0',
      'relay0,relay4',
      '"',
      'a=b',
      '=',
      'purpose=general',
    );
    const command = fc.constantFrom(
      'EXTENDCIRCUIT',
      'ATTACHSTREAM',
      'CLOSECIRCUIT',
      'CLOSESTREAM',
      'SETCIRCUITPURPOSE',
      'MAPADDRESS',
      'GETINFO',
      'GETCONF',
      'SETCONF',
      'RESETCONF',
      'SETEVENTS',
      'USEFEATURE',
      'RESOLVE',
      'SIGNAL',
    );
    const rest = fc.array(fc.oneof(word, fc.stringMatching(/^[ -~]{0,12}$/)), { maxLength: 4 });
    fc.assert(
      fc.property(command, rest, (keyword, words) => {
        const [first] = program.ask(`${keyword} ${words.join(' ')}`);
        expect(first).toMatch(/^[2-5]\d\d[-+ ]/);
      }),
      { numRuns: 500 },
    );
    expect(lab.lab.core.ready).toBe(true);
  });
});

describe('streams', () => {
  /** A program that leads streams, a circuit of its own, and a server to go to. */
  const start = () => {
    const lab = new ControllerLab();
    const server = lab.lab.destination('93.184.216.35', 80, 'a.example');
    const program = lab.program();
    const circuit = extend(program);
    program.ask('SETCONF __LeaveStreamsUnattached=1');
    const browser = lab.lab.socks().send(socksRequest('connect', 'a.example', 80));
    const [, stream] = program.event(/^STREAM \d+ NEW/).split(' ');
    return { lab, server, program, circuit, browser, stream };
  };

  it('wait to be attached, and go where they are led', () => {
    const { lab, server, program, circuit, browser, stream } = start();
    expect(program.info('stream-status')).toBe(`${stream} NEW 0 a.example:80`);
    expect(program.ask(`ATTACHSTREAM ${stream} ${circuit}`)).toEqual(['250 OK']);
    program.event(/^STREAM \d+ SUCCEEDED/);
    lab.lab.until(() => server.visits.length === 1, 'a visit');
    server.visits[0].send('hello');
    lab.lab.until(() => socksAnswer(browser).rest === 'hello', 'what the server says');
    expect(program.info('stream-status')).toBe(`${stream} SUCCEEDED ${circuit} a.example:80`);
    program.ask('SETEVENTS STREAM STREAM_BW');
    expect(program.event(/^STREAM_BW/)).toMatch(new RegExp(`^STREAM_BW ${stream} 0 5 \\d{4}-.*T`));
    expect(program.ask(`ATTACHSTREAM ${stream} ${circuit}`)[0]).toMatch(/^555/);
    expect(program.ask(`CLOSESTREAM ${stream} 1`)).toEqual(['250 OK']);
    lab.lab.until(() => browser.over, 'the end of the stream');
    const steps = program.events.filter(event => event.startsWith(`STREAM ${stream} `));
    expect(steps.map(step => step.split(' ').slice(2).join(' '))).toEqual([
      expect.stringMatching(/^NEW 0 a\.example:80 SOURCE_ADDR=81\.2\.2\.2:\d+ PURPOSE=USER$/),
      'CONTROLLER_WAIT 0 a.example:80',
      `SENTCONNECT ${circuit} a.example:80`,
      `REMAP ${circuit} 93.184.216.35:80 SOURCE=EXIT`,
      `SUCCEEDED ${circuit} a.example:80`,
      `CLOSED ${circuit} a.example:80 REASON=MISC`,
    ]);
  });

  it.each([
    ['999 1', '552'],
    ['STREAM 999', '552'],
    ['STREAM', '512'],
    ['STREAM CIRCUIT HOP=4', '551'],
    ['STREAM CIRCUIT HOP=x', '551'],
    ['STREAM CIRCUIT HOP=1.5', '551'],
    ['STREAM CIRCUIT HOP=3', '250'],
    ['STREAM 0', '250'],
  ])('are led by ATTACHSTREAM %s: %s', (words, code) => {
    const { program, circuit, stream } = start();
    const command = `ATTACHSTREAM ${words.replace('STREAM', stream).replace('CIRCUIT', String(circuit))}`;
    expect(program.ask(command)[0].slice(0, 3)).toBe(code);
    if (code === '250') program.event(new RegExp(`^STREAM ${stream} SUCCEEDED`));
    else expect(program.info('stream-status')).toContain(`${stream} NEW 0 `);
  });

  it('come back when an exit refuses them, and may be led elsewhere', () => {
    const choosy = exitTo('reject 93.184.216.0/24:*', 'accept *:*');
    const relaySettings = (index: number) => ({
      exitPolicy: index === 4 ? choosy : exitTo(index === 5 ? 'accept *:*' : 'reject *:*'),
    });
    const lab = new ControllerLab({ relaySettings });
    lab.lab.destination('93.184.216.35', 80, 'a.example');
    const program = lab.program();
    const [first, second] = [extend(program), extend(program, 'relay0,relay1,relay5')];
    program.ask('SETCONF __LeaveStreamsUnattached=1');
    lab.lab.socks().send(socksRequest('connect', 'a.example', 80));
    const [, stream] = program.event(/^STREAM \d+ NEW/).split(' ');
    program.ask(`ATTACHSTREAM ${stream} ${first}`);
    expect(program.event(/ DETACHED /)).toMatch(/ REASON=END REMOTE_REASON=EXITPOLICY$/);
    program.ask(`ATTACHSTREAM ${stream} ${second}`);
    program.event(new RegExp(`^STREAM ${stream} SUCCEEDED ${second}`));
  });

  it('are told with the user and password that their program gave', () => {
    const lab = new ControllerLab();
    const program = lab.program();
    program.ask('SETEVENTS stream');
    const login = { user: 'a "b"', password: 'é\r\n650 BW' };
    lab.lab.socks().send(socksRequest('connect', 'a.example', 80, login));
    const words = 'SOCKS_USERNAME="a \\"b\\"" SOCKS_PASSWORD="\\303\\251\\r\\n650 BW"';
    for (const status of ['NEW', 'SENTCONNECT'])
      expect(program.event(new RegExp(`^STREAM \\d+ ${status}`)).endsWith(words)).toBe(true);
  });

  it('are led to mapped addresses until they are no more', () => {
    const lab = new ControllerLab();
    const server = lab.lab.destination('93.184.216.35', 80, 'a.example');
    const program = lab.program();
    expect(program.ask('MAPADDRESS Elsewhere.example=a.example')).toEqual([
      '250 Elsewhere.example=a.example',
    ]);
    expect(program.info('address-mappings/control')).toBe('elsewhere.example a.example NEVER');
    lab.lab.socks().send(socksRequest('connect', 'elsewhere.EXAMPLE', 80));
    lab.lab.until(() => server.visits.length === 1, 'a visit');
    program.ask('MAPADDRESS elsewhere.example=elsewhere.example');
    expect(program.info('address-mappings/all')).toBe('');
  });

  it('look names up for a program', () => {
    const lab = new ControllerLab();
    lab.lab.destination('93.184.216.35', 80, 'a.example');
    const program = lab.program();
    program.ask('SETEVENTS ADDRMAP');
    expect(program.ask('RESOLVE a.example nowhere.example')).toEqual(['250 OK']);
    expect(program.event(/^ADDRMAP a/)).toMatch(/^ADDRMAP a\.example 93\.184\.216\.35 "[-\d: ]+" EXPIRES="/);
    expect(program.event(/^ADDRMAP n/)).toMatch(/^ADDRMAP nowhere\.example <error> "[-\d: ]+" error=yes /);
  });
});

describe('words', () => {
  it.each([
    ['a.example', 'a.example:80'],
    ['2001:db8::1', '[2001:db8::1]:80'],
    ['a b\r\n650 BW\0é', 'a?b??650?BW??:80'],
  ])('%j names an endpoint as %s', (host, word) => expect(endpointWord(host, 80)).toBe(word));
});

describe('a client', () => {
  it('leaves its circuits for streams to come at NEWNYM', () => {
    const lab = new ControllerLab();
    const program = lab.program();
    const general = () => program.info('circuit-status').split(',').length;
    expect(general()).toBeGreaterThan(0);
    const before = program.info('circuit-status');
    program.ask('SETEVENTS CIRC SIGNAL');
    expect(program.ask('SIGNAL newnym')).toEqual(['250 OK']);
    expect(program.event(/^SIGNAL/)).toBe('SIGNAL NEWNYM');
    const [, closed] = program.event(/^CIRC \d+ CLOSED/).split(' ');
    expect(before).toContain(`${closed} BUILT`);
  });

  it.each(['SHUTDOWN', 'HALT', 'INT', 'TERM'])('ends at SIGNAL %s', name => {
    const lab = new ControllerLab();
    expect(lab.program().ask(`SIGNAL ${name}`)).toEqual(['250 OK']);
    lab.lab.until(() => lab.stops === 1, 'the end');
  });

  it('ends with the connection that owns it, and with no other', () => {
    const lab = new ControllerLab();
    const [owner, other, former] = [lab.program(), lab.program(), lab.program()];
    owner.ask('TAKEOWNERSHIP');
    former.ask('TAKEOWNERSHIP');
    former.ask('DROPOWNERSHIP');
    former.talk.close();
    other.ask('QUIT');
    lab.lab.until(() => other.talk.over, 'the end of the other');
    expect(lab.stops).toBe(0);
    owner.talk.close();
    lab.lab.until(() => lab.stops === 1, 'the end');
  });

  it('tells its log, as programs ask for it', () => {
    const program = new ControllerLab().program();
    program.ask('SETEVENTS NOTICE');
    program.ask('SIGNAL DUMP');
    expect(program.event(/./)).toMatch(/^NOTICE heartbeat circuits=\d+ read=\d+ written=\d+$/);
  });

  it('tells of each consensus', () => {
    const program = new ControllerLab().program();
    program.ask('SETEVENTS NEWCONSENSUS');
    expect(program.event(/^NEWCONSENSUS/).match(/^r /gm)).toHaveLength(6);
  });

  it('tells what it pays', () => {
    const lab = new ControllerLab({ priceMsatPer2Pow20: 50_000_000n });
    lab.lab.destination('93.184.216.35', 80, 'a.example');
    const program = lab.program();
    expect(program.info('payment/prices').split(',$')).toHaveLength(6);
    program.ask('SETEVENTS PAYMENT STREAM');
    lab.lab.socks().send(socksRequest('connect', 'a.example', 80));
    program.event(/^STREAM \d+ SUCCEEDED/);
    const payments = program.events.filter(event => event.startsWith('PAYMENT '));
    const [first] = payments;
    expect(first).toMatch(
      /^PAYMENT \d+ [123] \$[0-9A-F]{40}~relay\d PRICE_MSAT=50000000 PAID_MSAT=[1-9]\d* PAYMENTS=1 BALANCE_CELLS=\d+$/,
    );
    expect(new Set(payments.map(each => each.split(' ')[2]))).toEqual(new Set(['1', '2', '3']));
    expect(program.info('payment/receipts')).toContain(first.slice('PAYMENT '.length));
    expect(program.info('payment/circuits').split(',')).toHaveLength(3);
  });
});
