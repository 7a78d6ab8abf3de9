import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
// Through package.json's exports, as built.
import './scheme-author.fixture.ts';

/** The compiler reads hundreds of files, on a machine that other tests keep busy. */
const compileMsMax = 120_000;
const root = dirname(dirname(fileURLToPath(import.meta.url)));
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

describe('the public API', () => {
  it('documents all that it exports', { timeout: compileMsMax }, () => {
    const sources = Object.values<{ types: string }>(manifest.exports).map(({ types }) =>
      join(root, types.replace(/^\.\/dist\//, '').replace(/\.d\.ts$/, '.ts')),
    );
    const program = ts.createProgram(sources, compilerOptions());
    const checker = program.getTypeChecker();
    const bare = sources.flatMap(source => {
      const module = checker.getSymbolAtLocation(program.getSourceFile(source) as ts.SourceFile);
      return checker
        .getExportsOfModule(module as ts.Symbol)
        .map(each => (each.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(each) : each))
        .filter(each => each.getDocumentationComment(checker).length === 0)
        .map(({ name }) => name);
    });
    expect(bare).toEqual([]);
  });
});

describe('the packed package', () => {
  let folder: string;
  let unpacked: string;

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'naulon-package-'));
    const packing = ['pack', '--ignore-scripts', '--silent', '--pack-destination', folder];
    execFileSync('npm', packing, { cwd: root });
    const [tarball] = readdirSync(folder);
    execFileSync('tar', ['-xf', tarball], { cwd: folder });
    unpacked = join(folder, 'package');
    symlinkSync(join(root, 'node_modules'), join(unpacked, 'node_modules'));
  });

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('holds what runs and what explains it, and neither tests nor sources', () => {
    const files = readdirSync(unpacked, { recursive: true, encoding: 'utf8' }).filter(
      file => !file.startsWith('node_modules'),
    );
    expect(files).toEqual(
      expect.arrayContaining(['naulon', 'dist/scripts/cli.js', 'LICENSE', 'README.md', 'ERRORS.md']),
    );
    expect(files.filter(file => /\.test\.|\.map$|(?<!\.d)\.ts$|tsbuildinfo/.test(file))).toEqual([]);
  });

  it('has a command line that runs', () => {
    const run = (...args: string[]) =>
      execFileSync(process.execPath, [join(unpacked, 'naulon'), ...args], { cwd: folder, encoding: 'utf8' });
    expect(run('--version')).toBe(`${manifest.version}\n`);
    expect(run('--help')).toContain('demo');
    expect(JSON.parse(run('version', '--json'))).toMatchObject({ naulon: manifest.version });
  });

  it('has types that an author elsewhere can compile against', { timeout: compileMsMax }, () => {
    const author = join(folder, 'author');
    mkdirSync(join(author, 'node_modules'), { recursive: true });
    symlinkSync(unpacked, join(author, 'node_modules', 'naulon'));
    symlinkSync(join(root, 'node_modules', 'vitest'), join(author, 'node_modules', 'vitest'));
    const source = join(author, 'scheme.test.mts');
    copyFileSync(join(root, 'test', 'scheme-author.fixture.ts'), source);
    const program = ts.createProgram([source], {
      ...compilerOptions(),
      rootDir: undefined,
      outDir: undefined,
      skipLibCheck: false,
    });
    const complaints = ts
      .getPreEmitDiagnostics(program)
      .map(({ file, messageText }) => [file?.fileName, messageText]);
    expect(complaints).toEqual([]);
  });
});

/** The project's own, as TypeScript takes them. */
function compilerOptions(): ts.CompilerOptions {
  const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile);
  return ts.convertCompilerOptionsFromJson(config.compilerOptions, root).options;
}
