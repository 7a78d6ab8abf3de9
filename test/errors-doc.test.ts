import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { exitCode } from '../src/base/fault.ts';
import { paymentStatus } from '../src/payment/scheme.ts';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const read = (file: string): string => readFileSync(join(root, file), 'utf8');

/** Names in capitals that are no codes: variables of the environment, errors of the system, a link cell. */
const otherName = /^(NAULON_|ERR_|AUTH_CHALLENGE$)/;

/** Words of the Tor control protocol: features, events, reasons. */
const controlWords = new Set([
  'CHANNEL_CLOSED',
  'CIRCUIT_ESTABLISHED',
  'CIRC_MINOR',
  'CONF_CHANGED',
  'CONTROLLER_WAIT',
  'ENOUGH_DIR_INFO',
  'EXTENDED_EVENTS',
  'NEED_CAPACITY',
  'OR_IDENTITY',
  'STATUS_CLIENT',
  'STATUS_GENERAL',
  'STATUS_SERVER',
  'STREAM_BW',
  'VERBOSE_NAMES',
]);

const comparisons = new Set([
  ts.SyntaxKind.EqualsEqualsEqualsToken,
  ts.SyntaxKind.ExclamationEqualsEqualsToken,
]);

/** Codes that the program raises. A code that is only compared with is not raised. */
function raisedCodes(): Set<string> {
  const folders = ['src', 'relay', 'client', 'dirauth', 'broker', 'scripts', 'regtest', 'bench'];
  const files = execFileSync('git', ['ls-files', '-co', '--exclude-standard', '--', ...folders], {
    cwd: root,
    encoding: 'utf8',
  });
  const codes = new Set<string>();
  for (const file of files.split('\n')) {
    if (!/\.ts$/.test(file) || /\.(test|fixture)\.ts$|\/vectors\//.test(file)) continue;
    const visit = (node: ts.Node): void => {
      if (ts.isStringLiteral(node) && isCode(node)) codes.add(node.text);
      ts.forEachChild(node, visit);
    };
    visit(ts.createSourceFile(file, read(file), ts.ScriptTarget.ES2023, true));
  }
  return codes;
}

function isCode(literal: ts.StringLiteral): boolean {
  const { parent, text } = literal;
  const compared = ts.isBinaryExpression(parent) && comparisons.has(parent.operatorToken.kind);
  if (otherName.test(text) || controlWords.has(text) || ts.isLiteralTypeNode(parent) || compared)
    return false;
  if (/^[A-Z][A-Z0-9]*(_[A-Z0-9]+)+$/.test(text)) return true;
  const ofError = ts.isNewExpression(parent) && parent.expression.getText() === 'OperatorError';
  const named = ts.isPropertyAssignment(parent) && parent.name.getText() === 'code';
  return (ofError || named) && /^[A-Z]+$/.test(text);
}

/** First cells of the rows below a heading, or of all rows of the document. */
function rowsOf(document: string, heading?: string): string[] {
  const from = heading === undefined ? 0 : document.indexOf(`\n${heading}\n`);
  expect(from).toBeGreaterThanOrEqual(0);
  const section = heading === undefined ? document : document.slice(from + 1).split(/\n#+ /)[0];
  return [...section.matchAll(/^\| `([^`]+)` \|/gm)].map(([, first]) => first);
}

describe('ERRORS.md', () => {
  const document = read('ERRORS.md');

  it('has each code that the program raises, once, and no other', () => {
    const documented = rowsOf(document).filter(name => /^[A-Z]/.test(name));
    expect([...documented].sort()).toEqual([...raisedCodes()].sort());
  });

  it('has each exit code', () => {
    expect(rowsOf(document, '## Exit codes').map(Number)).toEqual(Object.values(exitCode));
  });

  it('has each status of a receipt, with its number', () => {
    const statuses = [...document.matchAll(/^\| `([a-z]\w+)` \| (\d+) \|/gm)].map(([, name, number]) => [
      name,
      Number(number),
    ]);
    expect(statuses).toEqual(Object.entries(paymentStatus));
  });

  it('says for each row what it means', () => {
    const rows = [...document.matchAll(/^\| (`.*) \|$/gm)].map(([, row]) => row.split(' | '));
    expect(rows.filter(cells => cells.length < 3 || (cells.at(-2) ?? '') === '')).toEqual([]);
  });
});

describe("a client's advice", () => {
  it('is on codes that exist', () => {
    const advised = [...read('client/advice.ts').matchAll(/^ {2}([A-Z][A-Z_]+):/gm)].map(([, code]) => code);
    expect(advised.length).toBeGreaterThan(10);
    expect(rowsOf(read('ERRORS.md'))).toEqual(expect.arrayContaining(advised));
  });
});
