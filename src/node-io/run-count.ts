import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeSecretFile } from './data-directory.ts';

/**
 * How often a node has run, in a file beside its store. The store counts too: when it counts less, an old copy of it was
 * put back. A copy of the whole directory takes this file along, so that it cannot be told from the directory itself.
 */
export class RunCount {
  readonly file: string;

  constructor(directory: string) {
    this.file = join(directory, 'store-runs');
  }

  /** 0 where none has run. */
  get seen(): number {
    const runs = existsSync(this.file) ? Number(readFileSync(this.file, 'utf8')) : 0;
    return Number.isSafeInteger(runs) ? runs : 0;
  }

  saw(runs: number): void {
    writeSecretFile(this.file, `${runs}\n`);
  }
}
