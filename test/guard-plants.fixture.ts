import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

/** One line of what guards the money made wrong, and the test that has to see it. */
interface Plant {
  /** What is wrong then. */
  readonly name: string;
  readonly file: string;
  readonly find: string;
  readonly replace: string;
  readonly test: string;
}

const channels = 'src/schemes/bitcoin-channel';
const guard = `${channels}/guard.sim.test.ts`;
const oldRecords = `${channels}/went-back.sim.test.ts`;
const backups = `${channels}/backup.sim.test.ts`;

export const guardPlants: readonly Plant[] = [
  {
    name: 'fee reserve not kept to',
    file: `${channels}/settlement.ts`,
    find: 'if (payableSat > reserve) {',
    replace: 'if (payableSat > worth + worth) {',
    test: guard,
  },
  {
    name: 'children under way not counted',
    file: `${channels}/settlement.ts`,
    find: 'this.#setup.feeReserveSat - this.#underWaySat(channel)',
    replace: 'this.#setup.feeReserveSat',
    test: guard,
  },
  {
    name: 'children of settlements forgotten at the next start',
    file: `${channels}/settlement.ts`,
    find: "const children = readChildren(this.#host.store, 'payee');",
    replace: 'const children = new Map();',
    test: guard,
  },
  {
    name: 'children of refunds forgotten at the next start',
    file: `${channels}/refund-fees.ts`,
    find: "const children = readChildren(this.#host.store, 'payer');",
    replace: 'const children = new Map<string, FeeChild>();',
    test: guard,
  },
  {
    name: 'children of other refunds under way not counted',
    file: `${channels}/refund-fees.ts`,
    find: 'feeReserveSat - this.#underWaySat(group)',
    replace: 'feeReserveSat',
    test: guard,
  },
  {
    name: 'final endings believed after a reorganisation deeper than they are',
    file: `${channels}/channel-book.ts`,
    find: 'if (height < this.#finalHeight)',
    replace: 'if (height < 0)',
    test: `${channels}/final-channels.sim.test.ts`,
  },
  {
    name: 'contracts that nobody saw keep others out',
    file: `${channels}/payee.ts`,
    find: 'if (oldest !== undefined) this.#abandon(oldest);',
    replace: 'oldest = undefined;',
    test: `${channels}/unseen-contracts.sim.test.ts`,
  },
  {
    name: 'contracts that nobody saw use up addresses',
    file: `${channels}/payee.ts`,
    find: 'this.#setup.wallet.giveBack(channel.record.terms.payoutScript);',
    replace: '',
    test: `${channels}/unseen-contracts.sim.test.ts`,
  },
  {
    name: 'what is due waits for past blocks',
    file: `${channels}/channel-book.ts`,
    find: 'this.#actByRecords(event.height);',
    replace: '',
    test: guard,
  },
  {
    name: 'a child for each refund',
    file: `${channels}/refund-fees.ts`,
    find: 'channels: alone.slice(0, refundsPerChildMax)',
    replace: 'channels: alone.slice(0, 1)',
    test: guard,
  },
  {
    name: 'an old store starts',
    file: 'src/node-io/file-store.ts',
    find: 'if (before < this.#runs.seen)',
    replace: 'if (before < 0)',
    test: 'src/node-io/old-store.test.ts',
  },
  {
    name: 'forgotten payment not seen on the chain',
    file: `${channels}/channel-book.ts`,
    find: "this.#options.wentBack.found('payment', channel.record.openedHeight);",
    replace: '{}',
    test: oldRecords,
  },
  {
    name: 'forgotten payment taken over in silence',
    file: `${channels}/payer.ts`,
    find: "this.#wentBack.found('payment', channel.record.openedHeight);",
    replace: '',
    test: oldRecords,
  },
  {
    name: 'forgotten contract not seen',
    file: `${channels}/went-back.ts`,
    find: 'isScriptHash(script) && !this.#options.hasContract({ txid, index })',
    replace: 'isScriptHash(script) && script.length === 0',
    test: oldRecords,
  },
  {
    name: 'forgotten address not seen',
    file: 'src/bitcoin/wallet.ts',
    find: 'index > this.#shown;',
    replace: 'index > this.#shown + walletAddressGap;',
    test: oldRecords,
  },
  {
    name: 'shown addresses not kept',
    file: 'src/bitcoin/wallet.ts',
    find: 'return this.#next === this.#keptNext ? [] : this.#nextWrites();',
    replace: 'return [];',
    test: oldRecords,
  },
  {
    name: 'what was found forgotten at the next start',
    file: `${channels}/went-back.ts`,
    find: 'commit([{ key: foundKey(role), value: utf8(what) }]);',
    replace: '',
    test: oldRecords,
  },
  {
    name: 'a relay takes payments with old records',
    file: `${channels}/payee.ts`,
    find: ' || this.#wentBack.fault !== undefined;',
    replace: ';',
    test: oldRecords,
  },
  {
    name: 'a backup gives way to one with fewer channels',
    file: `${channels}/backup.ts`,
    find: 'if (missing > 0)',
    replace: 'if (missing > before.size)',
    test: backups,
  },
  {
    name: 'a backup gives way to one that was paid less',
    file: `${channels}/backup.ts`,
    find: 'if ((after.get(channel) ?? 0n) < paidSat)',
    replace: 'if ((after.get(channel) ?? paidSat) < 0n)',
    test: backups,
  },
  {
    name: 'a backup does not say that it is one',
    file: `${channels}/backup.ts`,
    find: 'return [...records, ...restoredWrites(recordsOf(backup))];',
    replace: 'return records;',
    test: backups,
  },
  {
    name: 'a sealed file whose head may be changed',
    file: 'src/crypto/sealed-box.ts',
    find: 'xchacha20poly1305(key, nonce, headStruct.encode(head).subarray(0, headBytes))',
    replace: 'xchacha20poly1305(key, nonce)',
    test: 'src/crypto/sealed-box.test.ts',
  },
];

/** Puts the plant into its file as that is loaded; nothing in the program knows of it. */
const planting = ({ name, file, find, replace }: Plant) => ({
  name,
  enforce: 'pre' as const,
  transform(code: string, id: string): string | undefined {
    if (!id.endsWith(`/${file}`)) return undefined;
    if (code.split(find).length !== 2) throw new Error(`${file} has no one place for "${name}"`);
    return code.split(find).join(replace);
  },
});

/** Runs each test with its plant alone. */
export default defineConfig({
  test: {
    root: fileURLToPath(new URL('..', import.meta.url)),
    maxWorkers: 1,
    projects: guardPlants.map((plant, at) => ({
      plugins: [planting(plant)],
      test: { name: `plant ${at}`, include: [plant.test], testTimeout: 60_000 },
    })),
  },
});
