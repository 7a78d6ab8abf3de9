import { fromHex, toHex } from '../../src/base/bytes.ts';
import { featureNames } from '../../src/control/control-connection.ts';
import { replyCode } from '../../src/control/control-reply.ts';
import { quoteWire, toWire } from '../../src/control/control-text.ts';
import { formatDocumentTime } from '../../src/directory/calendar.ts';
import type { NetworkView } from '../../src/directory/network-view.ts';
import type { RelayInfo } from '../../src/directory/relay-info.ts';
import type { Clock } from '../../src/ports.ts';
import type { ClientCore } from '../client-core.ts';
import { bootstrapOf, bootstrapWords } from './bootstrap-words.ts';
import {
  circuitStatus,
  circuitWords,
  isoTime,
  linkWord,
  relayWord,
  streamStatus,
  streamWords,
} from './circuit-words.ts';
import { eventNames } from './controller-events.ts';
import type { ControllerMoney } from './controller-money.ts';
import { optionList } from './controller-options.ts';
import { signalNames } from './controller-signals.ts';
import { relayEntry } from './network-words.ts';

/** What a client's process tells of itself. */
export interface ProcessFacts {
  readonly pid: number;
  readonly uid: number;
  readonly user: string;
  readonly torrcFile: string;
  /** HOST:PORT, or `unix:PATH`. */
  readonly listeners: { readonly socks: readonly string[]; readonly control: readonly string[] };
}

/** Where answers come from. */
export interface InfoSources {
  readonly core: ClientCore;
  readonly clock: Clock;
  readonly facts: ProcessFacts;
  readonly version: string;
  readonly money: ControllerMoney;
  /** READ,WRITTEN of each second of late. */
  readonly bandwidths: readonly string[];
  readonly startedMs: number;
  configText(): string;
}

/** A key that is known and has no answer. */
export interface NoAnswer {
  readonly why: string;
  /** 551 when absent: it may have one later. */
  readonly code?: number;
}

/** Undefined: there is no such thing. */
export type InfoAnswer = string | NoAnswer | undefined;

type InfoKeys = Readonly<Record<string, (from: InfoSources, rest: string) => InfoAnswer>>;

/** Keys as they stand, in C tor's words where it has them. spec: control-spec 3.9 */
export const exactKeys: InfoKeys = {
  version: ({ version }) => version,
  'config-file': ({ facts }) => toWire(facts.torrcFile),
  'config-text': from => from.configText(),
  'config-can-saveconf': () => '0',
  'config/names': optionList,
  'info/names': infoNames,
  'events/names': () => eventNames.join(' '),
  'features/names': () => featureNames.join(' '),
  'signal/names': () => signalNames.join(' '),
  'process/pid': ({ facts }) => String(facts.pid),
  'process/uid': ({ facts }) => String(facts.uid),
  'process/user': ({ facts }) => toWire(facts.user),
  uptime: ({ clock, startedMs }) => String(Math.floor((clock.monotonicMs() - startedMs) / 1_000)),
  'current-time/utc': ({ clock }) => isoTime(clock.wallMs()).replace(/\..*/, ''),
  address: () => ({ why: 'Address unknown' }),
  'address/v4': () => ({ why: 'Address unknown' }),
  'address/v6': () => ({ why: 'Address unknown' }),
  fingerprint: () => ({ why: 'Not running in server mode' }),
  dormant: () => '0',
  'accounting/enabled': () => '0',
  'exit-policy/default': () => 'reject *:*',
  'exit-policy/full': () => 'reject *:*',
  'exit-policy/ipv4': () => 'reject *:*',
  'exit-policy/ipv6': () => 'reject *:*',
  'net/listeners/socks': ({ facts }) => quotedList(facts.listeners.socks),
  'net/listeners/control': ({ facts }) => quotedList(facts.listeners.control),
  'net/listeners/or': () => '',
  'net/listeners/extor': () => '',
  'net/listeners/dir': () => '',
  'net/listeners/trans': () => '',
  'net/listeners/natd': () => '',
  'net/listeners/dns': () => '',
  'net/listeners/httptunnel': () => '',
  'traffic/read': ({ core }) => String(core.traffic.read),
  'traffic/written': ({ core }) => String(core.traffic.written),
  'bw-event-cache': ({ bandwidths }) => bandwidths.join(' '),
  'circuit-status': ({ core }) =>
    listed(core.pool.circuits, each => `${each.id} ${circuitWords(each, circuitStatus(each))}`),
  'stream-status': ({ core }) => listed(core.streams.streams, each => streamWords(each, streamStatus(each))),
  'orconn-status': ({ core }) =>
    listed(
      core.links.links,
      link => `${linkWord(link, core.planner.view)} ${link.ready ? 'CONNECTED' : 'LAUNCHED'}`,
    ),
  'entry-guards': ({ core }) => listed(core.planner.guardStates, each => `${relayWord(each)} ${each.state}`),
  'address-mappings/all': mappings,
  'address-mappings/control': mappings,
  'address-mappings/config': () => '',
  'address-mappings/cache': () => '',
  'onions/current': () => '',
  'onions/detached': () => '',
  'ns/all': ({ core }) => relays(core).map(relayEntry).join(''),
  'ns/purpose/bridge': () => '',
  'md/all': ({ core }) =>
    relays(core)
      .map(relay => microdescriptorOf(core, relay) ?? '')
      .join(''),
  'md/download-enabled': () => '1',
  'desc/download-enabled': () => '0',
  'desc/all-recent': () => '',
  'dir/status-vote/current/consensus': consensusText,
  'dir/status-vote/current/consensus-microdesc': consensusText,
  'consensus/valid-after': inView(view => formatDocumentTime(view.validAfterMs)),
  'consensus/fresh-until': inView(view => formatDocumentTime(view.freshUntilMs)),
  'consensus/valid-until': inView(view => formatDocumentTime(view.validUntilMs)),
  'status/circuit-established': ({ core }) => (core.ready ? '1' : '0'),
  'status/enough-dir-info': ({ core }) => (core.planner.view === undefined ? '0' : '1'),
  'status/bootstrap-phase': ({ core }) => `NOTICE ${bootstrapWords(bootstrapOf(core))}`,
  'status/version/current': () => 'unknown',
  'status/version/recommended': () => '',
  'network-liveness': ({ core }) => ([...core.links.links].some(({ ready }) => ready) ? 'up' : 'down'),
  'ip-to-country/ipv4-available': () => '0',
  'ip-to-country/ipv6-available': () => '0',
  'payment/schemes': ({ money }) => money.schemes,
  'payment/prices': ({ core }) =>
    listed(
      relays(core).filter(({ priceMsatPer2Pow20 }) => priceMsatPer2Pow20 > 0n),
      relay =>
        `${relayWord(relay)} PRICE_MSAT=${relay.priceMsatPer2Pow20} SCHEMES=${relay.paySchemes.join(',')}`,
    ),
  'payment/circuits': ({ money }) => money.circuits,
  'payment/receipts': ({ money }) => money.receipts,
  'payment/balance': ({ money }) => money.balance ?? noWallet,
  'payment/channels': ({ money }) => money.channels ?? noWallet,
};

