import { equalBytes } from '../src/base/bytes.ts';
import type { DirectoryAuthority } from '../src/directory/directory-authority.ts';
import { documentBytes, documentText } from '../src/directory/document-lines.ts';
import { encodeRequest } from '../src/directory/http-codec.ts';
import type { HttpTransfers } from '../src/directory/http-transfers.ts';
import type { Observer } from '../src/ports.ts';

/** The other authorities, at their directory ports. What cannot be delivered is fetched by them when they miss it. */
export class Peers {
  readonly #others: readonly DirectoryAuthority[];
  readonly #transfers: HttpTransfers;
  readonly #observer: Observer;

  constructor(others: readonly DirectoryAuthority[], transfers: HttpTransfers, observer: Observer) {
    this.#others = others;
    this.#transfers = transfers;
    this.#observer = observer;
  }

  get all(): readonly DirectoryAuthority[] {
    return this.#others;
  }

  /** That with this identity; undefined: none of them. */
  of(v3Ident: Uint8Array): DirectoryAuthority | undefined {
    return this.#others.find(each => each.v3Ident !== undefined && equalBytes(each.v3Ident, v3Ident));
  }

  /** Posts a document to each of them. */
  post(path: string, text: string): void {
    const body = documentBytes(text);
    for (const peer of this.#others) {
      const { host, port } = peer.dirAddress;
      const request = encodeRequest('POST', path, `${host}:${port}`, { body });
      this.#transfers.ask(peer.dirAddress, request, result => {
        if (result.ok && result.value.status === 200) return;
        const why = result.ok ? `${result.value.status} ${result.value.reason}` : result.fault.code;
        this.#observer.log('warn', 'authority did not take it', { authority: peer.nickname, path, why });
      });
    }
  }

  /** Asks one of them for documents. @param take given what it has; not called when it has nothing. */
  get(peer: DirectoryAuthority, path: string, take: (text: string) => void): void {
    const { host, port } = peer.dirAddress;
    const request = encodeRequest('GET', path, `${host}:${port}`);
    this.#transfers.ask(peer.dirAddress, request, result => {
      if (result.ok && result.value.status === 200) take(documentText(result.value.body));
    });
  }
}
