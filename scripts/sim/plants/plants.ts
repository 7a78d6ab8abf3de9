import type { Rule } from '../trial/rule-book.ts';

/**
 * One line of the program or of its simulated world made wrong, to see that the simulator finds it: rules that cannot
 * be broken prove nothing. It is applied to the text of a module as that is loaded; nothing in the program knows of it.
 */
export interface Plant {
  /** What is wrong then. */
  readonly name: string;
  /** Path of the source below the project's root. */
  readonly file: string;
  /** Is there exactly once, in the source and in what is compiled of it. */
  readonly find: string;
  readonly replace: string;
  /** Rules by which it may be found. */
  readonly breaks: readonly Rule[];
}

const onDelivery = '((_, stored) =>';

export const plants: readonly Plant[] = [
  // Order of money
  {
    name: 'RECEIPT before the payment is durable',
    file: 'src/payment/payee-session.ts',
    find: 'this.#counter.commits.commit(persist, () => {',
    replace: `${onDelivery} { this.#counter.commits.commit(persist, () => {}); stored(); })(persist, () => {`,
    breaks: ['I3', 'honest'],
  },
  {
    name: 'payment sent before it is durable at its payer',
    file: 'src/payment/payer-session.ts',
    find: 'commits.commit(writes, () => {',
    replace: `${onDelivery} { commits.commit(writes, () => {}); stored(); })(writes, () => {`,
    breaks: ['I4', 'I5', 'I7', 'honest'],
  },
  {
    name: 'group commit answers when it begins',
    file: 'src/payment/commit-queue.ts',
    find: 'this.#underWay = { ask, batch };',
    replace: 'for (const stored of batch.stored.splice(0)) stored(); this.#underWay = { ask, batch };',
    breaks: ['I3', 'I4', 'I5', 'I7', 'honest'],
  },
  {
    name: 'fsync missing: the disk answers before it has written',
    file: 'src/sim/sim-store.ts',
    find: 'this.#apply(commit.writes);',
    replace: 'this.#node.later(50_000, () => this.#apply(commit.writes));',
    breaks: ['I3', 'I4', 'I5', 'I7', 'honest'],
  },
  {
    name: 'best payment never stored',
    file: 'src/schemes/bitcoin-channel/channel-book.ts',
    find: 'return [bestWrite(channel.bestKey, best)];',
    replace: 'return [];',
    breaks: ['I3', 'I4'],
  },
  {
    name: 'best payment not read at start',
    file: 'src/schemes/bitcoin-channel/channel-record.ts',
    find: 'kept.set(id, { key, record: undefined, ...kept.get(id), best });',
    replace: 'kept.set(id, { key, record: undefined, best, ...kept.get(id) });',
    breaks: ['I3', 'I4', 'I6', 'I7', 'honest'],
  },
  {
    name: 'seed of a wallet not stored',
    file: 'src/schemes/bitcoin-channel/role-setup.ts',
    find: 'writes: [seedWrite(role, seed)] };',
    replace: 'writes: [] };',
    breaks: ['I1', 'I6', 'honest', 'live'],
  },
  {
    name: 'refund not stored before the contract is broadcast',
    file: 'src/schemes/bitcoin-channel/payer.ts',
    find: 'this.#host.store.commit(writes, ask);',
    replace: 'this.#host.chain.feerate(ask);',
    breaks: ['I5'],
  },
  {
    name: 'contract broadcast whether or not it is stored',
    file: 'src/bitcoin/channel-machine.ts',
    find: 'return state.stored && state.contractHeight === undefined',
    replace: 'return state.contractHeight === undefined',
    breaks: ['I5'],
  },
  // Counting value
  {
    name: 'credit twice',
    file: 'src/payment/payee-session.ts',
    find: 'this.#balance.credit(value);',
    replace: 'this.#balance.credit(value); this.#balance.credit(value);',
    breaks: ['I7'],
  },
  {
    name: 'credit of all that was paid, not of the increase',
    file: 'src/schemes/bitcoin-channel/payee.ts',
    find: 'value: (pay.paidSat - paidSat) * satMsat,',
    replace: 'value: pay.paidSat * satMsat,',
    breaks: ['I7'],
  },
  {
    name: 'older payments taken (replay)',
    file: 'src/schemes/bitcoin-channel/payee.ts',
    find: 'if (pay.paidSat <= paidSat)',
    replace: 'if (pay.paidSat === paidSat)',
    breaks: ['I3', 'I4', 'I6', 'I7', 'honest'],
  },
  {
    name: 'payments beyond the contract taken',
    file: 'src/schemes/bitcoin-channel/payee.ts',
    find: 'if (pay.paidSat > channel.payments.satMax)',
    replace: 'if (pay.paidSat < 0n)',
    breaks: ['I4', 'honest'],
  },
  {
    name: 'signatures not verified',
    file: 'src/schemes/bitcoin-channel/payee.ts',
    find: 'if (!channel.payments.signedByPayer(pay.paidSat, pay.signature)) {',
    replace: 'if (pay.signature.length === 0) {',
    breaks: ['I4', 'I6', 'I7'],
  },
  {
    name: 'one satoshi too many for the payer',
    file: 'src/bitcoin/payment-tx.ts',
    find: 'const payerSat = this.satMax - paidSat;',
    replace: 'const payerSat = this.satMax - paidSat + 1n;',
    breaks: ['I1'],
  },
  {
    name: 'amount kept is that of the payment before',
    file: 'src/schemes/bitcoin-channel/payee.ts',
    find: 'return this.book.setBest(channel, { paidSat: pay.paidSat,',
    replace: 'return this.book.setBest(channel, { paidSat: channel.best.paidSat,',
    breaks: ['I3', 'I6', 'I7'],
  },
  {
    name: 'payer prepays a thousand windows',
    file: 'src/payment/top-up.ts',
    find: 'return spendable >= this.keepCells ? this.windowCells :',
    replace: 'return spendable >= this.keepCells ? 1_000 * this.windowCells :',
    breaks: ['I10', 'live'],
  },
  {
    name: 'seed of a wallet in a log line',
    file: 'src/schemes/bitcoin-channel/role-setup.ts',
    find: 'const kept = readSeed(host.store, role);',
    replace:
      "const kept = readSeed(host.store, role); if (kept !== undefined) host.observer.log('debug', 'wallet', { seed: Buffer.from(kept).toString('hex') });",
    breaks: ['I11'],
  },
  // Counting cells
  {
    name: 'cells rounded up',
    file: 'src/payment/price.ts',
    find: 'return (msat * cellsPerPrice) / price;',
    replace: 'return (msat * cellsPerPrice + price - 1n) / price;',
    breaks: ['I2'],
  },
  {
    name: 'cells granted again with each payment',
    file: 'src/payment/cell-balance.ts',
    find: 'this.#grantedCells = granted;',
    replace: '',
    breaks: ['I2', 'honest'],
  },
  {
    name: '65 free cells',
    file: 'src/payment/cell-balance.ts',
    find: 'this.#free = free;',
    replace: 'this.#free = free + 1;',
    breaks: ['I2', 'honest'],
  },
  {
    name: 'balance debited late: a run is carried whole when one of its cells is paid',
    file: 'src/circuit/relay-circuit.ts',
    find: "const paid = debitUpTo(this.#balance, 'any', count);",
    replace: "const paid = debitUpTo(this.#balance, 'any', count) > 0 ? count : 0;",
    breaks: ['I2'],
  },
  {
    name: 'a run of cells costs one',
    file: 'src/circuit/relay-circuit.ts',
    find: "const paid = debitUpTo(this.#balance, 'any', count);",
    replace: "const paid = debitUpTo(this.#balance, 'any', 1) === 1 ? count : 0;",
    breaks: ['I2', 'honest'],
  },
  {
    name: 'exits send for free',
    file: 'src/circuit/relay-circuit.ts',
    find: "const paid = debitUpTo(this.#balance, stream.kind === 'exit' ? 'paid' : 'none', count);",
    replace: 'const paid = count;',
    breaks: ['I2', 'I9', 'honest'],
  },
  {
    name: 'RECEIPT cells cost nothing',
    file: 'src/circuit/relay-circuit.ts',
    find: "this.#originate(relayCommand.receipt, 0, body, 'any');",
    replace: "this.#originate(relayCommand.receipt, 0, body, 'none');",
    breaks: ['I2', 'honest'],
  },
  {
    name: 'balance below zero',
    file: 'src/payment/cell-balance.ts',
    find: 'if (cells > this.#free + this.#paidCells)',
    replace: 'if (cells < 0)',
    breaks: ['I2', 'honest'],
  },
  {
    name: 'exit data on free cells',
    file: 'src/payment/cell-balance.ts',
    find: 'if (cells > this.#paidCells)',
    replace: 'if (cells > this.#paidCells) return this.debit(cells); if (cells < 0)',
    breaks: ['I9'],
  },
  {
    name: 'exits before the first payment',
    file: 'src/circuit/relay-circuit.ts',
    find: 'const reason = !this.#balance.paid ? endUnpaid :',
    replace: 'const reason =',
    breaks: ['I9'],
  },
  {
    name: 'client forgets a cell now and then',
    file: 'src/payment/payer-session.ts',
    find: 'this.#cells += cells;',
    replace: 'this.#cells += cells > 3 ? cells - 1 : cells;',
    breaks: ['honest'],
  },
  {
    name: 'RECEIPT states one cell less',
    file: 'src/payment/payee-session.ts',
    find: 'balance: BigInt(balance.balance),',
    replace: 'balance: BigInt(balance.balance) - 1n,',
    breaks: ['honest'],
  },
  // The chain
  {
    name: 'ending believed that a reorganisation took away meanwhile',
    file: 'src/schemes/bitcoin-channel/channel-book.ts',
    find: 'if (record.ending !== undefined)',
    replace: 'if (record.ending === null)',
    breaks: ['I6', 'live'],
  },
  {
    name: 'reorganisations not heard of',
    file: 'src/schemes/bitcoin-channel/channel-book.ts',
    find: 'if (!touched && !this.#active.has(channel))',
    replace: 'if (channel !== undefined)',
    breaks: ['I6', 'I10', 'live'],
  },
  {
    name: 'settlement offered once, not at each block',
    file: 'src/bitcoin/channel-machine.ts',
    find: "const due = event.kind === 'block' || event.kind === 'stored'",
    replace: "const due = event.kind === 'stored'",
    breaks: ['I6', 'live'],
  },
  {
    name: 'payments not settled before T',
    file: 'src/bitcoin/channel-machine.ts',
    find: 'if (tip >= state.refundHeight - rules.settleMarginBlocks)',
    replace: 'if (tip < 0)',
    breaks: ['I6'],
  },
  {
    name: 'refund never broadcast',
    file: 'src/bitcoin/channel-machine.ts',
    find: "if (phase === 'refunding')",
    replace: "if (phase === 'abandoned')",
    breaks: ['live'],
  },
  {
    name: 'refund locked for a block too long',
    file: 'src/bitcoin/refund-tx.ts',
    find: 'transaction.locktime = this.terms.refundHeight;',
    replace: 'transaction.locktime = this.terms.refundHeight + 1;',
    breaks: ['I1', 'live'],
  },
  // Disks
  {
    name: 'torn commit taken for a whole one',
    file: 'src/sim/commit-log.ts',
    find: 'return equalBytes(head.bytes(checksumBytes), checksum(number, payload)) ? payload : undefined;',
    replace: 'return payload;',
    breaks: ['I3', 'I4', 'I5', 'I6', 'I7', 'honest', 'live'],
  },
  {
    name: 'failed sync, or full disk, taken for success',
    file: 'src/sim/sim-store.ts',
    find: 'if (this.#full || this.#syncFails()) {',
    replace:
      "if (this.#full || this.#syncFails()) { this.#underWay.shift(); this.#handler.onAnswer({ kind: 'stored', ask: commit.ask }); return; } if (this.#broken) {",
    breaks: ['I3', 'I4', 'I5', 'I6', 'I7', 'honest'],
  },
  // Whoever does not keep the rules
  {
    name: 'RECEIPTs not held against the own count',
    file: 'src/payment/payer-session.ts',
    find: 'if (receipt.balance < own || receipt.balance > own + inFlight)',
    replace: 'if (receipt.balance < 0n)',
    breaks: ['I12'],
  },
  {
    name: 'payments taken while the channel is frozen',
    file: 'src/schemes/bitcoin-channel/payee.ts',
    find: "if (phase === 'frozen')",
    replace: "if (phase === 'frozen') return undefined; if (phase === 'none')",
    breaks: ['I10'],
  },
  {
    name: 'contract believed after a reorganisation took it away',
    file: 'src/bitcoin/channel-machine.ts',
    find: 'contractHeight: below(state.contractHeight, event.height),',
    replace: 'contractHeight: state.contractHeight,',
    breaks: ['I10'],
  },
];
