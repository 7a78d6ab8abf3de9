import { concatBytes, fromUtf8, utf8 } from '../base/bytes.ts';
import { partyRequestsMax } from '../base/limits.ts';
import type { SigningKey } from '../crypto/ecdsa.ts';
import { type OpenedRequest, openRequest, sealRequest } from '../crypto/sealed-to-key.ts';
import type { Entropy, PartyReply, RequestId } from '../ports.ts';

/**
 * What a party is asked through others who must neither read it nor answer in its place: the scheme's id and the request,
 * sealed to the key that the party signs with; the reply, or the word that it refuses with, sealed back.
 */

/** Stands for a scheme's id where a request is sealed. */
export const sealedScheme = 255;

/** What a relay is asked over a directory stream to pass on: POST to this path and the party's HOST:PORT. */
export const askPath = '/naulon/ask/';

const replyKind = { reply: 0, refused: 1 } as const;

export interface SealedAsk {
  readonly box: Uint8Array;
  /** Undefined for what the party did not answer to this question. */
  openReply(box: Uint8Array): PartyReply | undefined;
}

/** @param key the party's, 33 bytes that spell a point. */
export function sealAsk(key: Uint8Array, scheme: number, request: Uint8Array, entropy: Entropy): SealedAsk {
  const sealed = sealRequest(key, concatBytes(Uint8Array.of(scheme), request), entropy);
  return {
    box: sealed.box,
    openReply(box) {
      const plain = sealed.openReply(box);
      if (plain === undefined || plain.length === 0) return undefined;
      const bytes = plain.slice(1);
      if (plain[0] === replyKind.reply) return { kind: 'reply', bytes };
      return plain[0] === replyKind.refused ? { kind: 'refused', code: fromUtf8(bytes) } : undefined;
    },
  };
}

/** Where a party takes requests, sealed or not, and gives each its reply as it came. */
export class SealedDoor {
  readonly #key: SigningKey;
  readonly #entropy: Entropy;
  readonly #opened = new Map<RequestId, OpenedRequest>();

  /** @param key to which requests may be sealed. */
  constructor(key: SigningKey, entropy: Entropy) {
    this.#key = key;
    this.#entropy = entropy;
  }

  /** What is asked; undefined for what nobody can read. */
  open(
    request: RequestId,
    scheme: number,
    bytes: Uint8Array,
  ): { readonly scheme: number; readonly bytes: Uint8Array } | undefined {
    if (scheme !== sealedScheme) return { scheme, bytes };
    const opened = openRequest(this.#key, bytes);
    if (opened === undefined || opened.plain.length === 0) return undefined;
    const [oldest] = this.#opened.keys();
    if (this.#opened.size >= partyRequestsMax && oldest !== undefined) this.#opened.delete(oldest);
    this.#opened.set(request, opened);
    return { scheme: opened.plain[0], bytes: opened.plain.slice(1) };
  }

  /** The reply as it leaves. */
  close(request: RequestId, reply: PartyReply): PartyReply {
    const opened = this.#opened.get(request);
    if (opened === undefined) return reply;
    this.#opened.delete(request);
    const plain =
      reply.kind === 'reply'
        ? concatBytes(Uint8Array.of(replyKind.reply), reply.bytes)
        : concatBytes(Uint8Array.of(replyKind.refused), utf8(reply.code));
    return { kind: 'reply', bytes: opened.sealReply(plain, this.#entropy) };
  }

  /** Whoever asked is gone. */
  forget(request: RequestId): void {
    this.#opened.delete(request);
  }
}
