import { spawnSync } from 'node:child_process';

/**
 * End-to-end tests start nodes as processes from dist/: build it once, so that they never run stale code. Type errors
 * are the business of `npm run check`; tsc writes its output all the same.
 */
export default function buildOnce(): void {
  spawnSync('npx', ['tsc', '-p', 'tsconfig.build.json'], { stdio: 'ignore' });
}
