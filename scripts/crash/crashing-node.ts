/**
 * A relay or client as it is, in a process that kills itself with -9 at a point of its life: PLAN relay|client -f torrc …
 * What it asks of disk, links and chain is counted from outside, at the methods by which the ports are called.
 */
import { appendFileSync, writeFileSync, writeSync } from 'node:fs';
import { register } from 'node:module';
import type { Answer, AnswerHandler, AskId, ChainEvent } from '../../src/ports.ts';
import { broadcastName, type CrashPlan, messageAfter, type Party, recordsIn } from './crash-points.ts';

const [text, ...args] = process.argv.slice(2);
const plan = JSON.parse(text) as CrashPlan;
const party = args[0] as Party;
if (plan.plant !== undefined) register('../sim/plants/plant-hooks.js', import.meta.url, { data: plan.plant });

// After the hooks, so that they see what these import.
const { FileStore } = await import('../../src/node-io/file-store.ts');
const { BitcoindChain } = await import('../../src/node-io/bitcoind-chain.ts');
const { PayerSession } = await import('../../src/payment/payer-session.ts');
const { main } = await import('../cli.ts');

writeFileSync(plan.followed, '0');
let left = plan.nth ?? 1;

/** Dies here, if this is the point. */
function reach(act: string, what: string, moment: string): void {
  const { at } = plan;
  if (at === undefined || at.act !== act || at.what !== what || at.moment !== moment) return;
  left -= 1;
  if (left > 0) return;
  writeSync(2, `killed: ${act} ${what}, ${moment}\n`);
  process.kill(process.pid, 'SIGKILL');
}

/** What waits for the end of this turn, as bytes for sockets and the disk's thread do, is under way after it. */
function reachNextTurn(act: string, what: string, moment: string): void {
  if (plan.at?.moment === moment) setImmediate(() => reach(act, what, moment));
}

const commits = new Map<AskId, ReadonlySet<string>>();
const { commit, attach: attachStore } = FileStore.prototype;
FileStore.prototype.commit = function (writes, ask) {
  const records = recordsIn(writes);
  commits.set(ask, records);
  for (const what of records) reach('persist', what, 'asked');
  commit.call(this, writes, ask);
  for (const what of records) reachNextTurn('persist', what, 'under way');
};
FileStore.prototype.attach = function (handler) {
  const onAnswer = (answer: Answer): void => {
    const records = commits.get(answer.ask) ?? new Set<string>();
    commits.delete(answer.ask);
    for (const what of records) reach('persist', what, 'durable');
    handler.onAnswer(answer);
    for (const record of records) {
      const message = messageAfter(party, record);
      if (message === undefined) continue;
      reach('send', message, 'written');
      reachNextTurn('send', message, 'on its way');
    }
  };
  attachStore.call(this, { onAnswer });
};

const offered = new Map<AskId, string>();
const { broadcast, attach: attachChain } = BitcoindChain.prototype;
BitcoindChain.prototype.broadcast = function (transactions, ask) {
  const what = broadcastName(party, transactions);
  offered.set(ask, what);
  reach('broadcast', what, 'asked');
  broadcast.call(this, transactions, ask);
  reachNextTurn('broadcast', what, 'under way');
};
BitcoindChain.prototype.attach = function (handler: AnswerHandler) {
  const onAnswer = (answer: Answer): void => {
    const what = answer.kind === 'broadcast' ? offered.get(answer.ask) : undefined;
    offered.delete(answer.ask);
    if (what !== undefined) reach('broadcast', what, 'answered');
    handler.onAnswer(answer);
    if (what !== undefined) reach('broadcast', what, 'told');
  };
  const onChain = (event: ChainEvent): void => {
    handler.onChain(event);
    if (event.kind === 'block') writeFileSync(plan.followed, String(event.height));
  };
  attachChain.call(this, { onAnswer, onChain });
};

const { onReceipt } = PayerSession.prototype;
PayerSession.prototype.onReceipt = function (body) {
  const before = this.paidMsat;
  const kept = onReceipt.call(this, body);
  if (this.paidMsat > before) appendFileSync(plan.receipts, `${this.paidMsat - before}\n`);
  return kept;
};

await main(args);
