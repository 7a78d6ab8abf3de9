import { fromUtf8, toHex, utf8 } from '../src/base/bytes.ts';
import { directoryRequestMsMax } from '../src/base/limits.ts';
import type { DirectoryClient, DirectoryRequest } from '../src/directory/directory-client.ts';
import { encodeRequest, type HttpResponse } from '../src/directory/http-codec.ts';
import type { NetworkView } from '../src/directory/network-view.ts';
import type { AskId, Cancel, Clock, Observer, StorePort, StoreWrite } from '../src/ports.ts';
import type { CircuitPool } from './circuit-pool.ts';
import type { PlannedHop } from './circuit-want.ts';
import { DirectoryExchange } from './directory-exchange.ts';
import type { ManagedCircuit } from './managed-circuit.ts';

export interface FetchHost {
  /** A directory to ask; undefined: none is known. */
  directoryHop(from: DirectoryRequest['from']): PlannedHop | undefined;
  /** The view is new. */
  onView(view: NetworkView): void;
  onDirectoryFailed(hop: PlannedHop): void;
  newAsk(): AskId;
}

export interface FetchPorts {
  readonly clock: Clock;
  readonly observer: Observer;
  readonly store: StorePort;
  readonly pool: CircuitPool;
}

/** Apart from those of a relay that runs in the same process. */
const keys = {
  certificates: 'client/directory/certificates',
  consensus: 'client/directory/consensus-microdesc',
  microdescriptors: 'client/directory/microdescriptors',
} as const;

/** Keeps the view of the network current: carries out what the directory client wants over one-hop circuits. */
export class DirectoryFetch {
  readonly #client: DirectoryClient;
  readonly #host: FetchHost;
  readonly #ports: FetchPorts;
  readonly #circuits = new Map<string, ManagedCircuit>();
  /** Requests whose circuit is being built. */
  readonly #waiting = new Map<ManagedCircuit, DirectoryExchange[]>();
  #wake: Cancel | undefined;
  #view: NetworkView | undefined;
  #stopped = false;

  constructor(client: DirectoryClient, host: FetchHost, ports: FetchPorts) {
    this.#client = client;
    this.#host = host;
    this.#ports = ports;
  }

  /** Reads what an earlier run has kept, then fetches what is missing. */
  start(): void {
    const { store } = this.#ports;
    const text = (key: string): string => fromUtf8(store.get(key) ?? new Uint8Array(0));
    const consensus = text(keys.consensus);
    this.#client.restore({
      certificates: text(keys.certificates),
      consensuses: consensus === '' ? [] : [consensus],
      microdescriptors: text(keys.microdescriptors),
    });
    this.#tellView();
    this.pump();
  }

  stop(): void {
    this.#stopped = true;
    this.#wake?.();
  }

  /** Starts what can be started now and sleeps until there may be more. */
  pump(): void {
    if (this.#stopped) return;
    this.#wake?.();
    for (let request = this.#client.next(); request !== undefined; request = this.#client.next()) {
      this.#fetch(request);
    }
    const waitMs = this.#client.wakeMs();
    this.#wake =
      waitMs === undefined ? undefined : this.#ports.clock.after(Math.max(waitMs, 10), () => this.pump());
  }

  /** A relay that the view lacks may stand in a newer consensus. */
  wantNewer(): void {
    this.#client.wantNewer();
    this.pump();
  }

  /** A directory circuit is open. */
  onCircuitOpen(circuit: ManagedCircuit): void {
    const waiting = this.#waiting.get(circuit) ?? [];
    this.#waiting.delete(circuit);
    for (const fetching of waiting) fetching.open(circuit, 0);
  }

  /** A directory circuit is gone; requests on it were told by their streams. */
  onCircuitEnded(circuit: ManagedCircuit): void {
    for (const [key, each] of this.#circuits) if (each === circuit) this.#circuits.delete(key);
    const waiting = this.#waiting.get(circuit) ?? [];
    this.#waiting.delete(circuit);
    if (waiting.length > 0) this.#host.onDirectoryFailed(circuit.path[0]);
    for (const fetching of waiting) fetching.fail();
  }

  #fetch(request: DirectoryRequest): void {
    const hop = this.#host.directoryHop(request.from);
    const circuit = hop === undefined ? undefined : this.#circuitTo(hop);
    if (hop === undefined || circuit === undefined) {
      this.#client.failed(request);
      return;
    }
    const bytes = encodeRequest('GET', request.path, hop.address.host, {
      ifModifiedSinceMs: request.ifModifiedSinceMs,
    });
    const fetching = new DirectoryExchange(bytes, this.#ports.clock, directoryRequestMsMax, response =>
      this.#onAnswer(request, hop, response),
    );
    if (circuit.state === 'open') fetching.open(circuit, 0);
    else this.#waiting.set(circuit, [...(this.#waiting.get(circuit) ?? []), fetching]);
  }

  #circuitTo(hop: PlannedHop): ManagedCircuit | undefined {
    const key = toHex(hop.rsaId);
    const known = this.#circuits.get(key);
    if (known !== undefined && known.state !== 'closing' && known.state !== 'ended') return known;
    const opened = this.#ports.pool.open({ purpose: 'directory', path: [hop], terms: {} });
    if (!opened.ok) return undefined;
    this.#circuits.set(key, opened.value);
    return opened.value;
  }

  #onAnswer(request: DirectoryRequest, hop: PlannedHop, response: HttpResponse | undefined): void {
    if (response === undefined) {
      this.#client.failed(request);
    } else {
      const taken = this.#client.answered(request, response);
      if (!taken.ok) {
        const { code, detail = '' } = taken.fault;
        this.#ports.observer.log('info', 'directory-useless', {
          kind: request.kind,
          from: hop.nickname,
          code,
          detail,
        });
      }
    }
    this.#keep();
    this.#tellView();
    this.pump();
  }

  #tellView(): void {
    const { view } = this.#client;
    if (view === undefined || view === this.#view) return;
    this.#view = view;
    this.#host.onView(view);
  }

  #keep(): void {
    if (!this.#client.takeChanged()) return;
    const consensus = this.#client.consensus('microdesc');
    const certificates = this.#client.certificates().map(each => each.text);
    const microdescriptors = [...this.#client.microdescriptors()].map(each => each.text);
    const writes: StoreWrite[] = [
      { key: keys.certificates, value: utf8(certificates.join('')) },
      { key: keys.microdescriptors, value: utf8(microdescriptors.join('')) },
    ];
    if (consensus !== undefined) writes.push({ key: keys.consensus, value: utf8(consensus.text) });
    this.#ports.store.commit(writes, this.#host.newAsk());
  }
}
