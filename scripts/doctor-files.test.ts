import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { runNaulon } from './naulon.fixture.ts';
import { hasTor } from './tor-node.ts';

const dir = mkdtempSync(join(tmpdir(), 'naulon-doctor-test-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const trusted =
  'DirAuthority auth1 orport=9101 no-v2 v3ident=8617C6694B8E9CA71A019876073A82954DAB73A8 127.0.0.1:9130 28F8F58A61EAB9E340191DA0B90B31F5B04C0878';

async function doctor(...lines: readonly string[]) {
  const file = join(dir, 'torrc');
  writeFileSync(file, `${[`DataDirectory ${join(dir, 'data')}`, ...lines].join('\n')}\n`);
  const { code, out } = await runNaulon(['doctor', file, '--json']);
  const { ok, findings } = JSON.parse(out) as {
    ok: boolean;
    findings: { what: string; ok: boolean; field?: string; line?: number }[];
  };
  const [ours, tor] = findings.map(({ what, ok, field, line }) => ({ what, ok, field, line }));
  return { code, ok, ours, tor };
}

describe('naulon doctor torrc', { timeout: 60_000 }, () => {
  it.each([
    ['client', [trusted, 'SocksPort 9050']],
    ['relay', [trusted, 'Nickname alice', 'Address 127.0.0.1', 'ORPort 9001', 'AssumeReachable 1']],
  ])('takes that of a %s', async (role, lines) => {
    const { code, ok, ours, tor } = await doctor(...lines);
    expect({ code, ok, ours }).toMatchObject({
      code: 0,
      ok: true,
      ours: { what: `torrc for naulon ${role}` },
    });
    if (hasTor()) expect(tor).toMatchObject({ what: 'torrc for C tor', ok: true });
  });

  it.each([
    ['Nickname', ['ORPort 9001', trusted, 'Nickname a_b'], 4],
    ['SocksPort', ['SocksPort a lot', trusted], 2],
    ['SockPort', ['# a comment', 'SockPort 9050', trusted], 3],
    ['DirAuthority', ['SocksPort 0', 'DirAuthority nobody'], 3],
    ['MaxCircuitDirtiness', ['MaxCircuitDirtiness a while', trusted], 2],
  ])('names %s, as C tor does', async (field, lines, line) => {
    const { code, ours, tor } = await doctor(...lines);
    expect({ code, ours }).toMatchObject({ code: 1, ours: { ok: false, field, line } });
    if (hasTor()) expect(tor).toMatchObject({ ok: false, field, line });
  });

  it('says that a file is not there', async () => {
    expect(await runNaulon(['doctor', join(dir, 'none')])).toMatchObject({
      code: 2,
      err: expect.stringContaining('cannot read'),
    });
  });
});
