import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Answer, ChainEvent } from '../ports.ts';
import { BitcoindChain } from './bitcoind-chain.ts';

const script = Uint8Array.of(0x51);
const hashAt = (height: number) => height.toString(16).padStart(64, '0');

type Respond = (response: ServerResponse, method: string, parameters: readonly unknown[]) => void;

const text =
  (body: string, status = 200): Respond =>
  response => {
    response.statusCode = status;
    response.end(body);
  };
const result = (value: unknown) => text(JSON.stringify({ result: value, error: null }));

/** What sits where bitcoind should, and how it answers now. Its chain's block 2 pays the script. */
class Impostor {
  respond: Respond = (...asked) => this.well(...asked);
  tip = 1;
  #polls: ServerResponse[] = [];
  readonly #server: Server;

  constructor() {
    this.#server = createServer((request, response) => {
      let body = '';
      request.on('data', part => {
        body += part;
      });
      request.on('end', () => {
        const { method, params } = JSON.parse(body);
        // Without it nothing else is asked.
        if (method === 'getblockchaininfo') result({ chain: 'regtest' })(response, method, params);
        else if (method === 'waitfornewblock') this.#polls.push(response);
        else this.respond(response, method, params);
      });
    });
  }

  async start(): Promise<string> {
    await new Promise<void>(done => this.#server.listen(0, '127.0.0.1', done));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    const closed = new Promise(done => this.#server.close(done));
    this.#server.closeAllConnections();
    await closed;
  }

  grow(): void {
    this.tip += 1;
    for (const poll of this.#polls.splice(0))
      result({ hash: hashAt(this.tip), height: this.tip })(poll, '', []);
  }

  well(...[response, method, parameters]: Parameters<Respond>): void {
    const [parameter] = parameters;
    const height = Number.parseInt(String(parameter), 16);
    const answers: Record<string, () => unknown> = {
      getbestblockhash: () => hashAt(this.tip),
      getblockhash: () => hashAt(parameter as number),
      getblockheader: () => ({ height, ...(height > 0 && { previousblockhash: hashAt(height - 1) }) }),
      getblock: () => ({ tx: [{ txid: hashAt(height), hex: '', vin: [], vout: outputsAt(height) }] }),
      gettxout: () => null,
      gettxspendingprevout: () => [{ txid: hashAt(0), vout: 0 }],
      sendrawtransaction: () => hashAt(9),
      estimatesmartfee: () => ({}),
      getmempoolinfo: () => ({ mempoolminfee: 0.00001, incrementalrelayfee: 0.00001 }),
    };
    result(answers[method]())(response, method, parameters);
  }
}

function outputsAt(height: number): readonly unknown[] {
  return height === 2 ? [{ value: 0.5, scriptPubKey: { hex: '51' } }] : [];
}

let directory: string;
let impostor: Impostor;
let chain: BitcoindChain;
const events: ChainEvent[] = [];
const answers = new Map<number, Answer>();
let wake = () => {};

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'naulon-garbled-test-'));
  const cookieFile = join(directory, 'cookie');
  await writeFile(cookieFile, 'user:password');
  impostor = new Impostor();
  events.length = 0;
  answers.clear();
  chain = new BitcoindChain({ url: await impostor.start(), cookieFile, observer: { log() {}, count() {} } });
  chain.watch(script, 0);
  chain.attach({
    onAnswer: answer => {
      answers.set(answer.ask, answer);
      wake();
    },
    onChain: event => {
      events.push(event);
      wake();
    },
  });
});
afterEach(async () => {
  await chain.stop();
  await impostor.stop();
  await rm(directory, { recursive: true, force: true });
});

async function until(done: () => boolean): Promise<void> {
  while (!done())
    await new Promise<void>(resolve => {
      wake = resolve;
    });
}

const kinds = () => events.map(({ kind, height }) => `${kind} ${height}`);

const huge: Respond = response => {
  const part = Buffer.alloc(1024 * 1024, 0x20);
  const more = () => {
    while (!response.destroyed) if (!response.write(part)) return;
  };
  response.on('drain', more);
  more();
};

it.each<[string, Respond]>([
  ['nothing', response => response.destroy()],
  ['an empty body', text('')],
  ['no JSON', text('<html>')],
  ['JSON that is no object', text('7')],
  ['null', text('null')],
  ['an object without a result', text('{}')],
  ['HTTP 500', text('{"result":null,"error":null}', 500)],
  ['an error of another form', text('{"result":null,"error":"no"}')],
  ['results of another form', result({})],
  ['results of another type', result('no')],
  [
    'a part of the body',
    response => {
      response.setHeader('content-length', 1_000);
      response.write('{"result":');
      setImmediate(() => response.destroy());
    },
  ],
  ['a body without end', huge],
])('where bitcoind should be and answers %s, says so and goes on when it is back', async (_, garbled) => {
  await until(() => kinds().includes('block 1'));
  impostor.respond = garbled;
  impostor.grow();
  chain.output({ txid: new Uint8Array(32), index: 0 }, 1);
  await until(() => answers.has(1));
  expect(answers.get(1)).toMatchObject({ kind: 'output', fault: expect.any(String) });
  chain.feerate(2);
  await until(() => answers.has(2));
  expect(answers.get(2)).toMatchObject({ kind: 'feerate', fault: expect.any(String) });
  impostor.respond = (...asked) => impostor.well(...asked);
  await until(() => kinds().includes('paid 2'));
  expect(kinds()).toEqual(['tip 1', 'block 1', 'block 2', 'paid 2']);
  chain.output({ txid: new Uint8Array(32), index: 0 }, 3);
  chain.broadcast([Uint8Array.of(1)], 4);
  await until(() => answers.has(3) && answers.has(4));
  expect([answers.get(3), answers.get(4)]).toEqual([
    { kind: 'output', ask: 3 },
    { kind: 'broadcast', ask: 4 },
  ]);
});
