import { type LoadOptions, loadOf } from './load.ts';
import { schemeSubjects } from './subjects.ts';

/** What a process is to measure: a payment system by its name, under each of these loads. */
export interface LoadOrder {
  readonly subject: string;
  readonly loads: readonly LoadOptions[];
}

export interface LoadNews {
  readonly load: LoadOptions;
  readonly found: Readonly<Record<string, number>>;
}

/** Measures one payment system under its loads, one after the other, and tells of each when it is done. */
process.once('message', async ({ subject: name, loads }: LoadOrder) => {
  const [subject] = schemeSubjects().filter(each => each.name === name);
  for (const load of loads) {
    const news: LoadNews = { load, found: loadOf(subject, load) };
    await new Promise(told => process.send?.(news, told));
  }
  process.disconnect();
});
