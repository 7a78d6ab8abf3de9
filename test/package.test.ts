import { execFile, execFileSync, spawnSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { formatProof } from '../src/payment/proof.ts';

/** The compiler reads hundreds of files, on a machine that other tests keep busy. */
const compileMsMax = 120_000;
const kitMsMax = 120_000;
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
  let packed: string;
  let unpacked: string;

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'naulon-package-'));
    const packing = ['pack', '--ignore-scripts', '--silent', '--pack-destination', folder];
    execFileSync('npm', packing, { cwd: root });
    [packed] = readdirSync(folder);
    execFileSync('tar', ['-xf', packed], { cwd: folder });
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
    expect(
      files.filter(file => /^dist\/examples|\.test\.|\.map$|(?<!\.d)\.ts$|tsbuildinfo/.test(file)),
    ).toEqual([]);
  });

  it('has a command line that runs', () => {
    const run = (...args: string[]) =>
      execFileSync(process.execPath, [join(unpacked, 'naulon'), ...args], { cwd: folder, encoding: 'utf8' });
    expect(run('--version')).toBe(`${manifest.version}\n`);
    expect(run('--help')).toContain('demo');
    expect(JSON.parse(run('version', '--json'))).toMatchObject({ naulon: manifest.version });
  });

  describe('in the hands of an author elsewhere', () => {
    let author: string;

    beforeAll(() => {
      author = installedExample(join(folder, 'author'), packed, unpacked);
    });

    it('has types that a scheme compiles against', { timeout: compileMsMax }, () => {
      const { config } = ts.readConfigFile(join(author, 'tsconfig.json'), ts.sys.readFile);
      const { fileNames, options } = ts.parseJsonConfigFileContent(config, ts.sys, author);
      expect(fileNames).toContain(join(author, 'index.ts'));
      const program = ts.createProgram(fileNames, options);
      const complaints = ts
        .getPreEmitDiagnostics(program)
        .map(({ file, messageText }) => [file?.fileName, messageText]);
      expect(complaints).toEqual([]);
      program.emit();
    });

    it('loads the scheme that its author has built', { timeout: compileMsMax }, () => {
      const proof = join(folder, 'tally.proof.json');
      writeFileSync(proof, formatProof({ scheme: 'tally', cheat: 'any', parts: [] }));
      const naulon = join(author, 'node_modules', 'naulon', 'naulon');
      const args = ['pay', 'proof', proof, '--scheme', './dist/index.js'];
      const { status, stdout } = spawnSync(process.execPath, [naulon, ...args], {
        cwd: author,
        encoding: 'utf8',
      });
      expect([status, stdout]).toEqual([
        1,
        expect.stringMatching(/^proves nothing: what a tally says counts once/),
      ]);
    });

    it('judges a scheme by the kit, and pays with it for circuits', { timeout: kitMsMax }, async () => {
      const vitest = join(author, 'node_modules', 'vitest', 'vitest.mjs');
      const run = promisify(execFile)(process.execPath, [vitest, 'run', '--reporter=json'], { cwd: author });
      const { success, numPassedTests, numTotalTests } = JSON.parse((await run).stdout);
      expect({ success, numPassedTests }).toEqual({ success: true, numPassedTests: numTotalTests });
      expect(numTotalTests).toBeGreaterThan(15);
    });
  });
});

/** The example as `npm install` leaves it, with the packed package in place of its tarball. */
function installedExample(folder: string, packed: string, unpacked: string): string {
  cpSync(join(root, 'examples', 'tally-scheme'), folder, {
    recursive: true,
    filter: file => !file.includes('node_modules'),
  });
  const { dependencies, devDependencies } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  expect(dependencies).toEqual({ naulon: `file:../../${packed}` });
  const modules = join(folder, 'node_modules');
  mkdirSync(join(modules, '@types'), { recursive: true });
  symlinkSync(unpacked, join(modules, 'naulon'));
  for (const [name, version] of Object.entries(devDependencies)) {
    expect([name, version]).toEqual([name, manifest.devDependencies[name]]);
    symlinkSync(join(root, 'node_modules', name), join(modules, name));
  }
  return folder;
}

/** The project's own, as TypeScript takes them. */
function compilerOptions(): ts.CompilerOptions {
  const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile);
  return ts.convertCompilerOptionsFromJson(config.compilerOptions, root).options;
}
