import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { utf8 } from '../src/base/bytes.ts';
import { controlConnectionsMax, controlLineBytesMax } from '../src/base/limits.ts';
import { ClientLab, linesOf } from '../test/client-lab.fixture.ts';
import type { CircuitReport } from './circuit-report.ts';
import { ControlService } from './control-service.ts';

const lab = new ClientLab({ priceMsatPer2Pow20: 50_000_000n }).bootstrap();

const line = (id: number, method: string, params?: unknown) => `${JSON.stringify({ id, method, params })}\n`;

/** Sends it, lets a second pass, and says what came back. */
function answersTo(sent: string | Uint8Array) {
  const command = lab.control().send(sent);
  lab.world.runFor(1_000);
  const answers = linesOf(command);
  const over = command.over;
  command.close();
  return { answers, over };
}

describe('what is no request', () => {
  it.each([
    ['no JSON', 'status'],
    ['an empty line', ''],
    ['a list', '[]'],
    ['a number', '7'],
    ['null', 'null'],
    ['no id', '{"method":"status"}'],
    ['an id with a fraction', '{"id":1.5,"method":"status"}'],
    ['an id in quotes', '{"id":"1","method":"status"}'],
    ['no method', '{"id":1}'],
    ['a method that is no text', '{"id":1,"method":["status"]}'],
    ['parameters in a list', '{"id":1,"method":"status","params":[]}'],
    ['bytes that are no text', '\xff\xfe\x00'],
  ])('%s ends the connection, after the answers to what came before', (_, bad) => {
    const { answers, over } = answersTo(`${line(1, 'status')}${bad}\n${line(2, 'status')}`);
    expect(over).toBe(true);
    expect(answers).toEqual([
      { id: 1, result: expect.objectContaining({ ready: true }) },
      { error: { code: 'CONTROL_MALFORMED', detail: expect.any(String) } },
    ]);
  });

  it('HTTP ends the connection, and nothing in its body is done', () => {
    const body = line(1, 'open-circuit', { hops: 3 });
    const before = [...lab.core.pool.circuits].length;
    const { answers, over } = answersTo(`POST / HTTP/1.1\r\nHost: localhost\r\n\r\n${body}`);
    expect(over).toBe(true);
    expect(answers).toEqual([{ error: { code: 'CONTROL_MALFORMED', detail: expect.any(String) } }]);
    expect([...lab.core.pool.circuits].length).toBe(before);
  });

  it('a line beyond the cap ends the connection, one at the cap is a request', () => {
    const padded = (bytes: number) =>
      line(1, 'status', { pad: 'x'.repeat(bytes - line(1, 'status', { pad: '' }).length) });
    expect(answersTo(padded(controlLineBytesMax)).answers).toMatchObject([{ id: 1, result: {} }]);
    const endless = answersTo('x'.repeat(controlLineBytesMax + 1_000));
    expect(endless.over).toBe(true);
    expect(endless.answers).toMatchObject([{ error: { code: 'CONTROL_MALFORMED' } }]);
  });

  it('any lines: each is answered, or the connection ends with the reason', () => {
    const text = fc.oneof(fc.string(), fc.json(), fc.constantFrom(line(1, 'circuits').trim()));
    fc.assert(
      fc.property(fc.array(text, { maxLength: 6 }), texts => {
        const lines = texts.map(each => each.replaceAll('\n', ' '));
        const { answers, over } = answersTo(utf8(lines.map(each => `${each}\n`).join('')));
        if (over) expect(answers.at(-1)).toMatchObject({ error: { code: 'CONTROL_MALFORMED' } });
        else expect(answers.length).toBe(lines.length);
      }),
      { numRuns: 50 },
    );
  });
});

