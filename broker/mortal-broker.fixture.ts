import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'vitest';
import { stringify } from 'yaml';
import type { Bitcoind } from '../regtest/bitcoind.ts';
import type { Funds } from '../regtest/funds.ts';
import { runNaulon } from '../scripts/naulon.fixture.ts';
import { brokerOf, withBroker } from '../scripts/network-broker.ts';
import { type NodeProcess, startNode } from '../scripts/node-process.ts';
import { scriptOfAddress } from '../src/bitcoin/wallet.ts';
import { tillOperation, tillScheme, withdrawBody } from '../src/broker/money-messages.ts';
import { SigningKey } from '../src/crypto/ecdsa.ts';
import { HttpParties } from '../src/node-io/party-http.ts';
import { SystemEntropy } from '../src/node-io/system-entropy.ts';
import { makeAccountRequest } from '../src/payment/account-request.ts';
import type { Answer } from '../src/ports.ts';

type Point = 'persist' | 'broadcast' | 'reply' | 'never';
export type PartyAnswer = Extract<Answer, { kind: 'party' }>;

/** Where it has its data and its chain. */
interface Ground {
  readonly folder: string;
  readonly bitcoind: Bitcoind;
  readonly funds: Funds;
}

/** A broker with a file of its own, and one account at it. */
export class MortalBroker {
  readonly dir: string;
  readonly account = SigningKey.fresh(new SystemEntropy());
  process!: NodeProcess;
  readonly #ground: Ground;

  constructor(ground: Ground, name: string, store?: object) {
    this.#ground = ground;
    this.dir = join(ground.folder, name);
    mkdirSync(this.dir, { mode: 0o700 });
    this.keepIn(store);
  }

  get file(): string {
    return join(this.dir, 'broker.yaml');
  }

  get log(): string {
    return join(this.dir, 'log');
  }

  get lastWords(): string {
    return readFileSync(this.log, 'utf8').trim().split('\n').at(-1) ?? '';
  }

  keepIn(store: object | undefined): void {
    const { bitcoind } = this.#ground;
    const chain = { rpc: bitcoind.rpcUrl, cookie: bitcoind.cookieFile };
    const settings = { data_directory: '.', listen: '127.0.0.1:0', chain, store };
    writeFileSync(this.file, stringify(settings), { mode: 0o600 });
  }

  /** Lets it run, to die at that point of the first withdrawal. */
  async start(point: Point): Promise<void> {
    const program = join(import.meta.dirname, 'dying-broker.fixture.ts');
    const dying = { executable: process.execPath, args: ['--import', 'tsx', program, point, this.file] };
    this.process = await startNode({
      name: 'broker',
      ...(point === 'never' ? { args: ['broker', '-f', this.file] } : dying),
      log: this.log,
      readyLine: /"ready"/,
      readyMsMax: 60_000,
    });
  }

  get address(): string {
    return brokerOf(this.process.readyLine).address;
  }

  async deposit(sat: bigint): Promise<void> {
    const address = await withBroker(this.address, broker => broker.address(this.account));
    await this.#ground.funds.faucet(address, sat);
    await this.#ground.funds.mine(1);
    await this.has(sat * 1_000n);
  }

  /** Resolves once the account has as much. */
  async has(msat: bigint): Promise<void> {
    await withBroker(this.address, async broker => {
      while ((await broker.balance(this.account)).msat !== msat) await pause(50);
    });
  }

  /** A request to pay out, to be sent as often as one likes. */
  withdrawal(to: string, sat: bigint): Uint8Array {
    const script = scriptOfAddress(to) as Uint8Array;
    const body = withdrawBody.encode({ operation: tillOperation.withdraw, sat, script });
    return makeAccountRequest(this.account, new SystemEntropy(), body);
  }

  /** Sends it until it is answered otherwise than that the wallet has not yet seen its coins on the chain. */
  async ask(request: Uint8Array): Promise<PartyAnswer> {
    for (;;) {
      const answer = await this.#askOnce(request);
      if (answer.fault !== 'frozen') return answer;
      await pause(50);
    }
  }

  async #askOnce(request: Uint8Array): Promise<PartyAnswer> {
    const parties = new HttpParties();
    const [host, port] = this.address.split(':');
    const answer = await new Promise<PartyAnswer>(resolve => {
      parties.attach({ onAnswer: answer => resolve(answer as PartyAnswer), onChain() {} });
      parties.ask({ host, port: Number(port) }, tillScheme, request, 1);
    });
    await parties.stop();
    return answer;
  }

  async expectBacked(): Promise<void> {
    const { code, out } = await runNaulon(['books', '-f', this.file]);
    expect(out).toContain('Every e-coin and every balance is backed, to the satoshi.');
    expect(code).toBe(0);
  }
}
