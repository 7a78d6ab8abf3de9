import { defineConfig } from 'vitest/config';
import { transferFlags } from './scripts/node-process.ts';

export default defineConfig({
  test: {
    include: ['{src,relay,client,dirauth,broker,scripts,regtest,bench,test}/**/*.test.ts'],
    globalSetup: ['./test/build-once.ts'],
    pool: 'forks',
    execArgv: transferFlags,
    // Many tests wait for processes of their own: C tor's clocks, blocks, deaths.
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 120_000,
  },
});
