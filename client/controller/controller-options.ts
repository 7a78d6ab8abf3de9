import type { Result } from '../../src/base/fault.ts';
import { parseTorrc, type Torrc, torrcOption } from '../../src/config/torrc.ts';
import { type OptionKind, type TorrcOption, torrcOptions } from '../../src/config/torrc-options.ts';
import { parseFlag, parseInterval } from '../../src/config/torrc-values.ts';
import {
  type Reply,
  type ReplyLine,
  replyCode,
  replyLine,
  replyOk,
} from '../../src/control/control-reply.ts';
import { fromWire, parseArguments, toWire, wordsOf } from '../../src/control/control-text.ts';
import type { ClientCore } from '../client-core.ts';
import { defaultPoolSettings } from '../client-settings.ts';

/** An option that may change while the client runs. */
interface LiveOption {
  readonly otherwise: string;
  get(core: ClientCore): string;
  /** Undefined: the value makes no sense. */
  change(value: string): ((core: ClientCore) => void) | undefined;
}

const seconds = (ms: number): string => String(Math.floor(ms / 1_000));

function interval(setting: 'dirtinessMsMax' | 'buildMsMax' | 'waitMsMax'): LiveOption {
  return {
    otherwise: seconds(defaultPoolSettings[setting]),
    get: core => seconds(core.pool.settings[setting]),
    change: value => {
      const ms = parseInterval(value);
      return ms === undefined || ms === 0 ? undefined : core => core.pool.change({ [setting]: ms });
    },
  };
}

const liveOptions: Readonly<Partial<Record<TorrcOption, LiveOption>>> = {
  __LeaveStreamsUnattached: {
    otherwise: '0',
    get: ({ streams }) => (streams.leavesUnattached ? '1' : '0'),
    change: value => {
      const on = parseFlag(value);
      if (on === undefined) return undefined;
      return ({ streams }) => {
        streams.leavesUnattached = on;
      };
    },
  },
  CircuitBuildTimeout: interval('buildMsMax'),
  MaxCircuitDirtiness: interval('dirtinessMsMax'),
  SocksTimeout: interval('waitMsMax'),
};

/** An option and its value now; undefined: it has none. */
export type ChangedOption = readonly [option: TorrcOption, value: string | undefined];

interface Wish {
  readonly option: TorrcOption;
  /** Undefined: its default. */
  readonly value: string | undefined;
}

/** What GETCONF, SETCONF, RESETCONF and LOADCONF see: the torrc, and what was changed since. spec: control-spec 3.1, 3.2 */
export class ControllerOptions {
  readonly #core: ClientCore;
  readonly #torrc: Torrc;
  readonly #onChanged: (changed: readonly ChangedOption[]) => void;

  constructor(core: ClientCore, torrc: Torrc, onChanged: (changed: readonly ChangedOption[]) => void) {
    this.#core = core;
    this.#torrc = torrc;
    this.#onChanged = onChanged;
  }

