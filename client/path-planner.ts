import { fromUtf8, utf8 } from '../src/base/bytes.ts';
import { fail, ok, type Result } from '../src/base/fault.ts';
import { hopsMax } from '../src/base/limits.ts';
import { isReasonablyLive } from '../src/directory/consensus.ts';
import type { DirectoryAuthority } from '../src/directory/directory-authority.ts';
import { GuardSet, type GuardState } from '../src/directory/guard-set.ts';
import { congestionOf, type NetworkView } from '../src/directory/network-view.ts';
import { choosePath, isOwnKin, type OwnRelay } from '../src/directory/path-choice.ts';
import { lackOf } from '../src/directory/protocol-demands.ts';
import { supportsProtocol } from '../src/directory/protocols.ts';
import type { RelayInfo } from '../src/directory/relay-info.ts';
import type { CongestionParams } from '../src/flow/congestion-params.ts';
import type { AskId, Clock, Entropy, StorePort } from '../src/ports.ts';
import { type ExitGoal, hopOfAuthority, hopOfRelay, type PlannedHop } from './circuit-want.ts';

export interface PlannerSettings {
  readonly authorities: readonly DirectoryAuthority[];
  readonly hops: number;
  readonly distinctSubnets: boolean;
  readonly guards: number;
  /** The relay that this client shares its process with: neither that nor its kin is ever a hop. */
  readonly ownRelay?: OwnRelay | undefined;
}

export interface PlannerPorts {
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly store: StorePort;
  newAsk(): AskId;
  /** True for a relay that is free, or that we can pay at a price we would. */
  affords(relay: RelayInfo): boolean;
  /** A path cannot be planned for want of relays. */
  onLack(): void;
}

/** What else a path must be like. */
export interface PathLimits {
  readonly hops?: number;
  /** The last hop, whatever its policy. */
  readonly last?: RelayInfo;
  /** Relays that must not be the exit: RSA identities in hex. */
  readonly notExits?: ReadonlySet<string>;
}

/** Faults that a relay more would mend. */
const lacks: ReadonlySet<string> = new Set(['PATH_NO_EXIT', 'PATH_NO_GUARD', 'PATH_NO_MIDDLE']);

const guardsKey = 'client/guards';

/** Chooses the relays of circuits. Guards are kept in the store, so that a restart does not draw new ones. */
export class PathPlanner {
  readonly #settings: PlannerSettings;
  readonly #ports: PlannerPorts;
  readonly #guards: GuardSet;
  #view: NetworkView | undefined;

  constructor(settings: PlannerSettings, ports: PlannerPorts) {
    this.#settings = settings;
    this.#ports = ports;
    this.#guards = new GuardSet({ sampleSize: settings.guards });
    const kept = ports.store.get(guardsKey);
    if (kept !== undefined) this.#guards.decode(fromUtf8(kept));
  }

  get view(): NetworkView | undefined {
    return this.#view;
  }

  /** Of a circuit for streams. */
  get hops(): number {
    return this.#settings.hops;
  }

  /** Guards in the order of preference, as RSA identities. */
  get guards(): readonly Uint8Array[] {
    return this.#guards.usable(this.#ports.clock.wallMs());
  }

  get guardStates(): readonly GuardState[] {
    return this.#guards.states(this.#ports.clock.wallMs());
  }

