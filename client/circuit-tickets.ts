import { toHex } from '../src/base/bytes.ts';
import { circuitTicketsMax } from '../src/base/limits.ts';
import type { Entropy } from '../src/ports.ts';
import type { SocksIsolation } from '../src/socks/socks5.ts';
import type { ManagedCircuit } from './managed-circuit.ts';

const ticketUser = /^circuit-\d+$/;
const ticketPassword = /^[0-9a-f]{32}$/;

/** The users and passwords of SOCKS that lead to one circuit and no other. */
export class CircuitTickets {
  readonly #entropy: Entropy;
  /** In the order of issue, by user and password. */
  readonly #tickets = new Map<string, ManagedCircuit>();
  readonly #users = new Map<string, ManagedCircuit>();

  constructor(entropy: Entropy) {
    this.#entropy = entropy;
  }

  /** A user and password that lead to this circuit, once. */
  issue(circuit: ManagedCircuit): SocksIsolation {
    const user = `circuit-${circuit.id}`;
    const password = toHex(this.#entropy.bytes(16));
    this.#tickets.set(`${user} ${password}`, circuit);
    const [oldest] = this.#tickets.keys();
    if (this.#tickets.size > circuitTicketsMax && oldest !== undefined) this.#tickets.delete(oldest);
    return { user, password };
  }

  /** While the circuit lives, SOCKS connections with this user go there and nowhere else. */
  bind(user: string, circuit: ManagedCircuit): void {
    this.#users.set(user, circuit);
  }

  /**
   * The circuit that a user and password stand for; undefined: any will do. 'gone': their circuit has ended, or the ticket
   * was used; another circuit has another path and other limits, so none takes its place.
   */
  take({ user, password }: SocksIsolation): ManagedCircuit | 'gone' | undefined {
    const key = `${user} ${password}`;
    const isTicket = ticketUser.test(user) && ticketPassword.test(password);
    const circuit = this.#users.get(user) ?? this.#tickets.get(key);
    this.#tickets.delete(key);
    if (circuit === undefined) return isTicket ? 'gone' : undefined;
    return circuit.state === 'open' ? circuit : 'gone';
  }

  /** The circuit has ended. */
  forget(circuit: ManagedCircuit): void {
    for (const named of [this.#tickets, this.#users]) {
      for (const [key, each] of named) if (each === circuit) named.delete(key);
    }
  }
}
