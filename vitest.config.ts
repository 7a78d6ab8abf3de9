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
    // C tor's clocks and a loaded machine fail one test of thousands now and then. Such tests are named at the end.
    retry: process.env.CI ? 1 : 0,
    reporters: ['default', './test/second-chances.ts'],
    testTimeout: 30_000,
    hookTimeout: 120_000,
  },
});
