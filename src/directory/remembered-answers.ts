import { rememberedAnswerBytesMax } from '../base/limits.ts';
import { documentBytes } from './document-lines.ts';
import { type DirectoryAnswer, deflate, plainAnswer } from './http-codec.ts';

/** Documents one behind the other, compressed for the first who takes them so. */
class TextAnswer implements DirectoryAnswer {
  readonly status = 200;
  readonly reason = 'OK';
  readonly body: Uint8Array;
  #deflated: Uint8Array | undefined;

  constructor(texts: readonly string[]) {
    this.body = documentBytes(texts.join(''));
  }

  get deflated(): Uint8Array {
    this.#deflated ??= deflate(this.body);
    return this.#deflated;
  }
}

interface Remembered {
  readonly texts: readonly string[];
  readonly answer: TextAnswer;
  /** Of memory: what was asked for, and the body twice, since it may be compressed too. */
  readonly bytes: number;
}

/** Answers that were made of documents, for whoever asks for the same while the documents are the same: deflate costs CPU. */
export class RememberedAnswers {
  /** By what was asked for; what nobody has asked for the longest first. */
  readonly #answers = new Map<string, Remembered>();
  #bytes = 0;

  /** @param texts the documents; not found when there are none. */
  answer(path: string, texts: readonly string[]): DirectoryAnswer {
    const known = this.#answers.get(path);
    if (known !== undefined) this.#forget(path, known);
    if (texts.length === 0) return plainAnswer(404);
    const same = known?.texts.length === texts.length && known.texts.every((text, at) => text === texts[at]);
    const answer = known !== undefined && same ? known.answer : new TextAnswer(texts);
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
