/**
 * What the package `naulon` exports: the payment seam for schemes written elsewhere, the cores of the three programs,
 * codecs, and the parts of a simulated world. Importing it opens nothing and starts nothing.
 *
 * Beside it: `naulon/compliance`, the kit that every payment scheme must pass (it needs vitest and fast-check), and
 * `naulon/sim/paid-network`, `naulon/sim/channel-network` and `naulon/sim/checkers`, whole paid networks in virtual time.
 */

// The payment seam: what a scheme implements, what it is given, and what it may answer.

export { SigningKey, verifyDigest } from './crypto/ecdsa.ts';
export { makeAccountRequest } from './payment/account-request.ts';
export type {
  AccountKey,
  Accounts,
  BrokerHost,
  BrokerSide,
} from './payment/broker-side.ts';
export type { BrokeredOptions, BrokeredScheme } from './payment/brokered.ts';
export { endpointField } from './payment/endpoint-field.ts';
export { type Errand, type ErrandEnd, type ErrandNews, Errands } from './payment/errands.ts';
export { once } from './payment/once.ts';
export { formatPrice, type Price, parsePrice } from './payment/price.ts';
export { type CheatProof, formatProof, parseProof, unproven, type Verdict } from './payment/proof.ts';
export { RecordBook } from './payment/record-book.ts';
export {
  type Outcome,
  type Paid,
  type Party,
  type Payee,
  type PayeeIdentity,
  type PayeeSigner,
  type Payer,
  type PayFault,
  type PaymentFault,
  type PaymentScheme,
  type PaymentStatusName,
  paymentStatus,
  type Redeemed,
  type SchemeHost,
  type Served,
  type SessionId,
  type Value,
} from './payment/scheme.ts';
export { type Signed, type Statement, statement } from './payment/statement.ts';
export { type BitcoinChannelOptions, bitcoinChannel } from './schemes/bitcoin-channel/index.ts';
export { brokeredScheme, brokeredSchemes } from './schemes/brokered.ts';
export { type MemoryCreditOptions, memoryCredit } from './schemes/memory-credit/index.ts';

// The ports: what a core or a scheme needs of the world, implemented by whoever embeds it.

export { type Fault, fail, OperatorError, ok, type Result } from './base/fault.ts';
export type {
  Answer,
  AnswerHandler,
  AskId,
  Cancel,
  ChainEvent,
  ChainPort,
  Clock,
  CloseReason,
  Endpoint,
  Entropy,
  LinkFacts,
  LinkHandler,
  LinkId,
  LinkPort,
  LogFields,
  Observer,
  Outpoint,
  PartyPort,
  PartyReply,
  RequestHandler,
  RequestId,
  ResolvedAddress,
  StorePort,
  StoreWrite,
  StreamHandler,
  StreamId,
  StreamPort,
} from './ports.ts';

// The cores: relay, client and authority as synchronous state machines over those ports.

export { ClientCore, type ClientHooks, type ClientPorts } from '../client/client-core.ts';
export { type ClientSettings, defaultClientSettings } from '../client/client-settings.ts';
export { AuthorityCore, type AuthorityPorts } from '../dirauth/authority-core.ts';
export { type AuthorityKeys, generateAuthorityKeys } from '../dirauth/authority-keys.ts';
export type { AuthoritySettings } from '../dirauth/authority-settings.ts';
export { type ExitPolicy, makeExitPolicy } from '../relay/exit-policy.ts';
export { RelayCore } from '../relay/relay-core.ts';
export type { RelayPorts } from '../relay/relay-ports.ts';
export { defaultRelaySettings, type RelaySettings } from '../relay/relay-settings.ts';
export { generateNodeRsaKeys, makeNodeKeys, type NodeKeys } from './crypto/node-keys.ts';
export { labFlagRules, publicFlagRules } from './directory/flag-rules.ts';

// Codecs: fields and structs for a scheme's own messages, cells, and what REDEEM and RECEIPT carry.

export {
  countedList,
  type Field,
  fixedBytes,
  type Holds,
  restBytes,
  type Struct,
  sizedBytes,
  struct,
  u8,
  u16,
  u32,
  u64,
} from './base/struct.ts';
export { cellCommand, relayCommand } from './cell/commands.ts';
export { type CellHandler, encodeFixed, encodeVariable, LinkCodec } from './cell/link-codec.ts';
export {
  decodeReceipt,
  encodeReceipt,
  FragmentAssembler,
  fragment,
  type Receipt,
} from './cell/payment-messages.ts';

// A broker: accounts, bitcoins in and out, and its side of each scheme.

export { AccountBook } from './broker/account-book.ts';
export { BrokerCore, type BrokerPorts, type BrokerSettings, filedProofs } from './broker/broker-core.ts';
export { HashChain, leadsTo } from './payment/hash-chain.ts';

// A simulated world: virtual time, a chain, and processes that crash, all from one seed.

export { SimChain } from './sim/sim-chain.ts';
export { type PartyTrouble, SimParties } from './sim/sim-parties.ts';
export { SimProcess } from './sim/sim-process.ts';
export { World } from './sim/world.ts';
