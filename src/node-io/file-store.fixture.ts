import { writeSync } from 'node:fs';
import { utf8 } from '../base/bytes.ts';
import { FileStore } from './file-store.ts';

/** Writes numbered records for ever, a few at a time, and prints each number once it is durable. */
let next = 0;
const store = new FileStore({
  directory: process.argv[2],
  onBroken: error => {
    throw error;
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
  store.commit([{ key: `n/${number}`, value: utf8(`record ${number}`) }], number);
}

for (let i = 0; i < 16; i++) writeNext();
