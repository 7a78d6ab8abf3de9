import { setTimeout as pause } from 'node:timers/promises';
import { residentBytesOf } from '../../bench/process-usage.ts';
import { channelsOpeningMax } from '../../src/base/limits.ts';
import type { AttackReport } from './attack.ts';
import { startAttack } from './attack-process.ts';
import { type FloodLab, queueCapBytes, type Watched } from './flood-lab.ts';

/** One figure of a flood beside what it must be. */
export interface Figure {
  readonly what: string;
  readonly reached: string;
  readonly goal: string;
  readonly met: boolean;
}

/** What one flood came to. */
export interface FloodResult {
  readonly flood: string;
  readonly title: string;
  readonly seconds: number;
  readonly figures: readonly Figure[];
  readonly report: AttackReport;
}

/** The quiet network, before any flood. */
export interface Undisturbed {
  readonly bytesPerSecond: number;
  readonly bootstrapSeconds: number;
}

/** A flood: what does it, whom it is aimed at, and what is asked of them. */
interface Flood {
  readonly title: string;
  readonly attack: string;
  /** The node whose event loop and memory are looked at. */
  readonly victim: string;
  /** It is over when its attack is; otherwise after the time that is given to it. */
  readonly untilDone: boolean;
  /** The victim's event loop must go on as if nothing were. */
  readonly asksForLoop?: true;
  /** Bytes that the victim may grow by. */
  readonly growthBytesMax?: number;
  /** What honest users do meanwhile. */
  readonly besides?: (lab: FloodLab) => Promise<Readonly<Record<string, number>>>;
  readonly figures: (report: AttackReport, context: FloodContext) => readonly Figure[];
}

interface FloodContext {
  readonly lab: FloodLab;
  readonly watched: Watched;
  readonly besides: Readonly<Record<string, number>>;
  readonly undisturbed: Undisturbed;
  /** How much of the flood there was. */
  readonly scale: number;
}

/** What a node may grow by beside its queues, and where nothing is kept of what it is sent. */
const rssSlackBytes = 64 * 2 ** 20;
/** 4,000 links. */
const linksBytesMax = 160 * 10 ** 6;
/** 100,000 circuits. */
const circuitsBytesMax = 100_000 * 2_048;
/** All contracts that a relay notes before it has seen them. */
const unseenContractsBytesMax = channelsOpeningMax * 32_768;
/** Too short a time tells nothing of what honest clients got. */
const shortestMs = 2_000;
/** A flood that ends by itself is stopped after so many times the time of the others. */
const longestShare = 6;
const paidShareMin = 0.9;
const loopP99MsMax = 50;
/** Of those that mean nothing. */
const idleCellsPerSecond = 1_000_000;
/** C tor: DoSConnectionMaxConcurrentCount. */
const linksOfAddressMax = 100;

const none = (what: string, count: number): Figure => ({
  what,
  reached: String(count),
  goal: '0',
  met: count === 0,
});
const told = (what: string, reached: number | string): Figure => ({
  what,
  reached: typeof reached === 'string' ? reached : String(Math.round(reached)),
  goal: '',
  met: true,
});

/** Somebody new comes meanwhile. */
const startsMeanwhile = async (lab: FloodLab): Promise<Readonly<Record<string, number>>> => ({
  bootstrapSeconds: await lab.bootstrapSeconds(),
});

function startFigure(besides: Readonly<Record<string, number>>, undisturbed: Undisturbed): Figure {
  const { bootstrapSeconds } = undisturbed;
  return {
    what: 'a new client starts in, of undisturbed',
    reached: `${((100 * besides.bootstrapSeconds) / bootstrapSeconds).toFixed(0)} %`,
    goal: '<= 200 %',
    met: besides.bootstrapSeconds <= 2 * bootstrapSeconds,
  };
}

