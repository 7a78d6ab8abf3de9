import { defineConfig } from 'vitest/config';

/** Its own, not that of the repository around it. */
export default defineConfig({ test: { include: ['*.test.ts'] } });
