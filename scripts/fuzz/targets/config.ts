import { authorityConfig } from '../../../dirauth/config.ts';
import { relayConfig } from '../../../relay/config.ts';
import { fromUtf8, utf8 } from '../../../src/base/bytes.ts';
import { fail, OperatorError, ok, type Result } from '../../../src/base/fault.ts';
import { defaultPayConfig, parsePayConfig } from '../../../src/config/pay-config.ts';
import { parseTorrc } from '../../../src/config/torrc.ts';
import { parseNetFile } from '../../net-file.ts';
import type { FuzzTarget } from '../fuzz-target.ts';
import { sourceWords } from '../source-words.ts';
import { verdictOf } from './verdict.ts';

const torrcSample = `Nickname alice
Address 203.0.113.7
ORPort 9001
DataDirectory "/var/lib/naulon" # comment
DirAuthority auth1 orport=9101 no-v2 v3ident=8617C6694B8E9CA71A019876073A82954DAB73A8 203.0.113.1:9130 28F8F58A61EAB9E340191DA0B90B31F5B04C0878
ExitPolicy accept *:80,accept6 [::]/0:443, \\
  reject 10.0.0.0/8:1-65535
BandwidthRate 10 MBytes
AuthoritativeDirectory 1
V3AuthoritativeDirectory 1
DirPort 9030
ConsensusParams cc_alg=2 circwindow=1000
V3AuthVotingInterval 5 minutes
`;
const paySample = `price: 100000 sat/GiB
scheme: bitcoin-channel
variant: spillman
min_confirmations: 1
window: auto
max_spend: {circuit: 5000, relay: 20000, day: 100000}
link_protocols: 3-5
chain: {rpc: http://127.0.0.1:18443, cookie: /var/lib/bitcoind/regtest/.cookie}
`;
const netSample = `relays:
  - {count: 2, flags: [guard], price: 100000 sat/GiB}
  - {count: 1, exit: true, price: 2 msat/cell}
authorities: 3
exit_to: [127.0.0.1:8080]
params: {cc_cwnd_init: 2000}
pay: {variant: cltv, window: 2048, max_spend: 100000 sat, min_confirmations: 1}
chain: {kind: rpc, url: http://127.0.0.1:18443, cookie: /path/.cookie}
`;

/** What an OperatorError tells a person is an answer, not a crash. */
function toldPeople(read: () => unknown): Result<unknown> {
  try {
    return ok(read());
  } catch (error) {
    if (error instanceof OperatorError) return fail(error.code);
    throw error;
  }
}

function configTarget(
  name: string,
  cases: number,
  sources: readonly string[],
  sample: string,
  read: (text: string) => Result<unknown>,
): FuzzTarget {
  return {
    name,
    cases,
    inputBytesMax: 1_024,
    // Only whoever starts a node writes them, and YAML takes long.
    slowMsMax: 100,
    sources,
    open: () => ({
      seeds: sample
        .split('\n')
        .map((_, at, lines) => utf8(lines.slice(0, at + 1).join('\n')))
        .concat(utf8(sample)),
      words: [...sourceWords(sources), ...['&a [', '*a', '{<<: *a}', '\\\n', '__proto__'].map(utf8)],
      take: (input, tell) => tell(verdictOf(read(fromUtf8(input))).split(' ')[0]),
    }),
  };
}

/** What people write: options of C tor, payment, networks. */
export const configTargets: readonly FuzzTarget[] = [
  configTarget(
    'torrc',
    100_000,
    ['src/config/torrc', 'relay/config', 'relay/exit-policy'],
    torrcSample,
    text => {
      const torrc = parseTorrc(text, 'torrc');
      if (!torrc.ok) return torrc;
      const authority = authorityConfig(torrc.value);
      const relay = toldPeople(() => relayConfig(torrc.value, defaultPayConfig(), 'pay.yaml'));
      return relay.ok ? authority : relay;
    },
  ),
  configTarget('pay-yaml', 50_000, ['src/config/pay', 'src/payment/price'], paySample, text =>
    parsePayConfig(text, 'pay.yaml'),
  ),
  configTarget('net-yaml', 50_000, ['scripts/net-file'], netSample, text =>
    toldPeople(() => parseNetFile('net.yaml', text)),
  ),
];
