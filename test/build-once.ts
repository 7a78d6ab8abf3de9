import { execFileSync } from 'node:child_process';

/** End-to-end tests start nodes as processes from dist/: build it once, so that they never run stale code. */
export default function buildOnce(): void {
  execFileSync('npx', ['tsc', '-p', 'tsconfig.build.json'], { stdio: 'inherit' });
}