export const floods: Readonly<Record<string, Flood>> = {
  create: {
    title: 'CREATE2 at 20,000/s from 50 addresses',
    attack: 'create',
    victim: 'guard1',
    untilDone: false,
    asksForLoop: true,
    figures: ({ offered, made, refused }, { watched: { seconds } }) => [
      told('offered a second', offered / seconds),
      told('made a second', made / seconds),
      told('refused a second', refused / seconds),
    ],
  },
  free: {
    title: 'circuits that ask for exits on free cells',
    attack: 'free',
    victim: 'exit1',
    untilDone: true,
    growthBytesMax: circuitsBytesMax,
    figures: ({ circuits, refused, connected, least, most }) => [
      told('circuits', circuits),
      told('of them refused', refused),
      none('exit streams opened', connected),
      {
        what: 'cells of a circuit, least',
        reached: String(least),
        goal: '64',
        met: least === 64 || least === 0,
      },
      { what: 'cells of a circuit, most', reached: String(most), goal: '64', met: most <= 64 },
    ],
  },
  forged: {
    title: 'forged contracts and signatures',
    attack: 'forged',
    victim: 'guard1',
    untilDone: true,
    growthBytesMax: unseenContractsBytesMax,
    figures: ({ forged, circuits, accepted, credited, refused }) => [
      told('forged payments', forged),
      told('circuits', circuits),
      told('of them refused', refused),
      told('contracts noted', accepted),
      none('receipts with credit', credited),
    ],
  },
  half: {
    title: 'REDEEMs that are never whole',
    attack: 'half',
    victim: 'guard1',
    untilDone: false,
    growthBytesMax: circuitsBytesMax,
    figures: ({ sent, ended }) => [told('begun', sent), told('ended by the relay', ended)],
  },
  idle: {
    title: 'PADDING, VPADDING and cells of no circuit',
    attack: 'idle',
    victim: 'guard1',
    untilDone: false,
    figures: ({ offeredPerSecond, sent }, { watched: { seconds }, scale }) => [
      {
        what: 'cells offered a second',
        reached: String(Math.round(offeredPerSecond)),
        goal: `>= ${idleCellsPerSecond * scale}`,
        met: offeredPerSecond >= idleCellsPerSecond * scale,
      },
      told('cells taken a second', sent / seconds),
    ],
  },
  links: {
    title: 'links that are ready and idle, from more addresses than the relay can hold links of',
    attack: 'links',
    victim: 'guard1',
    untilDone: false,
    growthBytesMax: linksBytesMax,
    besides: startsMeanwhile,
    figures: ({ most, addressMost, refused, lost }, { besides, undisturbed }) => [
      told('held at once', most),
      {
        what: 'held at once by one address, most',
        reached: String(addressMost),
        goal: `<= ${linksOfAddressMax}`,
        met: addressMost <= linksOfAddressMax,
      },
      told('refused', refused),
      told('ended by the relay', lost),
      startFigure(besides, undisturbed),
    ],
  },
  malformed: {
    title: 'cells that nobody should send, in every state of links and circuits',
    attack: 'malformed',
    victim: 'guard1',
    untilDone: true,
    growthBytesMax: rssSlackBytes,
    figures: ({ cells, links }) => [told('cells', cells), told('links', links)],
  },
  documents: {
    title: 'descriptors and requests, changed in every way, to the authority',
    attack: 'documents',
    victim: 'auth1',
    untilDone: true,
    asksForLoop: true,
    growthBytesMax: rssSlackBytes,
    figures: ({ sent, answered, refused, known, left, forged }) => [
      told('documents', sent),
      told('answered', answered),
      told('of them refused', refused),
      none('descriptors taken that nobody signed', forged),
      none('descriptors lost', known - left),
    ],
  },
  readers: {
    title: 'readers that stand still',
    attack: 'readers',
    victim: 'exit2',
    untilDone: false,
    growthBytesMax: queueCapBytes + rssSlackBytes,
    figures: ({ stalled, connected, ended, lost }) => [
      told('links that stand still', stalled),
      told('streams on them', connected),
      told('circuits ended by the relay', ended),
      told('links ended by the relay', lost),
    ],
  },
  slow: {
    title: 'connections that never come to the point, on every port',
    attack: 'slow',
    victim: 'guard1',
    untilDone: false,
    besides: startsMeanwhile,
    figures: ({ opened, most, thrownOut }, { besides, undisturbed }) => [
      told('connections begun', opened),
      told('open at once', most),
      told('ended by the nodes', thrownOut),
      startFigure(besides, undisturbed),
    ],
  },
  ssrf: {
    title: 'private addresses in every spelling, and names that turn private',
    attack: 'ssrf',
    victim: 'exit2',
    untilDone: true,
    figures: ({ tries, connected }, { lab }) => [
      told('tries', tries),
      none('streams opened', connected),
      none(
        'connections made',
        lab.secrets.reduce((sum, each) => sum + each.connections, 0),
      ),
    ],
  },
  rebind: {
    title: 'names that lead to what is allowed at first, and into the network later',
    attack: 'rebind',
    victim: 'exit2',
    untilDone: true,
    figures: ({ tries, outside, inside, refused }, { lab }) => [
      told('tries', tries),
      told('led to what is allowed', outside),
      told('refused', refused),
      none('streams opened elsewhere', inside),
      none('connections made inside', lab.hidden.connections),
    ],
  },
  streams: {
    title: 'BEGIN at 10,000/s on few circuits',
    attack: 'streams',
    victim: 'exit2',
    untilDone: false,
    figures: ({ begun, connected, refused }, { watched: { seconds } }) => [
      told('begun a second', begun / seconds),
      told('connected a second', connected / seconds),
      told('refused a second', refused / seconds),
    ],
  },
  control: {
    title: 'HTTP and commands without a login on the control port',
    attack: 'control',
    victim: 'client',
    untilDone: true,
    figures: ({ tries, answered, heard }) => [
      told('tries', tries),
      told('answered', answered),
      none('commands heard', heard),
    ],
  },
};

