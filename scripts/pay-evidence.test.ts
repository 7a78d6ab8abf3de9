import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { toHex } from '../src/base/bytes.ts';
import { brokerKey } from '../src/broker/broker-lab.fixture.ts';
import { frauds } from '../src/schemes/frauds.fixture.ts';
import { DiskThread } from '../test/disk-thread.fixture.ts';
import { runNaulon } from './naulon.fixture.ts';

let root: string;
let thread: DiskThread;
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'naulon-evidence-'));
  thread = await DiskThread.start();
});
afterAll(async () => {
  await thread.stop();
  rmSync(root, { recursive: true, force: true });
});

/** The proof with one digit of its last statement changed. */
function tampered(text: string): string {
  const proof = JSON.parse(text) as { parts: string[] };
  const last = proof.parts.pop() as string;
  const at = last.length >> 1;
  proof.parts.push(`${last.slice(0, at)}${last[at] === '0' ? '1' : '0'}${last.slice(at + 1)}`);
  return JSON.stringify(proof);
}

it.each(frauds.map((fraud, at) => ({ ...fraud, at, name: fraud.scheme.name })))(
  'tells from a file of the broker who is guilty by $name: $cheat',
  { timeout: 60_000 },
  async ({ name, cheat, commit, at }) => {
    const broker = join(root, `broker-${at}`);
    const { guilty, role } = commit(
      thread.disk({ dataDirectory: broker, store: undefined }, brokerKey.publicKey),
    );
    // While the broker has its records open.
    const folder = join(root, `evidence-${at}`);
    const wrote = await runNaulon(['pay', 'evidence', '--dir', broker, '-o', folder]);
    expect(wrote).toMatchObject({ code: 0, err: '' });
    const [file, ...more] = wrote.out.trimEnd().split('\n');
    expect(more).toEqual([]);
    expect(file).toMatch(/\.proof\.json$/);
    thread.close();

    const changed = join(root, `tampered-${at}.proof.json`);
    const text = readFileSync(file, 'utf8');
    writeFileSync(changed, tampered(text));
    const [proven, unproven] = await Promise.all(
      [file, changed].map(each => runNaulon(['pay', 'proof', each])),
    );
    expect(proven).toMatchObject({ code: 0, err: '' });
    expect(proven.out).toMatch(new RegExp(`^${name}: the ${role} ${toHex(guilty)} .+\\.\n$`));
    expect(unproven).toMatchObject({ code: 1, err: '' });
    expect(unproven.out).toMatch(/^proves nothing: .+\n$/);
    expect(JSON.parse(text)).toMatchObject({ scheme: name, cheat });
  },
);

it('says in one line of what is no proof that it is none, and of a broker without any that it has none', async () => {
  const half = join(root, 'half.proof.json');
  writeFileSync(half, '{"format": "naulon cheat proof 1", "scheme": "ppay"');
  const cut = await runNaulon(['pay', 'proof', half]);
  expect(cut).toMatchObject({ code: 2, out: '' });
  expect(cut.err).toMatch(/^[^\n]*half\.proof\.json: it is no JSON[^\n]*\n$/);
  const nowhere = await runNaulon(['pay', 'evidence', '--dir', join(root, 'nowhere')]);
  expect(nowhere).toMatchObject({ code: 3, out: '' });
  expect(nowhere.err).toMatch(/^[^\n]*no broker has records[^\n]*\n$/);
});
