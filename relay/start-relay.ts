import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { BrokenInvariant } from '../src/base/assert.ts';
import { toHex } from '../src/base/bytes.ts';
import { OperatorError } from '../src/base/fault.ts';
import { scriptOfAddress } from '../src/bitcoin/wallet.ts';
import type { PayConfig } from '../src/config/pay-config.ts';
import { wrongAnswers } from '../src/crypto/known-answers.ts';
import {
  decodeNodeKeys,
  encodeNodeKeys,
  generateNodeRsaKeys,
  makeNodeKeys,
  type NodeKeys,
} from '../src/crypto/node-keys.ts';
import { makeTlsCertificate } from '../src/link/link-certificates.ts';
import { BitcoindChain } from '../src/node-io/bitcoind-chain.ts';
import { openDataDirectory, readSecretFile, writeSecretFile } from '../src/node-io/data-directory.ts';
import { endAtOnce } from '../src/node-io/end-at-once.ts';
import { FileStore } from '../src/node-io/file-store.ts';
import { openJsonLog } from '../src/node-io/json-log.ts';
import { noChain } from '../src/node-io/no-chain.ts';
import { noParties } from '../src/node-io/no-parties.ts';
import { openPartySide, type PartySide, type PartySideOptions } from '../src/node-io/party-side.ts';
import { chosenSchemes } from '../src/node-io/scheme-module.ts';
import { listening } from '../src/node-io/server-socket.ts';
import { SystemClock } from '../src/node-io/system-clock.ts';
import { SystemEntropy } from '../src/node-io/system-entropy.ts';
import { TcpStreams } from '../src/node-io/tcp-streams.ts';
import { type TlsIdentity, TlsLinks } from '../src/node-io/tls-links.ts';
import { WorkerPool } from '../src/node-io/worker-pool.ts';
import type { PaymentScheme } from '../src/payment/scheme.ts';
import type { Admission, Endpoint, Entropy, LinkHandler, LinkPort, Observer } from '../src/ports.ts';
import { bitcoinChannel, type ChannelDesk, channelVariant } from '../src/schemes/bitcoin-channel/index.ts';
import { type ChosenScheme, makeChosen, requirePay } from '../src/schemes/brokered.ts';
import { memoryCredit } from '../src/schemes/memory-credit/index.ts';
import { type ClientConfig, Household, type RunningClient } from './client-service.ts';
import type { RelayConfig } from './config.ts';
import { isPrivateAddress } from './exit-policy.ts';
import { serveOwner } from './owner-commands.ts';
import { RelayCore } from './relay-core.ts';
import type { RelaySettings } from './relay-settings.ts';

/** A relay that serves. */
export interface RunningRelay {
  readonly core: RelayCore;
  /** Where it takes links. */
  readonly orPort: Endpoint;
  /** Where other parties of its payments ask it, if any do. */
  readonly party: Endpoint | undefined;
  /** The client in its process, if its operator wants one. */
  readonly client: RunningClient | undefined;
  /** RSA identity, 40 hex digits in upper case. */
  readonly fingerprint: string;
  /** What it has counted so far. */
  counters(): Readonly<Record<string, number>>;
  /** Ends circuits, writes out what is under way, frees ports and the data directory. */
  stop(): Promise<void>;
}

/** Links to other nodes, as TlsLinks has them; whoever emulates a network stands between. */
export interface NodeLinks extends LinkPort {
  attach(handler: LinkHandler, admission?: Admission): void;
  listen(at: Endpoint): Promise<Endpoint>;
  stop(): Promise<void>;
}
export type NewLinks = (identity: TlsIdentity) => NodeLinks;

/** More than these are not taken without being told to, as by C tor. */
const cpusMost = 16;

const tlsLinks: NewLinks = identity => new TlsLinks(identity);

/**
 * Wires a relay's core to sockets, disk and chain. Throws OperatorError for what a person can mend.
 * @param mounted what a client in the same process is to do; absent: there is none.
 */
