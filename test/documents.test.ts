import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { relayConfig } from '../relay/config.ts';
import { buildProgram } from '../scripts/cli-program.ts';
import { parseNetFile, relaysOf } from '../scripts/net-file.ts';
import { plants } from '../scripts/sim/plants/plants.ts';
import { rules } from '../scripts/sim/trial/rule-book.ts';
import { actKinds } from '../scripts/sim/trial/trial-plan.ts';
import { exitCode } from '../src/base/fault.ts';
import { parsePayConfig, payOptions } from '../src/config/pay-config.ts';
import { parseTorrc } from '../src/config/torrc.ts';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const documents = readdirSync(root).filter(file => file.endsWith('.md'));
const read = (file: string): string => readFileSync(join(root, file), 'utf8');
const readme = read('README.md');
const { scripts } = JSON.parse(read('package.json'));

/** The fenced block whose first line names the file. */
function example(file: string): string {
  const [, text] = new RegExp(`^\`\`\`\\w*\\n(# ${file}\\n[\\s\\S]*?)^\`\`\``, 'm').exec(readme) ?? [];
  expect(text, file).toBeDefined();
  return text ?? '';
}

/** Commands that do something, as people write them. */
function leaves(command: Command, before = ''): Map<string, string> {
  const found = command.commands.flatMap(each => {
    const args = each.registeredArguments.map(arg => {
      const name = `${arg.name()}${arg.variadic ? '...' : ''}`;
      return arg.required ? `<${name}>` : `[${name}]`;
    });
    const name = [`${before}${each.name()}`, ...args].join(' ');
    return each.commands.length > 0
      ? [...leaves(each, `${before}${each.name()} `)]
      : [[name, each.description()] as const];
  });
  return new Map(found);
}

