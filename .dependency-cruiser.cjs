/** Who may import whom. Lower ranks never import higher ones; the table is explained in ARCHITECTURE.md. */
const rank1to3 =
  '^src/(crypto|cell|flow|link|onion|stream|bitcoin|payment|schemes|broker|directory|circuit|socks|control|config)/';
const tests = '\\.(test|fixture)\\.ts$|/vectors/|^test/';
const forbid = (name, from, to, extra = {}) => ({
  name,
  severity: 'error',
  from: { path: from, pathNot: tests, ...extra },
  to,
});
module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    forbid('base-imports-base-alone', '^src/(base/|ports\\.ts)', {
      path: '^(src/(?!base/|ports\\.ts)|relay|client|dirauth|broker|regtest|scripts|bench)/?',
    }),
    forbid('ranks-1-3-import-no-io', rank1to3, {
      path: '^(src/(node-io|sim|dashboard|index\\.ts)|relay/|client/|dirauth/|broker/|regtest/|scripts/|bench/)',
    }),
    forbid('ranks-1-3-touch-no-world', rank1to3, {
      path: '^(node:)?(net|tls|fs|http|https|dns|timers|child_process|worker_threads)(/|$)',
      dependencyTypes: ['core'],
    }),
    forbid('rank-1-stays-low', '^src/(crypto|cell|flow)/', {
      path: '^src/(link|onion|stream|bitcoin|payment|schemes|directory|circuit|socks|control|config)/',
    }),
    forbid('rank-2-stays-low', '^src/(link|onion|stream|bitcoin|payment)/', {
      path: '^src/(schemes|broker|directory|circuit|socks|control|config)/',
    }),
    forbid('the-seam-knows-no-coins', '^src/(payment/[^/]+\\.ts|broker/)', { path: '^src/payment/coins/' }),
    forbid('brokers-know-no-scheme', '^src/broker/', { path: '^src/schemes/' }),
    forbid(
      'bitcoin-libraries-in-bitcoin-alone',
      '^(src|relay|client|dirauth|broker|bench)/',
      { path: 'node_modules/(bitcoinjs-lib|ecpair|tiny-secp256k1|secp256k1)/' },
      { pathNot: `${tests}|^src/(bitcoin/|schemes/bitcoin-channel/|crypto/ecdsa\\.ts)` },
    ),
    forbid(
      'databases-in-node-io-alone',
      '^(src|relay|client|dirauth|broker|regtest|scripts|bench)/',
      { path: 'node_modules/(lmdb|postgres)/' },
      { pathNot: `${tests}|^src/node-io/` },
    ),
    forbid('bitcoin-knows-no-circuits', '^src/(bitcoin|schemes|broker)/', {
      path: '^src/(circuit|link|cell|onion|stream|flow|directory|socks)/',
    }),
    forbid('schemes-know-no-other-scheme', '^src/schemes/([^/]+)/', {
      path: '^src/schemes/',
      pathNot: '^src/schemes/$1/',
    }),
    forbid('circuits-know-no-scheme', '^src/(circuit|stream|onion|link)/', {
      path: '^src/(schemes|bitcoin|directory)/',
    }),
    forbid('node-io-and-sim-stand-alone', '^src/(node-io|sim)/', {
      path: '^(relay|client|dirauth|broker|regtest|scripts|bench)/',
    }),
    forbid('node-io-and-sim-apart', '^src/(node-io|sim)/', {
      path: '^src/(node-io|sim)/',
      pathNot: '^src/$1/',
    }),
    forbid('the-package-opens-nothing', '^src/index\\.ts', {
      path: '^(src/node-io/|scripts/|regtest/|bench/|[^/]+/(main|config|start-[^/]*)\\.ts)',
    }),
    forbid('cores-do-no-io', '^(relay|client|dirauth|broker)/[^/]*-core\\.ts$', {
      path: '^src/(node-io|sim|schemes)/',
    }),
    forbid(
      'programs-stand-alone',
      '^(relay|client|dirauth|broker)/',
      { path: '^(relay|client|dirauth|broker)/', pathNot: '^$1/' },
      { pathNot: `${tests}|^(dirauth/broker|relay/client)-service\\.ts$` },
    ),
    forbid('an-authority-mounts-a-broker-alone', '^dirauth/broker-service\\.ts$', {
      path: '^(relay/|client/|broker/main\\.ts)',
    }),
    forbid('a-relay-mounts-a-client-alone', '^relay/client-service\\.ts$', {
      path: '^(dirauth/|broker/|client/main\\.ts)',
    }),
    forbid('programs-import-no-harness', '^(relay|client|dirauth|broker)/', {
      path: '^(src/sim|regtest|scripts|bench)/',
    }),
    forbid('regtest-imports-base', '^regtest/', {
      path: '^(src/(?!base/|ports\\.ts|node-io/process-identity)|relay|client|dirauth|broker|scripts|bench)/?',
    }),
    forbid('nobody-imports-scripts', '^(src|relay|client|dirauth|broker|regtest)/', {
      path: '^(scripts|bench)/',
    }),
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { extensions: ['.ts', '.js', '.json'] },
  },
};