  onView(view: NetworkView): void {
    this.#view = view;
    const { clock, entropy, store } = this.#ports;
    const accepts = (relay: RelayInfo): boolean => this.#accepts(relay);
    if (!this.#guards.refresh(view, clock.wallMs(), entropy, accepts)) return;
    store.commit([{ key: guardsKey, value: utf8(this.#guards.encode()) }], this.#ports.newAsk());
  }

  onFirstHop(hop: PlannedHop, reached: boolean): void {
    if (reached) this.#guards.markWorking(hop.rsaId);
    else this.#guards.markFailed(hop.rsaId, this.#ports.clock.wallMs());
  }

  /**
   * The view, unless it is too old: a machine may have slept, and nobody is to hold a client to an old
   * network by keeping newer ones from it. spec: dir-spec/client-operation (reasonably live)
   */
  #liveView(): Result<NetworkView> {
    const view = this.#view;
    if (view === undefined) return fail('NO_VIEW');
    if (!isReasonablyLive(view, this.#ports.clock.wallMs())) {
      this.#ports.onLack();
      return fail('NO_VIEW');
    }
    // spec: dir-spec/consensus-formats (required-client-protocols): a network is not used by who cannot be like its other clients.
    const lacking = lackOf(view, 'required', 'client');
    return lacking === '' ? ok(view) : fail('PROTOCOLS_REQUIRED', lacking);
  }

  /** Relays for a stream to `to`. NO_VIEW: the network is not known yet, or any more. */
  choose(
    to: ExitGoal | undefined,
    { hops = this.#settings.hops, last, notExits }: PathLimits = {},
  ): Result<readonly PlannedHop[]> {
    const live = this.#liveView();
    if (!live.ok) return live;
    const chosen = choosePath({
      fixed: last === undefined ? undefined : new Map([[hops - 1, last]]),
      view: live.value,
      hops,
      exitTo: to,
      notExits,
      guards: this.guards,
      accepts: relay => this.#accepts(relay),
      distinctSubnets: this.#settings.distinctSubnets,
      entropy: this.#ports.entropy,
    });
    if (chosen.ok) return ok(chosen.value.map(hopOfRelay));
    if (lacks.has(chosen.fault.code)) this.#ports.onLack();
    return chosen;
  }

  /** The relays of these names, in this order. */
  named(names: readonly string[]): Result<readonly PlannedHop[]> {
    const live = this.#liveView();
    if (!live.ok) return live;
    const view = live.value;
    if (names.length === 0 || names.length > hopsMax) return fail('PATH_BAD_WISH', `1 to ${hopsMax} relays`);
    const hops: PlannedHop[] = [];
    for (const name of names) {
      const relay = view.relayByName(name);
      if (relay === undefined) {
        this.#ports.onLack();
        return fail('PATH_UNKNOWN_RELAY', name);
      }
      if (hops.some(hop => hop.relay === relay)) return fail('PATH_CONFLICT', `${name} twice`);
      if (this.#isOwn(relay)) return fail('PATH_CONFLICT', `${name} is one of our own relays`);
      hops.push(hopOfRelay(relay));
    }
    return ok(hops);
  }

  /**
   * Congestion control for a circuit along that path; undefined: the last hop does not know it, or the consensus has it
   * switched off. Circuits of one hop go without it, as C tor's do. spec: proposal 324, 10.1
   */
  congestion(path: readonly PlannedHop[]): CongestionParams | undefined {
    const protocols = path.length > 1 ? path[path.length - 1].relay?.protocols : undefined;
    if (protocols === undefined) return undefined;
    if (!supportsProtocol(protocols, 'FlowCtrl', 2) || !supportsProtocol(protocols, 'Relay', 4))
      return undefined;
    const params = congestionOf(this.#view);
    return params.enabled ? params : undefined;
  }

  /** A directory to ask: the guard where any relay will do, since it sees this client anyway. */
  directoryHop(from: 'authority' | 'any'): PlannedHop | undefined {
    const { authorities } = this.#settings;
    if (from === 'any') {
      for (const id of this.guards) {
        const relay = this.#view?.relayById(id);
        if (relay !== undefined && !this.#isOwn(relay)) return hopOfRelay(relay);
      }
    }
    if (authorities.length === 0) return undefined;
    const [byte] = this.#ports.entropy.bytes(1);
    return hopOfAuthority(authorities[byte % authorities.length]);
  }

  #accepts(relay: RelayInfo): boolean {
    return this.#ports.affords(relay) && !this.#isOwn(relay);
  }

  #isOwn(relay: RelayInfo): boolean {
    const { ownRelay, distinctSubnets } = this.#settings;
    return ownRelay !== undefined && isOwnKin(ownRelay, relay, distinctSubnets);
  }
}