describe('a request', () => {
  it('may come in any pieces', () => {
    const command = lab.control();
    for (const byte of utf8(line(5, 'status'))) {
      command.send(Uint8Array.of(byte));
      lab.world.runFor(10);
    }
    lab.until(() => linesOf(command).length === 1, 'the answer');
    expect(linesOf(command)).toMatchObject([{ id: 5, result: { version: 'test', ready: true, relays: 6 } }]);
    command.close();
  });

  it.each([
    ['nothing', {}, 'CONTROL_UNKNOWN_METHOD'],
    ['toString', {}, 'CONTROL_UNKNOWN_METHOD'],
    ['wallet.balance', {}, 'WALLET_ABSENT'],
    ['circuit', {}, 'CONTROL_BAD_PARAMETER'],
    ['circuit', { circuit: 'one' }, 'CONTROL_BAD_PARAMETER'],
    ['circuit', { circuit: -1 }, 'CONTROL_BAD_PARAMETER'],
    ['circuit', { circuit: 999_999 }, 'CIRCUIT_UNKNOWN'],
    ['close-circuit', { circuit: 999_999 }, 'CIRCUIT_UNKNOWN'],
    ['connect-stream', { circuit: 999_999 }, 'CIRCUIT_UNKNOWN'],
    ['open-circuit', { path: 'relay0' }, 'CONTROL_BAD_PARAMETER'],
    ['open-circuit', { path: [0] }, 'CONTROL_BAD_PARAMETER'],
    ['open-circuit', { path: [] }, 'PATH_BAD_WISH'],
    ['open-circuit', { path: Array(9).fill('relay0') }, 'PATH_BAD_WISH'],
    ['open-circuit', { path: ['relay0', 'relay0'] }, 'PATH_CONFLICT'],
    ['open-circuit', { path: ['relay0', 'relay9'] }, 'PATH_UNKNOWN_RELAY'],
    ['open-circuit', { hops: 0 }, 'CONTROL_BAD_PARAMETER'],
    ['open-circuit', { hops: 2.5 }, 'CONTROL_BAD_PARAMETER'],
    ['open-circuit', { hops: 7 }, 'PATH_NO_MIDDLE'],
    ['open-circuit', { port: 65_536 }, 'CONTROL_BAD_PARAMETER'],
    ['open-circuit', { window: 0 }, 'CONTROL_BAD_PARAMETER'],
    ['open-circuit', { window: 'large' }, 'CONTROL_BAD_PARAMETER'],
    ['open-circuit', { maxSpendMsat: -1 }, 'CONTROL_BAD_PARAMETER'],
    ['open-circuit', { maxSpendMsat: '1.5' }, 'CONTROL_BAD_PARAMETER'],
    ['open-circuit', { pay: 'yes' }, 'CONTROL_BAD_PARAMETER'],
    ['open-circuit', { user: 7 }, 'CONTROL_BAD_PARAMETER'],
  ] as const)('%s %j is answered with %s', (method, params, code) => {
    expect(lab.call(method, params)).toBe(code);
  });

  it('is answered under its own number, however many are under way', () => {
    const command = lab.control();
    const paths = [
      ['relay0', 'relay1', 'relay4'],
      ['relay1', 'relay2', 'relay5'],
      ['relay2', 'relay3', 'relay4'],
    ];
    for (const [at, path] of paths.entries()) command.send(line(10 + at, 'open-circuit', { path }));
    command.send(line(20, 'status')).send(line(21, 'nothing'));
    const done = () =>
      linesOf(command).filter(({ result, error }) => result !== undefined || error !== undefined);
    lab.until(() => done().length === 5, 'all are answered');
    expect(done().slice(0, 2)).toMatchObject([
      { id: 20 },
      { id: 21, error: { code: 'CONTROL_UNKNOWN_METHOD' } },
    ]);
    for (const [at, path] of paths.entries()) {
      const told = linesOf(command).filter(({ id }) => id === 10 + at);
      expect(told).toMatchObject([
        { event: 'building', path },
        { event: 'built' },
        {
          result: { state: 'open', hops: path.map(relay => ({ relay, paid: true, priceMsat: '50000000' })) },
        },
      ]);
    }
    command.close();
  });

  it('is answered after the other side has said that it sends no more', () => {
    const command = lab.control().send(line(1, 'open-circuit', { hops: 3 }));
    lab.until(() => linesOf(command).length > 0, 'the request is taken');
    command.end();
    lab.until(() => command.over, 'the connection ends');
    expect(linesOf(command).at(-1)).toMatchObject({ id: 1, result: { state: 'open' } });
  });
});

describe('a circuit that a command asked for', () => {
  const states = () =>
    new Map((lab.call('circuits') as readonly CircuitReport[]).map(({ id, state }) => [id, state]));

  it.each(['while it is built', 'once it is open'])('ends when the command goes %s', when => {
    const command = lab.control().send(line(1, 'open-circuit', { hops: 3 }));
    const last = when === 'while it is built' ? 'event' : 'result';
    lab.until(() => linesOf(command).at(-1)?.[last] !== undefined, 'word of it');
    const { circuit } = linesOf(command)[0] as { readonly circuit: number };
    expect(states().has(circuit)).toBe(true);
    command.close();
    lab.until(() => !states().has(circuit), 'it is closed', 10_000);
    expect(lab.call('circuit', { circuit })).toMatchObject({
      state: 'ended',
      fault: { code: 'CIRCUIT_CLOSED' },
    });
  });

  it('is closed on request, and told of afterwards', () => {
    const command = lab.control().send(line(1, 'open-circuit', { hops: 3 }));
    lab.until(() => linesOf(command).at(-1)?.result !== undefined, 'it is open');
    const [{ circuit: id }] = linesOf(command);
    const closed = lab.call('close-circuit', { circuit: id }) as CircuitReport;
    expect(closed).toMatchObject({ id, state: 'ended', fault: { code: 'CIRCUIT_CLOSED' } });
    expect(closed.hops.every(({ payments }) => payments > 0)).toBe(true);
    expect(lab.call('circuit', { circuit: id })).toEqual(closed);
    expect(lab.call('close-circuit', { circuit: id })).toEqual(closed);
    expect(lab.call('connect-stream', { circuit: id })).toBe('CIRCUIT_ENDED');
    command.close();
  });
});

describe('many commands, and slow ones', () => {
  it('are turned away when all places are taken, until one is free', () => {
    const full = new ClientLab();
    const idle = Array.from({ length: controlConnectionsMax }, () => full.control());
    full.world.runFor(1_000);
    expect(idle.filter(({ over }) => over)).toEqual([]);
    const late = full.control().send(line(1, 'status'));
    full.until(() => late.over, 'it is turned away');
    expect(late.text).toBe('');
    idle[0].close();
    full.world.runFor(100);
    const next = full.control().send(line(1, 'status'));
    full.until(() => linesOf(next).length === 1, 'it is answered');
  });

  it('are asked no more while they do not read', () => {
    const calls: string[] = [];
    const streams = {
      write: () => calls.push('write') < 3,
      end: () => calls.push('end'),
      close: () => calls.push('close'),
      pause: () => calls.push('pause'),
      resume: () => calls.push('resume'),
    };
    const { clock, observer } = lab.machine.ports;
    const service = new ControlService(
      lab.core,
      undefined,
      { streams, clock, observer },
      { version: '', socks: '' },
    );
    service.onAccepted(1);
    for (let id = 1; id <= 3; id++) service.onBytes(1, utf8(line(id, 'status')));
    service.onWritable(1);
    expect(calls).toEqual(['write', 'write', 'write', 'pause', 'resume']);
  });
});
