import { expect, test } from 'vitest';
import { breachesOf } from './tidy.ts';

test('a tidy file has no breaches', () => {
  expect(breachesOf('src/cell/relay-cell.ts', 'export const one = 1;\n')).toEqual([]);
});

test('each planted breach is found', () => {
  const rules = (file: string, text: string) => breachesOf(file, text).map(breach => breach.rule);
  expect(rules('src/relayCell.ts', '')).toEqual(['file names are kebab-case']);
  expect(rules('src/utils.ts', '')).toEqual(['a file is called by what it holds']);
  expect(rules('src/a.ts', `// ${'TO'}DO later\n`)).toEqual(['unfinished work is not committed']);
  expect(rules('src/a.test.ts', `test${'.only'}('x', () => {});\n`)).toEqual([
    'no test is skipped or singled out',
  ]);
  expect(rules('src/a.ts', 'x;\n'.repeat(501))).toHaveLength(1);
  expect(rules('src/a.ts', `function long() {\n${'x();\n'.repeat(70)}}\n`)).toHaveLength(1);
});
