import {
  Agent,
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { fromUtf8 } from '../base/bytes.ts';
import { partyAnswerMsMax, partyAsksMax, partyMessageBytesMax, partyRequestsMax } from '../base/limits.ts';
import type { SealedDoor } from '../payment/sealed-asks.ts';
import type {
  Answer,
  AnswerHandler,
  AskId,
  Endpoint,
  PartyPort,
  PartyReply,
  RequestHandler,
  RequestId,
} from '../ports.ts';

/**
 * Other parties of payment systems over HTTP/1.1: POST /pay/SCHEME with the request as body. 200 has the reply as body,
 * 409 the word that it was refused with. What is said is signed by those who say it; requests that others pass on are
 * sealed besides (`payment/sealed-asks`).
 */

const bodyType = 'application/octet-stream';
const wordBytesMax = 40;

export interface HttpPartiesOptions {
  readonly answerMsMax?: number;
  /** Of addresses that peers name; absent: all that are asked are its operator's. Where false, nobody can be reached. */
  readonly mayAsk?: (to: Endpoint) => boolean;
}

export class HttpParties implements PartyPort {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 64, maxFreeSockets: 16 });
  readonly #responses = new Map<RequestId, ServerResponse>();
  readonly #asked = new Set<AskId>();
  #server: Server | undefined;
  #handler: (AnswerHandler & Partial<RequestHandler>) | undefined;
  readonly #options: Required<HttpPartiesOptions>;
  #door: SealedDoor | undefined;
  #lastRequest = 0;
  #stopped = false;

  constructor({ answerMsMax = partyAnswerMsMax, mayAsk = () => true }: HttpPartiesOptions = {}) {
    this.#options = { answerMsMax, mayAsk };
  }

  attach(handler: AnswerHandler & Partial<RequestHandler>): void {
    this.#handler = handler;
  }

  /**
   * Takes requests from now on. Port 0: any that is free. Rejects when that address cannot be listened at.
   * @param door opens those that are sealed; absent: none is taken.
   */
  async listen(at: Endpoint, door?: SealedDoor): Promise<Endpoint> {
    this.#door = door;
    const server = createServer(
      { requestTimeout: partyAnswerMsMax, headersTimeout: partyAnswerMsMax, keepAliveTimeout: 30_000 },
      (request, response) => this.#take(request, response),
    );
    server.maxConnections = partyRequestsMax;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(at.port, at.host, () => resolve());
    });
    this.#server = server;
    return { host: at.host, port: (server.address() as AddressInfo).port };
  }

  ask(to: Endpoint, scheme: number, body: Uint8Array, ask: AskId): void {
    if (this.#asked.size >= partyAsksMax || !this.#options.mayAsk(to)) {
      setImmediate(() => this.#hear({ kind: 'party', ask, fault: 'unreachable' }));
      return;
    }
    this.#asked.add(ask);
    const answer = (given: { readonly fault: string } | { readonly reply: Uint8Array }): void => {
      if (!this.#asked.delete(ask)) return;
      clearTimeout(timer);
      this.#hear({ kind: 'party', ask, ...given });
    };
    const sent = httpRequest(
      {
        agent: this.#agent,
        host: to.host,
        port: to.port,
        method: 'POST',
        path: `/pay/${scheme}`,
        headers: { 'content-type': bodyType, 'content-length': body.length },
      },
      response => {
        response.on('error', () => answer({ fault: 'unreachable' }));
        readBody(response, bytes => answer(meaning(response.statusCode, bytes)));
      },
    );
    const timer = setTimeout(() => {
      answer({ fault: 'late' });
      sent.destroy();
    }, this.#options.answerMsMax);
    sent.on('error', () => answer({ fault: 'unreachable' }));
    sent.end(body.slice());
  }

  answer(request: RequestId, reply: PartyReply): void {
    const response = this.#responses.get(request);
    this.#responses.delete(request);
    if (response === undefined || response.destroyed) return;
    const said = this.#door?.close(request, reply) ?? reply;
    if (said.kind === 'refused') {
      response.writeHead(409, { 'content-type': 'text/plain' }).end(said.code);
      return;
    }
    const body = said.bytes.slice();
    response.writeHead(200, { 'content-type': bodyType, 'content-length': body.length }).end(body);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#agent.destroy();
    const server = this.#server;
    if (server === undefined) return;
    await new Promise<void>(resolve => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  }

  #take(request: IncomingMessage, response: ServerResponse): void {
    const scheme = /^\/pay\/(\d{1,3})$/.exec(request.url ?? '')?.[1];
    if (request.method !== 'POST' || scheme === undefined || Number(scheme) > 255) {
      turnAway(response, scheme === undefined ? 404 : 405);
      return;
    }
    if (this.#responses.size >= partyRequestsMax) {
      turnAway(response, 503);
      return;
    }
    readBody(request, bytes => {
      if (bytes === undefined) {
        turnAway(response, 413);
        return;
      }
      if (this.#stopped || response.destroyed) return;
      this.#lastRequest += 1;
      const id = this.#lastRequest;
      const asked =
        this.#door === undefined
          ? { scheme: Number(scheme), bytes }
          : this.#door.open(id, Number(scheme), bytes);
      if (asked === undefined) {
        turnAway(response, 400);
        return;
      }
      this.#responses.set(id, response);
      response.once('close', () => {
        this.#responses.delete(id);
        this.#door?.forget(id);
      });
      this.#handler?.onRequest?.(id, asked.scheme, asked.bytes);
    });
  }

  #hear(answer: Answer): void {
    if (!this.#stopped) this.#handler?.onAnswer(answer);
  }
}

/** What a response says; whatever is not ours to understand is malformed. */
function meaning(
  status: number | undefined,
  body: Uint8Array | undefined,
): { readonly fault: string } | { readonly reply: Uint8Array } {
  if (body === undefined) return { fault: 'malformed' };
  if (status === 200) return { reply: body };
  const word = body.length <= wordBytesMax ? fromUtf8(body) : '';
  if (status === 409 && /^[a-zA-Z]+$/.test(word)) return { fault: word };
  return { fault: status === 503 ? 'busy' : 'malformed' };
}

/** All of a body, once; undefined when it is too long. One that breaks off is never told. */
function readBody(message: IncomingMessage, done: (bytes: Uint8Array | undefined) => void): void {
  const parts: Buffer[] = [];
  let size = 0;
  message.on('data', (part: Buffer) => {
    size += part.length;
    if (size <= partyMessageBytesMax) {
      parts.push(part);
      return;
    }
    message.removeAllListeners('data').removeAllListeners('end');
    message.resume();
    done(undefined);
  });
  message.on('end', () => done(new Uint8Array(Buffer.concat(parts))));
  message.on('error', () => {});
}

function turnAway(response: ServerResponse, status: number): void {
  response.writeHead(status, { connection: 'close' }).end();
}