/** Runs one flood against the lab. @param ms how long, for those that do not end by themselves. */
export async function runFlood(
  lab: FloodLab,
  name: string,
  {
    ms,
    scale,
    undisturbed,
  }: { readonly ms: number; readonly scale: number; readonly undisturbed: Undisturbed },
): Promise<FloodResult> {
  const flood = floods[name];
  // Some attacks have all that they hold before they are said to have begun.
  const rssBefore = residentBytesOf(lab.node(flood.victim).process.pid);
  const attack = startAttack({ attack: flood.attack, aim: lab.aim(scale) }, lab.signal);
  let besides: Readonly<Record<string, number>> = {};
  const besidesOf = async (): Promise<void> => {
    besides = (await flood.besides?.(lab)) ?? {};
  };
  let report: AttackReport = {};
  try {
    await attack.begun;
    const watched = await lab.watch([flood.victim], async () => {
      const over = flood.untilDone ? Promise.race([attack.done, pause(longestShare * ms)]) : pause(ms);
      await Promise.all([over, pause(Math.min(ms, shortestMs)), besidesOf()]);
    });
    report = await attack.stop();
    const lost = await lab.mend();
    const figures = [
      ...honest(watched, undisturbed, lost),
      ...ofVictim(watched, rssBefore, flood),
      ...flood.figures(report, { lab, watched, besides, undisturbed, scale }),
      none('nodes that ended', lab.ended.length),
    ];
    return { flood: name, title: flood.title, seconds: watched.seconds, figures, report };
  } finally {
    await attack.stop().catch(() => {});
  }
}

function honest({ bytesPerSecond }: Watched, undisturbed: Undisturbed, lost: number): Figure[] {
  const share = bytesPerSecond / undisturbed.bytesPerSecond;
  return [
    {
      what: 'paid throughput, of undisturbed',
      reached: `${(100 * share).toFixed(1)} %`,
      goal: '>= 90 %',
      met: share >= paidShareMin,
    },
    none('paid streams lost', lost),
  ];
}

function ofVictim(
  { loop, rssMost, cpu }: Watched,
  rssBefore: number,
  { victim, asksForLoop, growthBytesMax }: Flood,
): Figure[] {
  const { p99Ms, maxMs } = loop[victim];
  const grown = rssMost[victim] - rssBefore;
  return [
    {
      what: `${victim}: event loop p99`,
      reached: `${p99Ms.toFixed(1)} ms`,
      goal: asksForLoop === true ? `< ${loopP99MsMax} ms` : '',
      met: asksForLoop === undefined || p99Ms < loopP99MsMax,
    },
    told(`${victim}: of a core`, `${(100 * cpu[victim]).toFixed(0)} %`),
    told(`${victim}: event loop, longest`, `${maxMs.toFixed(0)} ms`),
    {
      what: `${victim}: memory grown by`,
      reached: mebibytes(grown),
      goal: growthBytesMax === undefined ? '' : `<= ${mebibytes(growthBytesMax)}`,
      met: growthBytesMax === undefined || grown <= growthBytesMax,
    },
  ];
}

function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(0)} MiB`;
}