/** Lines of shell blocks, without comments. */
const shellLines = [...readme.matchAll(/^```sh\n([\s\S]*?)^```/gm)].flatMap(([, block]) =>
  block.split('\n').map(line => line.replace(/\s+#.*$/, '')),
);

describe('README', () => {
  it('lists each command as its help does', () => {
    const rows = [...readme.matchAll(/^\| `([a-z][^`]*)` \| (.*) \|$/gm)].map(([, name, what]) => [
      name,
      what,
    ]);
    expect(new Map(rows as [string, string][])).toEqual(leaves(buildProgram(() => {})));
  });

  it('lists the exit codes', () => {
    const rows = [...readme.matchAll(/^\| `(\d+)` \|/gm)].map(([, code]) => Number(code));
    expect(rows).toEqual(Object.values(exitCode));
  });

  it('shows commands that exist, with options that they take', async () => {
    const shown = shellLines.flatMap(line =>
      line.startsWith('./naulon ') ? [line.slice(9).split(' ')] : [],
    );
    expect(shown.length).toBeGreaterThan(4);
    for (const args of shown) {
      const ran: string[] = [];
      const program = buildProgram(() => {});
      const stub = (command: Command): void => {
        command.exitOverride().configureOutput({ writeErr: text => ran.push(text) });
        if (command.commands.length > 0) for (const each of command.commands) stub(each);
        else command.action(() => void ran.push('ran'));
      };
      stub(program);
      await program.parseAsync(args, { from: 'user' }).catch(() => {});
      expect([args, ran]).toEqual([args, ['ran']]);
    }
    for (const [, script] of shellLines.join('\n').matchAll(/npm (?:run )?(demo|test)\b/g))
      expect(scripts).toHaveProperty(script);
  });

  it('shows a net.yaml, a torrc and a pay.yaml that are taken', () => {
    const plan = parseNetFile('net.yaml', example('net.yaml'));
    expect(relaysOf(plan).map(({ nickname }) => nickname)).toEqual([
      'guard1',
      'guard2',
      'middle1',
      'middle2',
      'exit1',
      'middle3',
    ]);
    const torrc = parseTorrc(example('torrc'), 'torrc');
    const pay = parsePayConfig(example('pay.yaml'), 'pay.yaml');
    if (!torrc.ok || !pay.ok) throw new Error(JSON.stringify([torrc, pay]));
    const relay = relayConfig(torrc.value, pay.value, 'pay.yaml');
    expect(relay.unused).toEqual([]);
    expect(relay.settings).toMatchObject({ nickname: 'alice', priceMsatPer2Pow20: 50_000_000n });
    expect(relay.settings.exitPolicy.exits).toBe(true);
  });

  it('tells of each option of pay.yaml', () => {
    const configuration = readme.slice(
      readme.indexOf('\n## Configuration\n'),
      readme.indexOf('\n## Where data'),
    );
    expect(payOptions.filter(name => !new RegExp(`\\b${name}\\b`).test(configuration))).toEqual([]);
  });
});

describe('SECURITY', () => {
  const security = read('SECURITY.md');
  const rows = [...security.matchAll(/^\| (\d+) \| .* \| (.*) \|$/gm)].map(([, number, proof]) => ({
    number: Number(number),
    proof,
  }));

  it('says of each of 36 threats what proves that it is met, or that it is not done', () => {
    expect(rows.map(({ number }) => number)).toEqual(Array.from({ length: 36 }, (_, at) => at + 1));
    const proven = /`[^`]+`|rule I\d+|\*\*not done\*\*/;
    expect(rows.filter(({ proof }) => !proven.test(proof))).toEqual([]);
  });

  it('names commands, tests, rules, acts and planted bugs that there are', () => {
    const names = new Set(buildProgram(() => {}).commands.map(each => each.name()));
    const commands = [...security.matchAll(/`naulon ([a-z-]+)/g)].map(([, name]) => name);
    expect(commands.length).toBeGreaterThan(10);
    expect(commands.filter(name => !names.has(name))).toEqual([]);
    const files = [...security.matchAll(/`((?:src|relay|client|scripts|test)\/[\w./-]+\.ts)`/g)];
    expect(files.map(([, file]) => file).filter(file => !existsSync(join(root, file)))).toEqual([]);
    const named = (pattern: RegExp) => [...security.matchAll(pattern)].map(([, name]) => name);
    const planted = new Set(plants.map(({ name }) => name));
    const quoted = rows.flatMap(({ proof }) => [...proof.matchAll(/"([^"]+)"/g)].map(([, name]) => name));
    expect(quoted.length).toBeGreaterThan(5);
    expect(quoted.filter(name => !planted.has(name))).toEqual([]);
    expect(named(/rule (I\d+)/g).filter(name => !(name in rules))).toEqual([]);
    expect(named(/acts? `(\w+)`/g).filter(name => !(actKinds as readonly string[]).includes(name))).toEqual(
      [],
    );
  });
});

/** Headings as the targets of links. */
const anchorsOf = (file: string): string[] =>
  [...read(file).matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
    heading
      .toLowerCase()
      .replace(/[^\w -]/g, '')
      .replaceAll(' ', '-'),
  );

describe('all documents', () => {
  it.each(documents)('%s links to what is there', file => {
    const dead = [...read(file).matchAll(/\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)/g)].filter(
      ([, target, anchor]) =>
        !existsSync(join(root, target)) || (anchor && !anchorsOf(target || file).includes(anchor)),
    );
    expect(dead.map(([link]) => link)).toEqual([]);
  });

  it('name files of the source that are there', () => {
    const named = documents.flatMap(file =>
      [
        ...read(file).matchAll(
          /`((?:src|relay|client|dirauth|broker|scripts|test|regtest|bench)\/[\w./-]+)`/g,
        ),
      ].map(([, path]) => path),
    );
    expect(named.length).toBeGreaterThan(10);
    expect(named.filter(path => !existsSync(join(root, path)))).toEqual([]);
  });

  it.each(documents)('%s names commands that there are', file => {
    const commands = [...leaves(buildProgram(() => {})).keys()].map(name => name.replace(/ [<[].*/, ''));
    const known = (words: string) =>
      commands.some(name => `${words} `.startsWith(`${name} `) || `${name} `.startsWith(`${words} `));
    // A name that goes on in capitals stands for something else, as COMMAND does; `…` and `|` for several.
    const named = [
      ...read(file).matchAll(/`(?:\.\/)?naulon ((?:[a-z][a-z-]*)(?: [a-z][a-z-]*)?)\b(?![…|/.])/g),
    ];
    expect(named.map(([, words]) => words).filter(words => !known(words))).toEqual([]);
  });

  it('count the planted bugs', () => {
    const counted = [
      ...`${readme}\n${read('CHANGELOG.md')}`.matchAll(/\b(\d+) (?:bugs planted|places to see)/g),
    ];
    expect(counted.map(([, number]) => Number(number))).toEqual([plants.length, plants.length]);
  });

  it('define each word once', () => {
    const words = [...read('GLOSSARY.md').matchAll(/^\| \*\*(.+?)\*\* \|/gm)].flatMap(([, row]) =>
      row.split(', '),
    );
    expect(words.length).toBeGreaterThan(50);
    expect(words).toEqual([...new Set(words)]);
  });
});
