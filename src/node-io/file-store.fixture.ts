import { writeSync } from 'node:fs';
import { utf8 } from '../base/bytes.ts';
import { FileStore } from './file-store.ts';

/** Writes numbered pairs of records for ever, a few at a time, and prints each number once its pair is durable. */
let next = 0;
const store = new FileStore({
  directory: process.argv[2],
  onBroken: why => {
    writeSync(2, `${why.message}\n`);
    process.exit(3);
  },
});
store.attach({
  onAnswer(answer) {
    writeSync(1, `${answer.ask}\n`);
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
