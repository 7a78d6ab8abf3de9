import { expect, it } from 'vitest';
import { runNaulon } from './naulon.fixture.ts';

interface Told {
  readonly floods: readonly {
    readonly flood: string;
    readonly figures: readonly { readonly what: string; readonly met: boolean }[];
    readonly report: Readonly<Record<string, number>>;
  }[];
}

it('floods a paid network in small, and nothing is had for nothing', async () => {
  const ran = await runNaulon([
    'flood',
    'control',
    'free',
    'rebind',
    'malformed',
    'documents',
    '--seconds',
    '1',
    '--scale',
    '0.002',
    '--json',
  ]);
  // How fast it all goes on says more of this machine now than of the program.
  expect([0, 1], ran.err).toContain(ran.code);
  const { floods } = JSON.parse(ran.out) as Told;
  expect(floods.map(({ flood }) => flood)).toEqual(['control', 'free', 'rebind', 'malformed', 'documents']);
  const [control, free, rebind, malformed, documents] = floods;
  expect(control.report).toMatchObject({ tries: 20, heard: 0 });
  expect(free.report).toMatchObject({ connected: 0, least: 64, most: 64 });
  expect(free.report.circuits).toBeGreaterThan(100);
  expect(rebind.report).toMatchObject({ tries: 20, inside: 0 });
  expect(rebind.report.outside).toBeGreaterThan(0);
  expect(rebind.report.refused).toBeGreaterThan(0);
  expect(malformed.report.cells).toBeGreaterThanOrEqual(200);
  expect(documents.report).toMatchObject({ known: 4, left: 4, forged: 0 });
  expect(documents.report.refused).toBeGreaterThan(100);
  const safety = /lost|signed|opened|made inside|heard|ended|cells of/;
  for (const { figures } of floods)
    for (const { what, met } of figures) if (safety.test(what)) expect([what, met]).toEqual([what, true]);
}, 240_000);

it('names the floods that there are', async () => {
  const ran = await runNaulon(['flood', 'noah']);
  expect(ran.code).toBe(2);
  expect(ran.err).toContain('there is no flood "noah"; there are create, free, forged,');
});
