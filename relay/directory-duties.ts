import type { DirectoryAuthority } from '../src/directory/directory-authority.ts';
import type { DirectoryClient, DirectoryRequest } from '../src/directory/directory-client.ts';
import { directoryRecords, restoreDirectory } from '../src/directory/directory-store.ts';
import { encodeRequest } from '../src/directory/http-codec.ts';
import type { HttpTransfers } from '../src/directory/http-transfers.ts';
import { LackTeller } from '../src/directory/protocol-demands.ts';
import type { AskId, Cancel, Clock, Observer, StorePort } from '../src/ports.ts';

export interface DirectoryDutiesOptions {
  readonly client: DirectoryClient;
  readonly authorities: readonly DirectoryAuthority[];
  readonly transfers: HttpTransfers;
  readonly clock: Clock;
  readonly store: StorePort;
  readonly newAsk: () => AskId;
  readonly observer: Observer;
  /** Something new was learnt. */
  readonly onNews: () => void;
}

/** Keeps a relay's copy of the directory current, from the authorities' directory ports, and on disk. */
export class DirectoryDuties {
  readonly #options: DirectoryDutiesOptions;
  #cancel: Cancel | undefined;
  #asked = 0;
  readonly #lacks: LackTeller;
  #stopped = false;
  /** Relays that were told of. */
  #told = 0;

  constructor(options: DirectoryDutiesOptions) {
    this.#options = options;
    this.#lacks = new LackTeller('relay', options.observer);
  }

  start(): void {
    restoreDirectory(this.#options.client, this.#options.store);
    this.#tell();
    this.#pump();
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel?.();
  }

  #pump(): void {
    const { client, clock, authorities } = this.#options;
    if (this.#stopped || authorities.length === 0) return;
    for (let request = client.next(); request !== undefined; request = client.next()) this.#fetch(request);
    this.#cancel?.();
    const wakeMs = client.wakeMs();
    this.#cancel = wakeMs === undefined ? undefined : clock.after(wakeMs, () => this.#pump());
  }

  #fetch(request: DirectoryRequest): void {
    const { authorities, client, transfers, observer } = this.#options;
    // A different authority each time, so that one that is down does not stop us.
    const to = authorities[this.#asked++ % authorities.length].dirAddress;
    const { ifModifiedSinceMs } = request;
    const bytes = encodeRequest('GET', request.path, `${to.host}:${to.port}`, { ifModifiedSinceMs });
    transfers.ask(to, bytes, result => {
      const news = result.ok ? client.answered(request, result.value) : undefined;
      if (news === undefined) client.failed(request);
      if (news === undefined || !news.ok) observer.count('naulon_directory_fetch_failures_total');
      if (news?.ok && news.value === 'news') this.#keep();
      this.#pump();
    });
  }

  #keep(): void {
    const { client, store, newAsk, onNews } = this.#options;
    if (client.takeChanged()) store.commit(directoryRecords(client), newAsk());
    this.#tell();
    onNews();
  }

  /**
   * Says once that the network is known, since until then its parameters are not, and then whenever other relays are. A relay that lacks
   * what is demanded serves on, other than C tor's: clients see from its descriptor what it knows, and choose.
   */
  #tell(): void {
    const { client, observer } = this.#options;
    if (client.view === undefined) return;
    this.#lacks.onView(client.view);
    const { relays: known, relaysListed } = client.view;
    const relays = known.length;
    const isOnItsWay = this.#told > 0 && relays < relaysListed;
    if (isOnItsWay || relays === this.#told) return;
    this.#told = relays;
    observer.log('info', 'network known', { relays });
  }
}
