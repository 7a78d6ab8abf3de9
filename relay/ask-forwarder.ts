import { equalBytes, utf8 } from '../src/base/bytes.ts';
import { parseIp } from '../src/base/ip.ts';
import { circuitAskBytesMax, forwardedAsksMax } from '../src/base/limits.ts';
import { parsePort } from '../src/directory/endpoint-text.ts';
import type { EncodedAnswer, HttpRequest } from '../src/directory/http-codec.ts';
import { askPath, sealedScheme } from '../src/payment/sealed-asks.ts';
import type { Answer, AskId, Endpoint, PartyPort } from '../src/ports.ts';

export interface AskForwarderOptions {
  readonly parties: Pick<PartyPort, 'ask'>;
  readonly newAsk: () => AskId;
  /** Who stands behind the payments that this relay takes; undefined: nobody, and nothing is passed on. */
  readonly broker: Endpoint | undefined;
  /** Tells whether others are asked at that address besides. */
  readonly knows: (at: Endpoint, done: (known: boolean) => void) => void;
}

/** What becomes of a question that is passed on; the party's own words are sealed in the body of a 200. */
const status = { answered: '200 OK', unknown: '404 No', busy: '503 No', silent: '504 No' };

/**
 * Passes on what clients would ask the broker, and others by whom this relay is paid, so that these do not see from where
 * they are asked. Over directory streams, since a client must ask before it can pay; and to nobody else, so that free cells
 * lead nowhere but to payment.
 */
export class AskForwarder {
  readonly #options: AskForwarderOptions;
  readonly #underWay = new Map<AskId, (answer: EncodedAnswer) => void>();

  constructor(options: AskForwarderOptions) {
    this.#options = options;
  }

  /** True: others are asked for the answer, and `later` is told it, once. */
  defer({ method, path, body }: HttpRequest, later: (answer: EncodedAnswer) => void): boolean {
    const { broker, knows } = this.#options;
    if (broker === undefined || method !== 'POST' || !path.startsWith(askPath)) return false;
    if (body.length > circuitAskBytesMax) return false;
    const to = endpointOf(path.slice(askPath.length));
    if (to === undefined) later(encode(status.unknown));
    else if (this.#underWay.size >= forwardedAsksMax) later(encode(status.busy));
    else if (isSame(to, broker)) this.#ask(to, body, later);
    else
      knows(to, known => {
        if (known) this.#ask(to, body, later);
        else later(encode(status.unknown));
      });
    return true;
  }

  /** True when the answer was for a question that was passed on. */
  onAnswer(answer: Answer): boolean {
    const later = this.#underWay.get(answer.ask);
    if (later === undefined || answer.kind !== 'party') return false;
    this.#underWay.delete(answer.ask);
    later(answer.reply === undefined ? encode(status.silent) : encode(status.answered, answer.reply));
    return true;
  }

  #ask(to: Endpoint, box: Uint8Array, later: (answer: EncodedAnswer) => void): void {
    const ask = this.#options.newAsk();
    this.#underWay.set(ask, later);
    this.#options.parties.ask(to, sealedScheme, box, ask);
  }
}

/** An IP literal as it was written, since assistants are known by what they wrote, and a port. */
function endpointOf(text: string): Endpoint | undefined {
  const match = /^(?:\[([0-9a-f:.]{2,45})\]|([0-9.]{7,15})):([0-9]{1,5})$/i.exec(text);
  const host = match?.[1] ?? match?.[2] ?? '';
  const port = parsePort(match?.[3] ?? '');
  return parseIp(host) === undefined || port === undefined || port === 0 ? undefined : { host, port };
}

function isSame(a: Endpoint, b: Endpoint): boolean {
  const [one, other] = [parseIp(a.host), parseIp(b.host)];
  return a.port === b.port && one !== undefined && other !== undefined && equalBytes(one, other);
}

function encode(line: string, body: Uint8Array = new Uint8Array(0)): EncodedAnswer {
  return { head: utf8(`HTTP/1.0 ${line}\r\nContent-Length: ${body.length}\r\n\r\n`), body, shared: false };
}
