import { parentPort, workerData } from 'node:worker_threads';
import { openRecords } from '../broker/broker-records.ts';
import type { DiskOrder, DiskTask, DiskWord } from './disk-thread.fixture.ts';

/** What a DiskThread runs: a broker's records, opened as the program opens them. */
const { signal, port } = workerData as DiskTask;
let store: Awaited<ReturnType<typeof openRecords>> | undefined;

function tell(word: DiskWord): void {
  port.postMessage(word);
  Atomics.add(signal, 0, 1);
  Atomics.notify(signal, 0);
}

async function open({ place, owner }: Extract<DiskOrder, { kind: 'open' }>): Promise<void> {
  store = await openRecords(place, owner, { log() {}, count() {} });
  store.attach({ onAnswer: ({ ask }) => tell({ stored: ask }) });
}

async function follow(order: DiskOrder): Promise<void> {
  if (order.kind === 'commit') store?.commit(order.writes, order.ask);
  else if (order.kind === 'get') tell({ value: store?.get(order.key) });
  else if (order.kind === 'list') tell({ records: store?.list(order.prefix) ?? [] });
  else {
    if (order.kind === 'open') await open(order);
    else await store?.close();
    if (order.kind === 'close') store = undefined;
    tell({});
  }
}

let last: Promise<void> = Promise.resolve();
port.on('message', (order: DiskOrder) => {
  last = last.then(() => follow(order)).catch((error: Error) => tell({ failed: error.message }));
});
parentPort?.postMessage('ready');