const noWallet: NoAnswer = { why: 'This client pays by no scheme that has a wallet' };
const noDescriptors: NoAnswer = {
  why: 'We fetch microdescriptors, not router descriptors: ask for md/ instead of desc/',
  code: replyCode.unrecognizedEntity,
};

/** Keys that a name follows. */
export const prefixKeys: InfoKeys = {
  'ns/id/': ({ core }, id) => entryOf(relayOfId(core, id)),
  'ns/name/': ({ core }, name) => entryOf(core.planner.view?.relayByName(name)),
  'md/id/': ({ core }, id) => microdescriptorOf(core, relayOfId(core, id)),
  'md/name/': ({ core }, name) => microdescriptorOf(core, core.planner.view?.relayByName(name)),
  'desc/id/': () => noDescriptors,
  'desc/name/': () => noDescriptors,
  'ip-to-country/': () => ({ why: 'GeoIP data not loaded' }),
};

/** Every key, a line each. */
function infoNames(): string {
  const names = [...Object.keys(exactKeys), ...Object.keys(prefixKeys).map(name => `${name}*`)].sort();
  return names
    .map(
      name => `${name} -- ${name.startsWith('payment/') ? 'what relays are paid' : 'as control-spec has it'}`,
    )
    .join('\n');
}

function quotedList(listeners: readonly string[]): string {
  return listeners.map(each => quoteWire(toWire(each))).join(' ');
}

function listed<T>(things: Iterable<T>, line: (thing: T) => string): string {
  return [...things].map(line).join('\n');
}

function mappings({ core }: InfoSources): string {
  return listed(core.streams.mapped, ([from, to]) => `${toWire(from)} ${toWire(to)} NEVER`);
}

function relays(core: ClientCore): readonly RelayInfo[] {
  return core.planner.view?.relays ?? [];
}

/** Empty where there is no such relay, as C tor has it. */
function entryOf(relay: RelayInfo | undefined): string {
  return relay === undefined ? '' : relayEntry(relay);
}

/** By a fingerprint, whatever stands before and after it. */
function relayOfId(core: ClientCore, text: string): RelayInfo | undefined {
  const rsaId = fromHex(/^\$?([0-9A-Fa-f]{40})(?:[=~].*)?$/.exec(text)?.[1] ?? '');
  return rsaId === undefined || rsaId.length === 0 ? undefined : core.planner.view?.relayById(rsaId);
}

function microdescriptorOf(core: ClientCore, relay: RelayInfo | undefined): string | undefined {
  return relay === undefined ? undefined : core.directory.microdescriptor(toHex(relay.microdescriptorDigest));
}

function consensusText({ core }: InfoSources): InfoAnswer {
  const consensus = core.directory.consensus('microdesc');
  return consensus === undefined ? { why: 'There is no consensus yet' } : toWire(consensus.text);
}

function inView(tell: (view: NetworkView) => string): (from: InfoSources) => InfoAnswer {
  return ({ core: { planner } }) =>
    planner.view === undefined ? { why: 'There is no consensus yet' } : tell(planner.view);
}