  /** A torrc that would bring the client to where it is. */
  get text(): string {
    const named = new Set([...this.#torrc.options, ...(Object.keys(liveOptions) as TorrcOption[])]);
    const lines = [...named].flatMap(option => this.#values(option).map(value => `${option} ${value}\n`));
    return toWire(lines.join(''));
  }

  getConf(rest: string): Reply {
    const words = wordsOf(rest);
    const unknown = words.filter(word => torrcOption(word) === undefined);
    if (unknown.length > 0)
      return replyOf(
        unknown.map(word => ({
          code: replyCode.unrecognizedEntity,
          text: `Unrecognized configuration key "${word}"`,
        })),
      );
    return replyOf(words.flatMap(word => torrcOption(word) ?? []).flatMap(option => this.#told(option)));
  }

  /** SETCONF and RESETCONF: all of the changes, or none. A key without a value goes back to its default. */
  setConf(rest: string): Reply {
    const given = parseArguments(rest);
    if (given === undefined)
      return replyLine(replyCode.badArgument, 'Bad arguments: the quotes do not match');
    const wishes: Wish[] = [];
    for (const { key, value } of given) {
      const name = key ?? value;
      const option = torrcOption(name);
      if (option === undefined)
        return replyLine(replyCode.unrecognizedEntity, `Unrecognized option: Unknown option '${name}'.`);
      wishes.push({ option, value: key === undefined || value === '' ? undefined : fromWire(value) });
    }
    return this.#apply(wishes);
  }

  /** The data of `+LOADCONF`: a torrc. */
  loadConf(data: string): Reply {
    const parsed = parseTorrc(fromWire(data), 'LOADCONF');
    if (!parsed.ok) {
      const why = toWire(parsed.fault.detail ?? '');
      return replyLine(replyCode.unrecognizedEntity, `Invalid config file: ${why}`);
    }
    return this.#apply(this.#wishesOf(parsed.value));
  }

  /** Takes from a torrc what can change; the options that differ and would need a new start are the answer. */
  reload(read: () => Result<Torrc>): Result<readonly TorrcOption[]> {
    const torrc = read();
    if (!torrc.ok) return torrc;
    const wishes = this.#wishesOf(torrc.value);
    const fixed = wishes.filter(wish => this.#differsForGood(wish)).map(({ option }) => option);
    this.#apply(wishes.filter(wish => !fixed.includes(wish.option)));
    return { ok: true, value: [...new Set(fixed)] };
  }

  #wishesOf(torrc: Torrc): Wish[] {
    const named = new Set([
      ...torrc.options,
      ...this.#torrc.options,
      ...(Object.keys(liveOptions) as TorrcOption[]),
    ]);
    return [...named].flatMap((option): Wish[] => {
      const values = torrc.values(option);
      if (liveOptions[option] !== undefined || values.length === 0) return [{ option, value: values.at(-1) }];
      return isSame(values, this.#torrc.values(option)) ? [] : [{ option, value: values.join('\n') }];
    });
  }

  #apply(wishes: readonly Wish[]): Reply {
    const changes: ((core: ClientCore) => void)[] = [];
    for (const { option, value } of wishes) {
      const live = liveOptions[option];
      const change = live?.change(value ?? live.otherwise);
      if (live !== undefined && change === undefined)
        return replyLine(
          replyCode.unrecognizedArgument,
          `Unacceptable option value: ${option} cannot be "${toWire(value ?? '')}"`,
        );
      if (change !== undefined) changes.push(change);
      else if (this.#differsForGood({ option, value }))
        return replyLine(
          replyCode.badConfiguration,
          `Transition not allowed: ${option} is read when the client starts`,
        );
    }
    const before = new Map(wishes.map(({ option }) => [option, this.#values(option).at(-1)]));
    for (const change of changes) change(this.#core);
    const now = [...before.keys()].map((option): ChangedOption => [option, this.#values(option).at(-1)]);
    const changed = now.filter(([option, value]) => value !== before.get(option));
    if (changed.length > 0) this.#onChanged(changed);
    return replyOk;
  }

  /** True for a wish that would need the client to start again. */
  #differsForGood({ option, value }: Wish): boolean {
    if (liveOptions[option] !== undefined) return false;
    const now = this.#torrc.values(option);
    return value === undefined ? now.length > 0 : !now.includes(value);
  }

  #values(option: TorrcOption): readonly string[] {
    const live = liveOptions[option];
    return live === undefined ? this.#torrc.values(option) : [live.get(this.#core)];
  }

  #told(option: TorrcOption): ReplyLine[] {
    const values = this.#values(option);
    if (values.length === 0) return [{ code: replyCode.ok, text: option }];
    return values.map(value => ({ code: replyCode.ok, text: `${option}=${toWire(value)}` }));
  }
}

const kindNames: Readonly<Record<OptionKind, string>> = {
  text: 'String',
  flag: 'Boolean',
  autoflag: 'Boolean+Auto',
  count: 'Integer',
  interval: 'TimeInterval',
  bytes: 'DataSize',
  port: 'LineList',
  lines: 'LineList',
  unused: 'String',
};

/** Every option and its kind, a line each. */
export function optionList(): string {
  return Object.entries(torrcOptions)
    .map(([name, kind]) => `${name} ${kindNames[kind]}`)
    .join('\n');
}

function isSame(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((value, at) => value === b[at]);
}

function replyOf(lines: readonly ReplyLine[]): Reply {
  const [first, ...more] = lines;
  return first === undefined ? replyOk : [first, ...more];
}
