import { Session } from 'node:inspector';

interface Script {
  readonly url: string;
  readonly functions: readonly {
    readonly ranges: readonly {
      readonly startOffset: number;
      readonly endOffset: number;
      readonly count: number;
    }[];
  }[];
}

/** Which characters of some modules have run, as V8 counts its blocks. One at a time in a thread. */
export class Coverage {
  readonly #session = new Session();
  readonly #sources: readonly string[];
  readonly #reached = new Map<string, Uint8Array>();

  /** @param sources beginnings of paths below the project's root. */
  constructor(sources: readonly string[]) {
    this.#sources = sources;
    this.#session.connect();
    this.#session.post('Profiler.enable');
    this.#session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  }

  /** Characters that ran for the first time since the last call. */
  take(): number {
    let fresh = 0;
    for (const script of this.#counted()) {
      const counts = countsOf(script);
      const reached = this.#reached.get(script.url) ?? new Uint8Array(counts.length);
      this.#reached.set(script.url, reached);
      for (let at = 0; at < counts.length; at++) {
        if (counts[at] === 0 || reached[at] === 1) continue;
        reached[at] = 1;
        fresh += 1;
      }
    }
    return fresh;
  }

  /** Share of the modules' characters that have ever run, from 0 to 1. */
  get share(): number {
    let [all, reached] = [0, 0];
    for (const characters of this.#reached.values()) {
      all += characters.length;
      for (const each of characters) reached += each;
    }
    return all === 0 ? 0 : reached / all;
  }

  stop(): void {
    this.#session.post('Profiler.stopPreciseCoverage');
    this.#session.disconnect();
  }

  /** The answer of an inspector in the own thread comes before the call returns. */
  #counted(): readonly Script[] {
    let scripts: readonly Script[] = [];
    this.#session.post('Profiler.takePreciseCoverage', (error, answer) => {
      if (error !== null) throw new Error(error.message);
      scripts = answer.result.filter(({ url }) => this.#isCounted(url));
    });
    return scripts;
  }

  #isCounted(url: string): boolean {
    const path = url.slice(rootUrl.length);
    return url.startsWith(rootUrl) && this.#sources.some(source => path.startsWith(source));
  }
}

/** The folder, as a URL with a slash at its end, that `src` is in. */
const rootUrl = new URL('../../', import.meta.url).href;

/** How often each character ran: an inner range says it better than the one around it. */
function countsOf({ functions }: Script): Uint8Array {
  const length = functions[0]?.ranges[0]?.endOffset ?? 0;
  const counts = new Uint8Array(length);
  for (const { ranges } of functions)
    for (const { startOffset, endOffset, count } of ranges)
      counts.fill(count > 0 ? 1 : 0, startOffset, endOffset);
  return counts;
}
