import { writeSync } from 'node:fs';
import { utf8 } from '../src/base/bytes.ts';
import type { OperatorError } from '../src/base/fault.ts';
import { FileStore } from '../src/node-io/file-store.ts';
import { PostgresStore } from '../src/node-io/postgres-store.ts';

/** Writes numbered pairs of records for ever, a few at a time, and prints each number once its pair is durable. */
const [directory, server] = process.argv.slice(2);

function onBroken(why: OperatorError): never {
  writeSync(2, `${why.message}\n`);
  process.exit(3);
}

const store =
  server === undefined
    ? new FileStore({ directory, onBroken })
    : await PostgresStore.open({
        server: JSON.parse(server),
        directory,
        owner: 'writer',
        earlier: async () => ({ runs: 0, records: [] }),
        onBroken,
      });
let next = 0;
store.attach({
  onAnswer(answer) {
    // A pipe that nobody reads for a while takes no more at once, and that is no reason to end.
    process.stdout.write(`${answer.ask}\n`);
    writeNext();
  },
});

function writeNext(): void {
  const number = next++;
  const value = utf8(`record ${number}`);
  store.commit(
    [
      { key: `left/${number}`, value },
      { key: `right/${number}`, value },
    ],
    number,
  );
}

for (let i = 0; i < 16; i++) writeNext();
