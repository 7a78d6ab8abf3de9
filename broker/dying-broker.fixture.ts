/** A broker as it is, in a process that kills itself with -9 at a point of a withdrawal: POINT broker.yaml */
import { main } from '../scripts/cli.ts';
import { BitcoindChain } from '../src/node-io/bitcoind-chain.ts';
import { FileStore } from '../src/node-io/file-store.ts';
import { HttpParties } from '../src/node-io/party-http.ts';
import { PostgresStore } from '../src/node-io/postgres-store.ts';
import type { StoreWrite } from '../src/ports.ts';

const [point, file] = process.argv.slice(2);
let withdrawing = false;

function reach(here: string): void {
  if (withdrawing && point === here) process.kill(process.pid, 'SIGKILL');
}

function onCommit(writes: readonly StoreWrite[]): void {
  withdrawing ||= writes.some(({ key }) => key.startsWith('broker/withdrawal/'));
  reach('persist');
}

for (const kind of [FileStore, PostgresStore]) {
  const { commit } = kind.prototype;
  kind.prototype.commit = function (this: FileStore & PostgresStore, writes, ask) {
    onCommit(writes);
    commit.call(this, writes, ask);
  };
}
const { answer } = HttpParties.prototype;
HttpParties.prototype.answer = function (request, reply) {
  reach('reply');
  answer.call(this, request, reply);
};
const { broadcast } = BitcoindChain.prototype;
BitcoindChain.prototype.broadcast = function (transactions, ask) {
  reach('broadcast');
  broadcast.call(this, transactions, ask);
};

await main(['broker', '-f', file]);
