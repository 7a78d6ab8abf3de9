import { equalBytes } from '../../base/bytes.ts';
import { struct, u64 } from '../../base/struct.ts';
import type { SigningKey } from '../../crypto/ecdsa.ts';
import { makeAccountRequest } from '../../payment/account-request.ts';
import { RecordBook } from '../../payment/record-book.ts';
import type { SchemeHost, Value } from '../../payment/scheme.ts';
import type { StoreWrite } from '../../ports.ts';
import { brokerOperation, certificate, certifyBody } from './messages.ts';
import {
  type Certificate,
  type Commitment,
  creditChunkMsat,
  creditMsat,
  hashOf,
  marginSeconds,
  secondsOf,
  worthMsat,
} from './terms.ts';

/** One payment takes no more than one of so many parts of the credit that is left. */
const shares = 4n;
const lineRecord = struct({ certificate, committedMsat: u64 });

/** What a payer may promise on credit, and has promised: an honest one never promises more. */
export class CreditLine {
  readonly #host: SchemeHost;
  readonly #account: SigningKey;
  readonly #brokerKey: Uint8Array;
  readonly #book: RecordBook<{ readonly certificate: Certificate; readonly committedMsat: Value }>;
  /** Under way: all who need a certificate at a time ask for the same one. */
  #request: Uint8Array | undefined;

  constructor(host: SchemeHost, account: SigningKey, brokerKey: Uint8Array) {
    this.#host = host;
    this.#account = account;
    this.#brokerKey = brokerKey;
    this.#book = new RecordBook(host.store, 'payword/payer/credit/', lineRecord);
  }

  get expiry(): number | undefined {
    return this.#book.get('line')?.certificate.expiry;
  }

  /** The certificate, as it is shown. */
  get backing(): Uint8Array | undefined {
    const line = this.#book.get('line');
    return line === undefined ? undefined : certificate.encode(line.certificate);
  }

  /**
   * What to pay at a time where `msat` is asked: no more than a part of what is left, unless that is little. Whoever wants ten
   * seconds of a fast line ahead would take what the other relays of its circuit need. More than is left stays too much.
   */
  shareOf(msat: Value): Value {
    const line = this.#book.get('line');
    const left = line === undefined ? 0n : line.certificate.limitMsat - line.committedMsat;
    const most = left / shares > creditChunkMsat ? left / shares : creditChunkMsat;
    return msat > left || msat < most ? msat : most;
  }

  /** The certificate, when so much more may be promised under it. */
  certificateFor(msat: Value): Uint8Array | undefined {
    const line = this.#book.get('line');
    if (line === undefined || line.committedMsat + msat > line.certificate.limitMsat) return undefined;
    const ends = line.certificate.expiry - 2 * marginSeconds;
    return secondsOf(this.#host.clock.wallMs()) > ends ? undefined : this.backing;
  }

  request(): Uint8Array {
    this.#request ??= makeAccountRequest(
      this.#account,
      this.#host.entropy,
      certifyBody.encode({ operation: brokerOperation.certify, limitMsat: creditMsat }),
    );
    return this.#request;
  }

  /** False: that is no certificate for us. */
  take(reply: Uint8Array): boolean {
    const granted = certificate.decode(reply);
    if (granted === undefined || !certificate.isBy(this.#brokerKey, granted)) return false;
    if (!equalBytes(granted.payer, this.#account.publicKey)) return false;
    this.#request = undefined;
    const line = this.#book.get('line');
    if (line === undefined || !equalBytes(line.certificate.serial, granted.serial))
      this.#book.put('line', { certificate: granted, committedMsat: 0n });
    return true;
  }

  /** So much more is promised once the record is durable. */
  commit(msat: Value): readonly StoreWrite[] {
    const line = this.#book.get('line');
    if (line === undefined) return [];
    return [this.#book.put('line', { ...line, committedMsat: line.committedMsat + msat })];
  }

  /** What was promised and not spent may be promised again; after a crash it just stays promised. @param sent words of it. */
  release(said: Commitment, sent: number): void {
    const line = this.#book.get('line');
    // Under the next certificate nothing comes of it.
    if (line === undefined || !equalBytes(said.backing, hashOf(certificate.encode(line.certificate)))) return;
    const msat = worthMsat(said) - said.unitMsat * BigInt(sent);
    const committedMsat = line.committedMsat > msat ? line.committedMsat - msat : 0n;
    this.#book.put('line', { ...line, committedMsat });
  }
}
