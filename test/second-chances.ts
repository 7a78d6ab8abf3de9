import type { Reporter, TestCase } from 'vitest/node';

/** Names, when all tests have run, those that passed only when they were tried again, and what they said first. */
export default class SecondChances implements Reporter {
  readonly #taken: string[] = [];

  onTestCaseResult(test: TestCase): void {
    if (!test.diagnostic()?.flaky) return;
    const said = (test.result().errors ?? []).map(({ message }) => `  ${message}`);
    this.#taken.push([`${test.module.relativeModuleId} > ${test.fullName}`, ...said].join('\n'));
  }

  onTestRunEnd(): void {
    if (this.#taken.length === 0) return;
    process.stdout.write(
      `\nPassed only when tried again: ${this.#taken.length}\n${this.#taken.join('\n')}\n`,
    );
  }
}
