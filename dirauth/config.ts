import { isIP } from 'node:net';
import { type Fault, ok, type Result } from '../src/base/fault.ts';
import { readDirAuthorities } from '../src/config/dir-authorities.ts';
import type { Torrc } from '../src/config/torrc.ts';
import type { PortLine } from '../src/config/torrc-values.ts';
import { isNickname } from '../src/directory/consensus-entry.ts';
import { type FlagRules, labFlagRules, publicFlagRules } from '../src/directory/flag-rules.ts';
import { platformText } from '../src/node-io/package-version.ts';
import type { AuthoritySettings } from './authority-settings.ts';
import type { VoteSchedule } from './vote-clock.ts';

/** What an authority's torrc says; ports may still be `auto`. */
export interface AuthorityConfig extends Omit<AuthoritySettings, 'orPort' | 'dirPort'> {
  readonly dataDirectory: string;
  readonly orPort: Required<PortLine>;
  readonly dirPort: Required<PortLine>;
  readonly bandwidthsFile: string | undefined;
}

const hourMs = 3_600_000;
/** A lab's consensus is made this often unless told otherwise: soon enough to see relays come and go. */
const labIntervalMs = 20_000;
const labSettleMs = 500;
/** Votes take so long, and signatures too: an authority that is down is waited for. */
const labDelayMs = 4_000;
const publicDelayMs = 300_000;
/** spec: dir-spec/voting-schedule */
const delayMsMin = 2_000;
/** Clients refuse consensuses that are fresh for less. spec: dir-spec/voting */
const intervalMsMin = { lab: 10_000, public: 300_000 };

export function authorityConfig(torrc: Torrc): Result<AuthorityConfig, Fault> {
  const fault = (each: Fault): { ok: false; fault: Fault } => ({ ok: false, fault: each });
  if (torrc.flag('AuthoritativeDirectory') !== true)
    return fault(torrc.missing('AuthoritativeDirectory', 'an authority says: AuthoritativeDirectory 1'));
  if (torrc.flag('V3AuthoritativeDirectory') !== true)
    return fault(torrc.missing('V3AuthoritativeDirectory', 'an authority says: V3AuthoritativeDirectory 1'));
  const dataDirectory = torrc.text('DataDirectory');
  if (dataDirectory === undefined)
    return fault(torrc.missing('DataDirectory', 'the folder that keeps keys and descriptors'));
  const nickname = torrc.text('Nickname');
  if (nickname === undefined) return fault(torrc.missing('Nickname', 'the name of this authority'));
  if (!isNickname(nickname)) return fault(torrc.fault('Nickname', '1 to 19 letters and digits are needed'));
  const orPort = torrc.ports('ORPort')[0];
  if (orPort === undefined || orPort.port === 0)
    return fault(torrc.missing('ORPort', 'clients ask an authority over its OR port'));
  const dirPort = torrc.ports('DirPort')[0];
  if (dirPort === undefined || dirPort.port === 0)
    return fault(torrc.missing('DirPort', 'relays upload to an authority over its directory port'));
  const address = torrc.text('Address') ?? orPort.host ?? dirPort.host;
  if (address === undefined)
    return fault(torrc.missing('Address', 'the IPv4 address that others reach it by'));
  if (isIP(address) !== 4 || address === '0.0.0.0')
    return fault(torrc.fault('Address', 'the IPv4 address that others reach it by is needed'));
  const schedule = scheduleOf(torrc);
  if (!schedule.ok) return schedule;
  const authorities = readDirAuthorities(torrc);
  if (!authorities.ok) return authorities;
  const params = paramsOf(torrc.text('ConsensusParams') ?? '');
  if (params === undefined) return fault(torrc.fault('ConsensusParams', 'name=number pairs are needed'));
  const lab = torrc.flag('TestingTorNetwork') ?? false;
  return ok({
    nickname,
    contact: torrc.text('ContactInfo'),
    platform: platformText(),
    address,
    lab,
    assumeReachable: torrc.flag('AssumeReachable') ?? false,
    authorities: authorities.value,
    schedule: schedule.value,
    params,
    flagRules: flagRulesOf(torrc, lab ? labFlagRules : publicFlagRules),
    protocols: [3, 4, 5],
    dataDirectory,
    orPort,
    dirPort,
    bandwidthsFile: torrc.text('V3BandwidthsFile'),
  });
}

function scheduleOf(torrc: Torrc): Result<VoteSchedule, Fault> {
  const lab = torrc.flag('TestingTorNetwork') ?? false;
  const namedMs =
    torrc.intervalMs('V3AuthVotingInterval') ?? torrc.intervalMs('TestingV3AuthInitialVotingInterval');
  const intervalMs = namedMs ?? (lab ? labIntervalMs : hourMs);
  const least = lab ? intervalMsMin.lab : intervalMsMin.public;
  if (intervalMs < least || intervalMs > 24 * hourMs) {
    const why = `${least / 1000} seconds to 24 hours are possible`;
    return { ok: false, fault: torrc.fault('V3AuthVotingInterval', why) };
  }
  const delayMs = lab ? labDelayMs : publicDelayMs;
  const voteMs = torrc.intervalMs('V3AuthVoteDelay') ?? torrc.intervalMs('TestingV3AuthInitialVoteDelay');
  const signMs = torrc.intervalMs('V3AuthDistDelay') ?? torrc.intervalMs('TestingV3AuthInitialDistDelay');
  const delays = [voteMs ?? delayMs, signMs ?? delayMs];
  // As C tor has it: half of the interval is for the consensus to reach everybody.
  const fit = delays[0] + delays[1] <= intervalMs / 2 ? delays : [intervalMs / 4, intervalMs / 4];
  const [vote, sign] = fit.map(ms => Math.max(delayMsMin, Math.floor(ms / 1_000) * 1_000));
  return ok({
    intervalMs,
    intervalsValid: Math.max(2, torrc.count('V3AuthNIntervalsValid') ?? 3),
    voteMs: vote,
    signMs: sign,
    // Who names an interval wants it kept: C tor's authorities vote at no other time.
    settleMs: lab && namedMs === undefined ? labSettleMs : undefined,
  });
}

function flagRulesOf(torrc: Torrc, rules: FlagRules): FlagRules {
  return { ...rules, perAddressMax: torrc.count('AuthDirMaxServersPerAddr') ?? rules.perAddressMax };
}

function paramsOf(text: string): ReadonlyMap<string, number> | undefined {
  const params = new Map<string, number>();
  for (const pair of text.split(/\s+/).filter(each => each !== '')) {
    const match = /^([A-Za-z0-9_-]{1,100})=(-?[0-9]{1,9})$/.exec(pair);
    if (match === null) return undefined;
    params.set(match[1], Number(match[2]));
  }
  return params;
}
