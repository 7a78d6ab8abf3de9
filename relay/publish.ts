import { equalBytes, utf8 } from '../src/base/bytes.ts';
import type { NodeKeys } from '../src/crypto/node-keys.ts';
import type { X25519KeyPair } from '../src/crypto/x25519.ts';
import { buildServerDescriptor } from '../src/directory/descriptor.ts';
import type { DirectoryClient } from '../src/directory/directory-client.ts';
import { encodeRequest } from '../src/directory/http-codec.ts';
import type { HttpTransfers } from '../src/directory/http-transfers.ts';
import { type Protocols, parseProtocols } from '../src/directory/protocols.ts';
import type { RelayPrice } from '../src/directory/relay-info.ts';
import { RetrySchedule } from '../src/directory/retry-schedule.ts';
import { paidProtocol, relayProtocolsText } from '../src/directory/server-descriptor.ts';
import type { Cancel, Clock, Observer } from '../src/ports.ts';
import type { RelaySettings } from './relay-settings.ts';

export interface PublisherOptions {
  readonly settings: RelaySettings;
  /** Their onion key is the first; this is the current one. */
  readonly onionKey: () => X25519KeyPair;
  readonly keys: NodeKeys;
  readonly price: RelayPrice | undefined;
  readonly directory: DirectoryClient;
  readonly transfers: HttpTransfers;
  readonly clock: Clock;
  readonly observer: Observer;
  /** Bytes of cells carried since the start. */
  readonly bytesCarried: () => number;
}

/** A descriptor is made anew after this long, changed or not. spec: dir-spec/uploading-relay-documents */
const republishMsMax = 18 * 3_600_000;
/** One that was refused is not offered again when it says another time than this close to now. */
const refusedMsMax = 3_600_000;
/** What a relay claims to carry until it has seen more: enough to be chosen at all. */
const observedFloor = 100_000;

/** Makes the relay's descriptor, keeps it for those who ask, and uploads it to every authority until all have it. */
export class Publisher {
  readonly #options: PublisherOptions;
  readonly #startedMs: number;
  #cancel: Cancel | undefined;
  #observed = observedFloor;
  #measured = { bytes: 0, atMs: 0 };
  #text = '';
  #publishedMs = 0;
  /** By index of the authority: those that have not taken the current descriptor. */
  #missing = new Map<number, RetrySchedule>();
  #uploading = new Set<number>();
  /** valid-after of the consensus that last made us upload again. */
  #noticedMs = 0;
  #stopped = false;

  constructor(options: PublisherOptions) {
    this.#options = options;
    this.#startedMs = options.clock.monotonicMs();
    this.#measured = { bytes: 0, atMs: this.#startedMs };
  }

  start(): void {
    this.#publish();
  }

  /** What it says has changed. */
  renew(): void {
    if (!this.#stopped) this.#publish();
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel?.();
  }

  /** A consensus without us means that an authority has forgotten us, or has just started: upload once for each. */
  onConsensus(): void {
    const { directory, keys, clock } = this.#options;
    const consensus = directory.consensus('microdesc');
    if (consensus === undefined || consensus.validAfterMs <= this.#noticedMs) return;
    this.#noticedMs = consensus.validAfterMs;
    const listed = consensus.relays.some(entry => equalBytes(entry.rsaId, keys.rsaIdentity.fingerprint));
    if (!listed && this.#missing.size === 0 && clock.monotonicMs() > this.#startedMs) this.#publish();
  }

  #publish(): void {
    const { settings, directory, clock } = this.#options;
    this.#measure();
    this.#publishedMs = clock.wallMs();
    this.#text = this.#build();
    directory.setOwnDescriptor(this.#text);
    this.#cancel?.();
    this.#cancel = clock.after(republishMsMax, () => this.#publish());
    if (!settings.publishes) return;
    this.#missing = new Map(
      settings.authorities.map((_, index) => [index, new RetrySchedule(settings.directoryRetryMs)]),
    );
    for (const index of this.#missing.keys()) this.#upload(index);
  }

  #build(): string {
    const { settings, price, clock, onionKey } = this.#options;
    const keys = { ...this.#options.keys, ntor: onionKey() };
    const publishedMs = this.#publishedMs;
    const { nickname, address, ipv6, contact, family, exitPolicy, linkProtocols } = settings;
    return buildServerDescriptor(keys, {
      nickname,
      address,
      ipv6,
      dirPort: 0,
      platform: settings.platform,
      protocols: protocolsOf(linkProtocols, price !== undefined),
      publishedMs,
      uptimeSeconds: Math.floor((clock.monotonicMs() - this.#startedMs) / 1_000),
      bandwidth: { rate: settings.bandwidthRate, burst: settings.bandwidthBurst, observed: this.#observed },
      exitPolicy: exitPolicy.descriptorRules(),
      ipv6Policy: exitPolicy.ipv6Ports(),
      family,
      contact,
      servesDirectory: true,
      hibernating: false,
      price,
    });
  }

  /** The mean since the last descriptor, if that is more than was seen before. */
  #measure(): void {
    const { bytesCarried, clock } = this.#options;
    const now = { bytes: bytesCarried(), atMs: clock.monotonicMs() };
    const seconds = (now.atMs - this.#measured.atMs) / 1_000;
    if (seconds > 1) {
      this.#observed = Math.max(this.#observed, Math.floor((now.bytes - this.#measured.bytes) / seconds));
    }
    this.#measured = now;
  }

  #upload(index: number): void {
    const { settings, transfers, observer } = this.#options;
    if (this.#stopped || this.#uploading.has(index)) return;
    this.#uploading.add(index);
    const to = settings.authorities[index].dirAddress;
    const text = this.#text;
    const request = encodeRequest('POST', '/tor/', `${to.host}:${to.port}`, { body: utf8(text) });
    transfers.ask(to, request, result => {
      this.#uploading.delete(index);
      const taken = result.ok && result.value.status >= 200 && result.value.status < 300;
      if (taken && text === this.#text) {
        this.#missing.delete(index);
        observer.log('info', 'descriptor uploaded', { authority: settings.authorities[index].nickname });
        return;
      }
      if (!taken) {
        const why = result.ok ? `${result.value.status} ${result.value.reason}` : result.fault.code;
        observer.log('warn', 'descriptor not taken', {
          authority: settings.authorities[index].nickname,
          why,
        });
      }
      this.#retry(index, result.ok && !taken);
    });
  }

  #retry(index: number, refused: boolean): void {
    const { clock } = this.#options;
    const schedule = this.#missing.get(index);
    if (schedule === undefined || this.#stopped) return;
    schedule.fail(clock.monotonicMs());
    clock.after(schedule.readyInMs(clock.monotonicMs()), () => {
      if (this.#missing.get(index) !== schedule) return;
      // The clock may have been wrong, and have been set meanwhile.
      const passedMs = Math.abs(clock.wallMs() - this.#publishedMs);
      if (refused && passedMs > refusedMsMax) this.#publish();
      else this.#upload(index);
    });
  }
}

function protocolsOf(links: readonly number[], paid: boolean): Protocols {
  const protocols = new Map(parseProtocols(relayProtocolsText));
  protocols.set(
    'Link',
    links.map(link => ({ low: link, high: link })),
  );
  if (paid) protocols.set(paidProtocol.name, [{ low: paidProtocol.version, high: paidProtocol.version }]);
  return protocols;
}
