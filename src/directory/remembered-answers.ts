import {
  deflatedBytesBurst,
  deflatedBytesMax,
  deflatedBytesPerSecond,
  rememberedAnswerBytesMax,
} from '../base/limits.ts';
import { TokenBucket } from '../flow/token-bucket.ts';
import type { Clock } from '../ports.ts';
import { documentBytes } from './document-lines.ts';
import { type DirectoryAnswer, deflate, plainAnswer } from './http-codec.ts';

/** Documents one behind the other, compressed for the first who takes them so while that costs little. */
class TextAnswer implements DirectoryAnswer {
  readonly status = 200;
  readonly reason = 'OK';
  readonly body: Uint8Array;
  readonly #room: TokenBucket;
  #deflated: Uint8Array | undefined;

  constructor(texts: readonly string[], room: TokenBucket) {
    this.body = documentBytes(texts.join(''));
    this.#room = room;
  }

  get deflated(): Uint8Array | undefined {
    if (this.#deflated === undefined && this.body.length <= deflatedBytesMax && this.#room.level() > 0) {
      this.#room.take(this.body.length);
      this.#deflated = deflate(this.body);
    }
    return this.#deflated;
  }
}

interface Remembered {
  readonly texts: readonly string[];
  readonly answer: TextAnswer;
  /** Of memory: what was asked for, and the body twice, since it may be compressed too. */
  readonly bytes: number;
}

/**
 * Answers that were made of documents, for whoever asks for the same while the documents are the same: deflate costs CPU. Whoever
 * asks for ever other documents together gets them as they are once that would be all that is done here.
 */
export class RememberedAnswers {
  /** By what was asked for; what nobody has asked for the longest first. */
  readonly #answers = new Map<string, Remembered>();
  #bytes = 0;
  readonly #room: TokenBucket;

  constructor(clock: Clock) {
    this.#room = new TokenBucket(clock, deflatedBytesPerSecond, deflatedBytesBurst);
  }

  /** @param texts the documents; not found when there are none. */
  answer(path: string, texts: readonly string[]): DirectoryAnswer {
    const known = this.#answers.get(path);
    if (known !== undefined) this.#forget(path, known);
    if (texts.length === 0) return plainAnswer(404);
    const same = known?.texts.length === texts.length && known.texts.every((text, at) => text === texts[at]);
    const answer = known !== undefined && same ? known.answer : new TextAnswer(texts, this.#room);
    const entry = { texts, answer, bytes: path.length + 2 * answer.body.length };
    this.#answers.set(path, entry);
    this.#bytes += entry.bytes;
    for (const [oldest, each] of this.#answers) {
      if (this.#bytes <= rememberedAnswerBytesMax) break;
      this.#forget(oldest, each);
    }
    return answer;
  }

  #forget(path: string, { bytes }: Remembered): void {
    this.#answers.delete(path);
    this.#bytes -= bytes;
  }
}
