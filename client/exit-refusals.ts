import { refusedHostsMax } from '../src/base/limits.ts';
import type { ExitGoal } from './circuit-want.ts';

/** No host has this name: an exit that said nothing of an address refuses whatever it is asked. */
const everything = '';

/**
 * Which exits refused which hosts, so that streams to come ask others first: a consensus tells of ports alone, and policies name
 * addresses too. Source: C tor, adjust_exit_policy_from_exitpolicy_failure.
 */
export class ExitRefusals {
  readonly #byHost = new Map<string, Set<string>>();

  /** @param exit its RSA identity in hex. @param hosts as they were asked for or named; none: it refuses all. */
  note(exit: string, hosts: readonly string[]): void {
    if (this.#byHost.size >= refusedHostsMax) this.forget();
    for (const host of hosts.length === 0 ? [everything] : hosts) {
      const exits = this.#byHost.get(host) ?? new Set();
      this.#byHost.set(host, exits.add(exit));
    }
  }

  /** The exits not to ask for that, in hex. Whoever refuses a host may still look its name up. */
  of({ host, port }: ExitGoal): ReadonlySet<string> {
    const asked = port === 0 ? [everything] : [everything, host];
    return new Set(asked.flatMap(each => [...(this.#byHost.get(each) ?? [])]));
  }

  /** Policies may be others now. */
  forget(): void {
    this.#byHost.clear();
  }
}
