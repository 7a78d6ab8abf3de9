import type { Reporter, TestModule } from 'vitest/node';

/** What a test of this folder tells of its scenario; the verdict is the test's. */
export interface Scenario {
  readonly scenario: string;
  /** Versions of the link protocol that could be negotiated. */
  readonly link: string;
  readonly path: string;
  readonly bytes?: number;
}

declare module 'vitest' {
  interface TaskMeta {
    interop?: Scenario;
  }
}

/** Prints the table of scenarios when all tests have run. `npm run test:interop` */
export default class InteropTable implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const rows: string[][] = [['scenario', 'link', 'path', 'bytes', 'verdict']];
    for (const module of modules)
      for (const test of module.children.allTests()) {
        const told = test.meta().interop;
        const verdict = { passed: 'as expected', failed: 'FAILED', skipped: 'LEFT OUT', pending: 'NOT RUN' };
        const row = told ?? { scenario: test.fullName, link: '', path: '', bytes: undefined };
        const { scenario, link, path, bytes } = row;
        rows.push([scenario, link, path, bytes?.toLocaleString('en') ?? '', verdict[test.result().state]]);
      }
    const widths = rows[0].map((_, at) => Math.max(...rows.map(row => row[at].length)));
    const lines = rows.map(row =>
      row
        .map((field, at) => field.padEnd(widths[at]))
        .join('  ')
        .trimEnd(),
    );
    process.stdout.write(`\n${lines.join('\n')}\n`);
  }
}
