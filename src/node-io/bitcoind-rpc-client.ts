import { readFileSync } from 'node:fs';
import { Agent, type IncomingMessage, request } from 'node:http';

/** What bitcoind answered instead of a result. Connection trouble is an ordinary Error. */
export class BitcoindRpcError extends Error {
  override name = 'BitcoindRpcError';
  /** bitcoind's own, such as -28 while it warms up. */
  readonly code: number;

  constructor(method: string, code: number, message: string) {
    super(`${method}: ${message}`);
    this.code = code;
  }
}

export interface BitcoindRpcOptions {
  /** http://HOST:PORT */
  readonly url: string;
  /** Holds user:password; read again when bitcoind, started anew, no longer takes the old one. */
  readonly cookieFile: string;
  /** Connections for questions; the long poll for blocks has its own. */
  readonly connectionsMax?: number;
}

/** The largest block, its transactions spelt out, is a part of this. */
const answerBytesMax = 64 * 1024 * 1024;
const timeoutMsDefault = 30_000;

/** JSON-RPC over kept-alive HTTP connections. */
export class BitcoindRpc {
  readonly #options: BitcoindRpcOptions;
  readonly #agent: Agent;
  readonly #stop = new AbortController();
  #auth = '';
  #lastId = 0;

  constructor(options: BitcoindRpcOptions) {
    this.#options = options;
    this.#agent = new Agent({ keepAlive: true, maxSockets: options.connectionsMax ?? 4 });
  }

  /** The caller knows what the method returns. */
  async call<T>(method: string, parameters: readonly unknown[], timeoutMs = timeoutMsDefault): Promise<T> {
    if (this.#auth === '') this.#readCookie();
    const first = await this.#post(method, parameters, timeoutMs);
    if (first.status !== 401) return resultOf<T>(method, first);
    this.#readCookie();
    const second = await this.#post(method, parameters, timeoutMs);
    if (second.status === 401) throw new BitcoindRpcError(method, 401, 'the cookie is refused');
    return resultOf<T>(method, second);
  }

  /** Ends what is under way; nothing can be called any more. */
  close(): void {
    this.#stop.abort();
    this.#agent.destroy();
  }

  #readCookie(): void {
    const cookie = readFileSync(this.#options.cookieFile, 'utf8').trim();
    this.#auth = `Basic ${Buffer.from(cookie).toString('base64')}`;
  }

  #post(method: string, parameters: readonly unknown[], timeoutMs: number): Promise<Reply> {
    this.#lastId += 1;
    const body = JSON.stringify({ jsonrpc: '1.0', id: this.#lastId, method, params: parameters });
    return new Promise((resolve, reject) => {
      const sent = request(
        this.#options.url,
        {
          method: 'POST',
          agent: this.#agent,
          signal: this.#stop.signal,
          headers: {
            authorization: this.#auth,
            'content-type': 'application/json',
            'content-length': Buffer.byteLength(body),
          },
        },
        response => collect(response, resolve, reject),
      );
      // From when its turn came to the end of the answer: one that comes a byte at a time is none.
      const tooLate = () => sent.destroy(new Error(`${method}: no answer in ${timeoutMs} ms`));
      sent.on('socket', () => {
        const late = setTimeout(tooLate, timeoutMs);
        sent.on('close', () => clearTimeout(late));
      });
      sent.on('error', reject);
      sent.end(body);
    });
  }
}

interface Reply {
  readonly status: number;
  readonly text: string;
}

function collect(response: IncomingMessage, resolve: (reply: Reply) => void, reject: (e: Error) => void) {
  const parts: Buffer[] = [];
  let size = 0;
  response.on('data', (part: Buffer) => {
    size += part.length;
    if (size > answerBytesMax) response.destroy(new Error('the answer is too long'));
    else parts.push(part);
  });
  response.on('error', reject);
  response.on('end', () => {
    resolve({ status: response.statusCode ?? 0, text: Buffer.concat(parts).toString('utf8') });
  });
}

/** What else may sit at that port answers anything: only a result that is there is one. */
function resultOf<T>(method: string, reply: Reply): T {
  const { result, error } = answerOf(method, reply);
  if (typeof error?.code === 'number') throw new BitcoindRpcError(method, error.code, String(error.message));
  if (error || result === undefined || reply.status !== 200)
    throw new Error(`${method}: HTTP ${reply.status} without a result`);
  return result as T;
}

function answerOf(
  method: string,
  { status, text }: Reply,
): { result?: unknown; error?: { code?: unknown; message?: unknown } | null } {
  try {
    return Object(JSON.parse(text));
  } catch {
    throw new Error(`${method}: HTTP ${status} without JSON`);
  }
}

/** Satoshi of an amount that bitcoind writes in bitcoin; 8 places fit a double exactly up to the last coin. */
export function satoshiOfBitcoin(amount: number): bigint {
  return BigInt(amount.toFixed(8).replace('.', ''));
}