export async function startRelay(
  config: RelayConfig,
  newLinks = tlsLinks,
  mounted?: ClientConfig,
): Promise<RunningRelay> {
  const wrong = wrongAnswers();
  if (wrong.length > 0) throw new BrokenInvariant(`known answers differ: ${wrong.join(', ')}`);
  const chosen = await chosenSchemes(schemeNames(config.pay, mounted));
  requirePay(chosen, config.pay);
  payoutScript(config.pay.payout);
  const hasBroker = chosen.some(({ brokered }) => brokered !== undefined);
  const node = await openNode(config, newLinks, hasBroker);
  const { directory, keys, log, store, links, streams, chain, side, compute, orPort } = node;
  const house = new Household(() => core);
  store.attach(house);
  const ports = { ...node, chain: chain ?? noChain, parties: side?.parties ?? noParties, observer: log };
  const schemes = schemesOf(chosen, config.pay, side);
  const core: RelayCore = new RelayCore(settingsAt(config, orPort, hasBroker), keys, ports, schemes.all);
  links.attach(core.linkHandler, core.admission);
  streams.attach(core);
  compute?.attach(core);
  chain?.attach(house);
  side?.parties.attach(house);
  const rsaId = keys.rsaIdentity.fingerprint;
  const mounting = mounted && house.mount(mounted, { core, rsaId, log, side, schemes: schemes.all });
  const client = await mounting?.catch(async error => {
    await node.stop();
    throw error;
  });
  core.start();
  const unserve = schemes.desk && (await serveIfItCan(directory, schemes.desk, log));
  for (const option of config.unused) log.log('warn', 'option without effect', { option });
  return {
    core,
    orPort,
    party: side?.self,
    client,
    fingerprint: toHex(rsaId).toUpperCase(),
    counters: () => log.counters(),
    async stop() {
      // First, while those whom it pays with are still served.
      await client?.stop();
      core.stop();
      // What neighbours are told is written as soon as this turn is over.
      await nextTurn();
      await Promise.all([node.stop(), unserve?.()]);
    },
  };
}

function partySideOf({ pay, settings }: RelayConfig): PartySideOptions {
  const isForbidden = settings.extendPrivate ? () => false : isPrivateAddress;
  return { at: pay.party, broker: pay.broker?.address, isForbidden };
}

