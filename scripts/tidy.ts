/** The project's own style rules, as a check: sizes, names and words that no linter knows. `npm run check:tidy`. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import ts from 'typescript';

const fileLinesMax = 500;
const functionLinesMax = 70;

interface Breach {
  readonly file: string;
  readonly line: number;
  readonly rule: string;
}

/** A word that must not stay in code; spelt in pieces, so that this file passes its own rule. */
const unfinished = new RegExp(`\\b(${['TO' + 'DO', 'FIX' + 'ME', 'XX' + 'X', 'HA' + 'CK'].join('|')})\\b`);
const focused = /\b(it|test|describe)\.(skip|only|todo)\(/;
const pileNames = /^(utils?|helpers?|managers?|common|misc|shared)\b/;

export function breachesOf(file: string, text: string): Breach[] {
  const breaches: Breach[] = [];
  const report = (line: number, rule: string) => breaches.push({ file, line, rule });
  const lines = text.split('\n');
  if (lines.length > fileLinesMax + 1)
    report(lines.length, `a file holds at most ${fileLinesMax} lines: find the owner hiding in it`);
  if (
    !/^[a-z0-9]+(-[a-z0-9]+)*(\.(test|fuzz\.test|sim\.test|bitcoind\.test|fixture|bench|config|d))?\.ts$/.test(
      basename(file),
    )
  )
    report(1, 'file names are kebab-case');
  if (pileNames.test(basename(file))) report(1, 'a file is called by what it holds');
  lines.forEach((line, at) => {
    if (unfinished.test(line)) report(at + 1, 'unfinished work is not committed');
    if (focused.test(line)) report(at + 1, 'no test is skipped or singled out');
  });
  // A kernel is straight code: its rounds are written out.
  if (!file.includes('/assembly/')) breaches.push(...longFunctions(file, text));
  return breaches;
}

function longFunctions(file: string, text: string): Breach[] {
  if (/\.test\.ts$/.test(file)) return [];
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.ES2023, true);
  const breaches: Breach[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isFunctionLike(node) && 'body' in node && node.body !== undefined) {
      const first = source.getLineAndCharacterOfPosition(node.getStart(source)).line;
      const last = source.getLineAndCharacterOfPosition(node.end).line;
      if (last - first + 1 > functionLinesMax)
        breaches.push({
          file,
          line: first + 1,
          rule: `a function holds at most ${functionLinesMax} lines (this one ${last - first + 1})`,
        });
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return breaches;
}

function committedSources(): string[] {
  return execFileSync('git', ['ls-files', '--', '*.ts'], { encoding: 'utf8' }).split('\n').filter(Boolean);
}

if (process.argv[1]?.endsWith('tidy.ts')) {
  const files = committedSources();
  const breaches = files.flatMap(file => breachesOf(file, readFileSync(file, 'utf8')));
  for (const { file, line, rule } of breaches) console.error(`${file}:${line}: ${rule}`);
  console.log(`tidy: ${files.length} files, ${breaches.length} breaches`);
  process.exitCode = breaches.length === 0 ? 0 : 1;
}
