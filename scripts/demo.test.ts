import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { brokeredSchemes } from '../src/schemes/brokered.ts';
import { accountLines } from './demo-accounts.ts';
import { brokeredLines } from './demo-brokered.ts';
import { naulonFile } from './node-process.ts';
import { processesNaming } from './processes.fixture.ts';

const timeoutMs = 120_000;
let temp: string;
beforeEach(() => {
  temp = mkdtempSync(join(tmpdir(), 'naulon-demo-test-'));
});
afterEach(() => rmSync(temp, { recursive: true, force: true }));

function startDemo(...args: string[]) {
  const child = spawn(process.execPath, [naulonFile(), 'demo', '--size', '3000000', ...args], {
    env: { ...process.env, TMPDIR: temp, NO_COLOR: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [out, err] = ['', ''];
  child.stdout.on('data', chunk => {
    out += chunk;
  });
  child.stderr.on('data', chunk => {
    err += chunk;
  });
  const ended = new Promise<{ code: number | null; out: string; err: string }>(done =>
    child.once('close', code => done({ code, out, err })),
  );
  const says = (wanted: RegExp) =>
    new Promise<void>((said, failed) => {
      createInterface(child.stderr).on('line', line => {
        if (wanted.test(line)) said();
      });
      void ended.then(({ code }) => failed(new Error(`ended with ${code}, never said ${wanted}:\n${err}`)));
    });
  return { child, ended, says };
}

const nothingLeft = () => readdirSync(temp).length === 0 && processesNaming(temp).length === 0;

describe('the demo', () => {
  it(
    'streams over three paid hops and settles to the satoshi',
    async () => {
      const { code, out, err } = await startDemo('--json').ended;
      expect({ code, err: code === 0 ? '' : err }).toEqual({ code: 0, err: '' });
      const { ok, stream, relays, wrong } = JSON.parse(out);
      expect({ ok, wrong, bytes: stream.bytes }).toEqual({ ok: true, wrong: [], bytes: 3_000_000 });
      expect(relays.map(({ relay }: { relay: string }) => relay)).toEqual(['guard1', 'middle1', 'exit1']);
      for (const relay of relays) {
        const { paidMsat, earnedSat, returnedSat, anchorSat, lockedSat, settlement } = relay;
        expect(BigInt(earnedSat)).toBeGreaterThan(0n);
        expect(BigInt(paidMsat)).toBe(BigInt(earnedSat) * 1_000n);
        const sum = [earnedSat, returnedSat, anchorSat, settlement.feeSat].map(BigInt);
        expect(sum.reduce((total, each) => total + each)).toBe(BigInt(lockedSat));
        expect(settlement.confirmations).toBeGreaterThan(0);
        expect(relay.cells).toBeGreaterThan(6_000);
      }
      expect(nothingLeft()).toBe(true);
    },
    timeoutMs,
  );

  it.each([
    ...brokeredSchemes.map(({ name }) => [name, name]),
    ['tally', './dist/examples/tally-scheme/index.js'],
  ])(
    'streams over three hops that are paid by %s, and each of them has redeemed what it was paid',
    { timeout: timeoutMs },
    async (name, scheme) => {
      const { code, out, err } = await startDemo('--scheme', scheme, '--json').ended;
      expect({ code, err: code === 0 ? '' : err }).toEqual({ code: 0, err: '' });
      const { ok, stream, relays, wrong, books } = JSON.parse(out);
      expect({ ok, wrong, bytes: stream.bytes }).toEqual({ ok: true, wrong: [], bytes: 3_000_000 });
      expect(relays.map(({ relay }: { relay: string }) => relay)).toEqual(['guard1', 'middle1', 'exit1']);
      let earned = 0n;
      for (const { paidMsat, earnedMsat, cells, payments } of relays) {
        expect(earnedMsat).toBe(paidMsat);
        expect(BigInt(earnedMsat)).toBeGreaterThan(0n);
        expect(payments).toBeGreaterThan(0);
        expect(cells).toBeGreaterThan(6_000);
        earned += BigInt(earnedMsat);
      }
      const [sold, ...others] = books.schemes;
      expect([sold.scheme, others]).toEqual([name, []]);
      const [issued, deposited, outstanding] = [
        sold.issuedMsat,
        sold.depositedMsat,
        sold.outstandingMsat,
      ].map(BigInt);
      expect(issued).toBe(deposited + outstanding);
      expect(deposited).toBeGreaterThanOrEqual(earned);
      expect(BigInt(books.receivedMsat)).toBe(BigInt(books.heldMsat) + outstanding);
      expect(nothingLeft()).toBe(true);
    },
  );

  it('tells what brokered relays were paid in the columns and the unit of the others', () => {
    const paid = { price: '100,000 sat/GiB', cells: 6_263, payments: 2 };
    const accounts = [
      { ...paid, relay: 'guard1', paidMsat: 1_274_000n, earnedMsat: 1_274_000n },
      { ...paid, relay: 'exit1', paidMsat: 1_000_500n, earnedMsat: 1_000_500n },
    ];
    const schemes = new Map([[1, { issuedMsat: 9_000_000n, depositedMsat: 3_000_000n }]]);
    const books = {
      receivedMsat: 0n,
      paidOutMsat: 0n,
      heldMsat: new Map(),
      balancesMsat: new Map(),
      schemes,
    };
    const [headings, guard, , sum, , note] = brokeredLines(accounts, { books }, new Map([[1, 6_000_000n]]));
    expect(headings.split(/ {2,}/)).toEqual(accountLines([])[0].split(/ {2,}/));
    expect(guard).toMatch(/^guard1 .* 1,274 +1,274 +2 +0$/);
    expect(sum).toMatch(/^sum +12,526 +2,274\.500 +2,274\.500 +4 +725\.500 +0 +9,000$/);
    expect(note).toContain('6,000 sat of it');
  });

  it(
    'prints its steps as plain lines when piped, and ends on Ctrl-C with nothing left',
    async () => {
      const { child, ended, says } = startDemo();
      await says(/✔ channels/);
      child.kill('SIGINT');
      const { code, out, err } = await ended;
      expect(code).toBe(130);
      expect(err).toMatch(/1\/6 option.*\n.*2\/6 PATH/);
      expect(err).toMatch(/✔ wallet/);
      expect(`${out}${err}`).not.toContain('\x1b');
      expect(nothingLeft()).toBe(true);
    },
    timeoutMs,
  );

  it(
    'leaves nothing when it is killed',
    async () => {
      const { child, ended, says } = startDemo();
      await says(/✔ network/);
      child.kill('SIGKILL');
      await ended;
      while (!nothingLeft()) await pause(50);
    },
    timeoutMs,
  );
});
