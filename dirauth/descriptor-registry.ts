import { equalBytes, toHex } from '../src/base/bytes.ts';
import { type Fault, fail, ok, type Result } from '../src/base/fault.ts';
import { formatIp, parseIp } from '../src/base/ip.ts';
import { descriptorsMax } from '../src/base/limits.ts';
import { parseServerDescriptor } from '../src/directory/descriptor.ts';
import { documentBytes, documentText } from '../src/directory/document-lines.ts';
import type { ServerDescriptor } from '../src/directory/server-descriptor.ts';
import type { StorePort, StoreWrite } from '../src/ports.ts';

export type UploadFault = Fault<
  | 'UPLOAD_KEY_PINNED'
  | 'UPLOAD_OLD'
  | 'UPLOAD_FUTURE'
  | 'UPLOAD_STALE'
  | 'UPLOAD_PRIVATE_ADDRESS'
  | 'UPLOAD_FULL'
>;

/** spec: dir-spec/uploading-relay-documents: clocks may be half a day off */
const skewMs = 12 * 3_600_000;
/** A relay whose latest descriptor is older is gone. spec: dir-spec/assigning-flags-vote */
export const descriptorMsMax = 24 * 3_600_000;

const descriptorPrefix = 'authority/descriptor/';
const pinPrefix = 'authority/pin/';

/** The descriptors that relays uploaded, one each, and which RSA and Ed25519 identities belong together for ever. */
export class DescriptorRegistry {
  readonly #allowPrivate: boolean;
  readonly #byIdentity = new Map<string, ServerDescriptor>();
  /** Hex of RSA identity to hex of Ed25519 identity, and back. */
  readonly #pins = new Map<string, string>();
  readonly #pinsBack = new Map<string, string>();

  /** @param allowPrivate take relays at private addresses: a lab. */
  constructor(allowPrivate: boolean) {
    this.#allowPrivate = allowPrivate;
  }

  /** Reads back what `take` asked to persist; what has become too old or does not verify any more is left out. */
  restore(store: StorePort, wallMs: number): void {
    for (const [key, value] of store.list(pinPrefix)) this.#pin(key.slice(pinPrefix.length), toHex(value));
    for (const [, value] of store.list(descriptorPrefix)) {
      const parsed = parseServerDescriptor(documentText(value), wallMs);
      if (parsed.ok && wallMs - parsed.value.publishedMs < descriptorMsMax)
        this.#byIdentity.set(toHex(parsed.value.rsaId), parsed.value);
    }
  }

  /**
   * Takes a relay's descriptor if it is better than what is known of it. Gives what to persist, nothing when it was
   * known already.
   * @param givesWay to a new relay where there are too many; of those, the one that came first.
   */
  take(
    descriptor: ServerDescriptor,
    wallMs: number,
    givesWay: (known: ServerDescriptor) => boolean = () => false,
  ): Result<readonly StoreWrite[], UploadFault> {
    const rsaId = toHex(descriptor.rsaId);
    const known = this.#byIdentity.get(rsaId);
    if (known !== undefined && equalBytes(known.digest, descriptor.digest)) return ok([]);
    const fault = this.#judge(descriptor, known, wallMs);
    if (fault !== undefined) return { ok: false, fault };
    const writes: StoreWrite[] = [];
    if (known === undefined && this.#byIdentity.size >= descriptorsMax) {
      const useless = this.#first(givesWay);
      if (useless === undefined) return fail('UPLOAD_FULL', 'too many relays');
      writes.push(...this.#drop(useless));
    }
    writes.push({ key: descriptorPrefix + rsaId, value: documentBytes(descriptor.text) });
    if (!this.#pins.has(rsaId)) writes.push({ key: pinPrefix + rsaId, value: descriptor.ed25519 });
    this.#pin(rsaId, toHex(descriptor.ed25519));
    this.#byIdentity.set(rsaId, descriptor);
    return ok(writes);
  }

  #judge(
    descriptor: ServerDescriptor,
    known: ServerDescriptor | undefined,
    wallMs: number,
  ): UploadFault | undefined {
    const rsaId = toHex(descriptor.rsaId);
    const ed25519 = toHex(descriptor.ed25519);
    const pinned = this.#pins.get(rsaId) ?? ed25519;
    const pinnedBack = this.#pinsBack.get(ed25519) ?? rsaId;
    if (pinned !== ed25519 || pinnedBack !== rsaId)
      return { code: 'UPLOAD_KEY_PINNED', detail: 'one of these identities belongs to another one' };
    if (descriptor.publishedMs > wallMs + skewMs)
      return { code: 'UPLOAD_FUTURE', detail: 'your clock is ahead' };
    if (descriptor.publishedMs < wallMs - descriptorMsMax)
      return { code: 'UPLOAD_STALE', detail: 'published too long ago' };
    if (known !== undefined && descriptor.publishedMs < known.publishedMs)
      return { code: 'UPLOAD_OLD', detail: 'a newer one is known' };
    if (!this.#allowPrivate && isPrivate(descriptor.address.host))
      return { code: 'UPLOAD_PRIVATE_ADDRESS', detail: 'not reachable from outside' };
    return undefined;
  }

  #first(is: (known: ServerDescriptor) => boolean): ServerDescriptor | undefined {
    for (const known of this.#byIdentity.values()) if (is(known)) return known;
    return undefined;
  }

  /** Its pin too, or whoever makes identities up would have us keep them for ever. */
  #drop(descriptor: ServerDescriptor): StoreWrite[] {
    const rsaId = toHex(descriptor.rsaId);
    this.#byIdentity.delete(rsaId);
    this.#pins.delete(rsaId);
    this.#pinsBack.delete(toHex(descriptor.ed25519));
    return [descriptorPrefix, pinPrefix].map(prefix => ({ key: prefix + rsaId, value: undefined }));
  }

  /** Forgets relays that have been silent for too long; says what to remove. Pins stay. */
  expire(wallMs: number): StoreWrite[] {
    const writes: StoreWrite[] = [];
    for (const [rsaId, descriptor] of this.#byIdentity) {
      if (wallMs - descriptor.publishedMs < descriptorMsMax) continue;
      this.#byIdentity.delete(rsaId);
      writes.push({ key: descriptorPrefix + rsaId, value: undefined });
    }
    return writes;
  }

  all(): Iterable<ServerDescriptor> {
    return this.#byIdentity.values();
  }

  get size(): number {
    return this.#byIdentity.size;
  }

  byIdentity(rsaId: string): ServerDescriptor | undefined {
    return this.#byIdentity.get(rsaId);
  }

  #pin(rsaId: string, ed25519: string): void {
    this.#pins.set(rsaId, ed25519);
    this.#pinsBack.set(ed25519, rsaId);
  }
}

/** Addresses that lead nowhere on the public network. */
function isPrivate(host: string): boolean {
  const ip = parseIp(host);
  if (ip === undefined || formatIp(ip) !== host) return true;
  const [a, b] = ip;
  return (
    a === 0 ||
    a === 10 ||
    a === 127 ||
    a >= 224 ||
    (a === 100 && b >= 64 && b < 128) ||
    (a === 169 && b === 254) ||
    (a === 172 && b >= 16 && b < 32) ||
    (a === 192 && b === 168) ||
    (a === 198 && (b === 18 || b === 19))
  );
}