/** What a relay has of its machine: its files, and its ports, which take links already. */
async function openNode(config: RelayConfig, newLinks: NewLinks, hasParties: boolean) {
  const directory = openDataDirectory(config.dataDirectory);
  const log = openJsonLog({ name: config.settings.nickname, ...config.log });
  const clock = new SystemClock();
  const entropy = new SystemEntropy();
  // First: it says in its words that the disk is full.
  const store = new FileStore({ directory, onBroken: endAtOnce });
  const keys = await nodeKeysIn(directory, entropy, store);
  const certificate = makeTlsCertificate(keys, clock.wallMs());
  const links = newLinks({ privateKeyPem: keys.tls.pem, certificate });
  const streams = new TcpStreams({ servers: config.nameServers });
  const chain = chainOf(config.pay, log);
  let side: PartySide | undefined;
  let compute: WorkerPool | undefined;
  const stop = async (): Promise<void> => {
    await Promise.all([links.stop(), streams.stop(), chain?.stop(), side?.parties.stop(), compute?.stop()]);
    clock.stop();
    await store.close();
    log.close();
  };
  try {
    if (hasParties) side = await openPartySide(directory, entropy, partySideOf(config));
    const orPort = await listening('ORPort', config.listen, links.listen(config.listen));
    const { ipv6 } = config.settings;
    if (ipv6 !== undefined) await listening('ORPort', ipv6, links.listen(ipv6));
    compute = helpersOf(config, keys);
    return {
      directory,
      log,
      clock,
      entropy,
      keys,
      store,
      links,
      streams,
      chain,
      side,
      compute,
      orPort,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** What is known once it listens. */
function settingsAt({ settings, pay }: RelayConfig, { port }: Endpoint, hasBroker: boolean): RelaySettings {
  const broker = pay.price > 0n && hasBroker ? pay.broker?.address : undefined;
  return { ...settings, address: { host: settings.address.host, port }, broker };
}

function chainOf({ chain }: PayConfig, observer: Observer): BitcoindChain | undefined {
  return chain && new BitcoindChain({ url: chain.rpc, cookieFile: chain.cookie, observer });
}

/** Threads beside this one for handshakes, where there are cores for them. */
function helpersOf({ cpus }: RelayConfig, keys: NodeKeys): WorkerPool | undefined {
  const threads = (cpus === 0 ? Math.min(availableParallelism(), cpusMost) : cpus) - 1;
  if (threads < 1) return undefined;
  return new WorkerPool(new URL('./handshake-worker.js', import.meta.url), encodeNodeKeys(keys), threads);
}

/** By what the relay is paid, if it asks for anything, and the client beside it pays. */
function schemeNames({ price, scheme }: PayConfig, mounted: ClientConfig | undefined): readonly string[] {
  return price > 0n ? scheme : (mounted?.settings.payment.schemes ?? []);
}

/** These schemes, and where the relay's owner asks of channels. */
function schemesOf(
  chosen: readonly ChosenScheme[],
  pay: PayConfig,
  side: PartySide | undefined,
): { readonly all: readonly PaymentScheme[]; readonly desk?: ChannelDesk } {
  let desk: ChannelDesk | undefined;
  const all = chosen.map((each): PaymentScheme => {
    switch (each.name) {
      case 'bitcoin-channel': {
        const channels = bitcoinChannel({
          network: 'regtest',
          variant: channelVariant(pay.variant),
          rules: { minConfirmations: pay.min_confirmations },
          payoutScript: payoutScript(pay.payout),
          feeReserveSat: pay.fee_reserve,
        });
        desk = channels.desk;
        return channels;
      }
      case 'memory-credit':
        return memoryCredit({ purseMsat: 0n, limitMsat: 2n ** 50n });
      default:
        return makeChosen(each, side, pay);
    }
  });
  return { all, desk };
}

/** A relay earns without it: a data directory whose name is too long for a socket is no reason not to run. */
async function serveIfItCan(
  directory: string,
  desk: ChannelDesk,
  observer: Observer,
): Promise<(() => Promise<void>) | undefined> {
  try {
    return await serveOwner(directory, desk);
  } catch (error) {
    observer.log('warn', 'no control socket', { fault: (error as Error).message });
    return undefined;
  }
}

function payoutScript(payout: string | undefined): Uint8Array | undefined {
  const script = payout === undefined ? undefined : scriptOfAddress(payout);
  if (payout !== undefined && script === undefined)
    throw new OperatorError('CONFIG_BAD_VALUE', `pay.yaml: payout: "${payout}" is no regtest address`, 2);
  return script;
}

/** The keys of an earlier start, or fresh ones; `store` is closed where they are damaged. */
async function nodeKeysIn(directory: string, entropy: Entropy, store: FileStore): Promise<NodeKeys> {
  const file = join(directory, 'keys.json');
  try {
    const text = readSecretFile(file);
    if (text === undefined) {
      const keys = makeNodeKeys(entropy, generateNodeRsaKeys());
      writeSecretFile(file, encodeNodeKeys(keys));
      return keys;
    }
    const keys = decodeNodeKeys(text);
    if (keys.ok) return keys.value;
    const what = `${file} is damaged: ${keys.fault.detail}; restore it from a backup`;
    throw new OperatorError('KEYS_MALFORMED', what, 3);
  } catch (error) {
    await store.close();
    throw error;
  }
}
