/**
 * The torrc options that naulon knows, by C tor's names. An option marked `unused` is accepted, because a torrc may
 * be shared with C tor, and has no effect here; that is said once at start.
 */
export type OptionKind =
  /** The rest of the line; a later line replaces an earlier one. */
  | 'text'
  /** 0 or 1. */
  | 'flag'
  /** 0, 1 or auto. */
  | 'autoflag'
  | 'count'
  /** A number with an optional unit of time: `30 minutes`. */
  | 'interval'
  /** A number with an optional unit of data: `10 MBytes`. */
  | 'bytes'
  /** `[address:]port [flags]`, port a number or `auto`; may be given several times. */
  | 'port'
  /** May be given several times. */
  | 'lines'
  | 'unused';

export const torrcOptions = {
  // Every program
  Address: 'text',
  DataDirectory: 'text',
  DirAuthority: 'lines',
  Log: 'lines',
  Nickname: 'text',
  TestingTorNetwork: 'flag',
  ContactInfo: 'text',

  // Relays
  AssumeReachable: 'flag',
  BandwidthBurst: 'bytes',
  BandwidthRate: 'bytes',
  CountPrivateBandwidth: 'flag',
  DirPort: 'port',
  DoSCircuitCreationBurst: 'count',
  DoSCircuitCreationDefenseTimePeriod: 'interval',
  DoSCircuitCreationDefenseType: 'count',
  DoSCircuitCreationEnabled: 'autoflag',
  DoSCircuitCreationMinConnections: 'count',
  DoSCircuitCreationRate: 'count',
  DoSConnectionConnectBurst: 'count',
  DoSConnectionConnectDefenseTimePeriod: 'interval',
  DoSConnectionConnectRate: 'count',
  DoSConnectionDefenseType: 'count',
  DoSConnectionEnabled: 'autoflag',
  DoSConnectionMaxConcurrentCount: 'count',
  DoSStreamCreationBurst: 'count',
  DoSStreamCreationDefenseType: 'count',
  DoSStreamCreationEnabled: 'autoflag',
  DoSStreamCreationRate: 'count',
  ExitPolicy: 'lines',
  ExitPolicyRejectLocalInterfaces: 'flag',
  ExitPolicyRejectPrivate: 'flag',
  ExitRelay: 'flag',
  ExtendAllowPrivateAddresses: 'flag',
  IPv6Exit: 'flag',
  MaxMemInQueues: 'bytes',
  MyFamily: 'lines',
  NumCPUs: 'count',
  ORPort: 'port',
  PublishServerDescriptor: 'text',
  ServerDNSResolvConfFile: 'text',

  // Clients
  __LeaveStreamsUnattached: 'flag',
  CircuitBuildTimeout: 'interval',
  ClientDNSRejectInternalAddresses: 'flag',
  ClientRejectInternalAddresses: 'flag',
  ControlPort: 'port',
  ControlSocket: 'text',
  CookieAuthentication: 'flag',
  CookieAuthFile: 'text',
  EnforceDistinctSubnets: 'flag',
  HashedControlPassword: 'lines',
  MaxCircuitDirtiness: 'interval',
  SocksPort: 'port',
  SocksTimeout: 'interval',

  // Authorities
  AuthoritativeDirectory: 'flag',
  V3AuthDistDelay: 'interval',
  V3AuthNIntervalsValid: 'count',
  V3AuthVoteDelay: 'interval',
  V3AuthVotingInterval: 'interval',
  V3AuthoritativeDirectory: 'flag',
  V3BandwidthsFile: 'text',
  TestingV3AuthInitialDistDelay: 'interval',
  TestingV3AuthInitialVoteDelay: 'interval',
  TestingV3AuthInitialVotingInterval: 'interval',
  ConsensusParams: 'text',
  AuthDirMaxServersPerAddr: 'count',

  // Known to C tor, without effect here
  AvoidDiskWrites: 'unused',
  ClientOnly: 'unused',
  ClientUseIPv6: 'unused',
  ConfluxEnabled: 'unused',
  ConnLimit: 'unused',
  DirCache: 'unused',
  DisableNetwork: 'unused',
  DNSPort: 'unused',
  DormantCanceledByStartup: 'unused',
  EntryNodes: 'unused',
  ExcludeNodes: 'unused',
  ExitNodes: 'unused',
  FetchUselessDescriptors: 'unused',
  GeoIPFile: 'unused',
  GeoIPv6File: 'unused',
  HardwareAccel: 'unused',
  HeartbeatPeriod: 'unused',
  KISTSchedRunInterval: 'unused',
  LearnCircuitBuildTimeout: 'unused',
  MaxAdvertisedBandwidth: 'unused',
  NewCircuitPeriod: 'unused',
  NumDirectoryGuards: 'unused',
  NumEntryGuards: 'unused',
  PidFile: 'unused',
  ProtocolWarnings: 'unused',
  RelayBandwidthBurst: 'unused',
  RelayBandwidthRate: 'unused',
  RunAsDaemon: 'unused',
  SafeLogging: 'unused',
  Sandbox: 'unused',
  Schedulers: 'unused',
  ServerDNSAllowNonRFC953Hostnames: 'unused',
  ServerDNSDetectHijacking: 'unused',
  ServerDNSTestAddresses: 'unused',
  ShutdownWaitLength: 'unused',
  SocksPolicy: 'unused',
  StrictNodes: 'unused',
  TestingDirAuthVoteExit: 'unused',
  TestingDirAuthVoteGuard: 'unused',
  TestingDirAuthVoteHSDir: 'unused',
  TestingMinFastFlagThreshold: 'unused',
  TransPort: 'unused',
  UseEntryGuards: 'unused',
  UseMicrodescriptors: 'unused',
  User: 'unused',
} as const satisfies Record<string, OptionKind>;

export type TorrcOption = keyof typeof torrcOptions;

/** Names of the options of one kind, so that reading an option as the wrong kind does not compile. */
export type OptionOf<K extends OptionKind> = {
  [N in TorrcOption]: (typeof torrcOptions)[N] extends K ? N : never;
}[TorrcOption];
