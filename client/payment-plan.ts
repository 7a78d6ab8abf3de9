import type { RelayInfo } from '../src/directory/relay-info.ts';
import { PartyDesk, partiesOf } from '../src/payment/party-desk.ts';
import { PayerDesk, type PayerDeskOptions } from '../src/payment/payer-desk.ts';
import type { PayerFault, PayerSession } from '../src/payment/payer-session.ts';
import type { PaymentScheme, SessionId, Value } from '../src/payment/scheme.ts';
import { CircuitAllowance } from '../src/payment/spending.ts';
import type { Answer, ChainEvent, PartyPort, RequestId, StoreWrite } from '../src/ports.ts';
import type { PaymentSettings } from './client-settings.ts';
import type { CreditedPayment } from './client-watch.ts';
import type { CircuitPayments, HopMoney, ManagedCircuit } from './managed-circuit.ts';

/** The contract output that a session pays from, where its scheme has such a thing. */
export type ContractOf = (session: SessionId) => HopMoney['contract'];

export interface PaymentPorts extends Omit<PayerDeskOptions, 'schemes' | 'limits'> {
  readonly parties: PartyPort;
  /** A hop has credited one more payment. */
  onCredited(circuit: ManagedCircuit, payment: CreditedPayment): void;
}

const freeHop: HopMoney = { balance: 0, paid: true, payments: 0, paidMsat: 0n, contract: undefined };

/** Which scheme a relay is paid by, out of which budget, and the sessions that do it. */
export class PaymentPlan {
  readonly #settings: PaymentSettings;
  /** In the order of preference. */
  readonly #schemes: readonly PaymentScheme[];
  readonly #desk: PayerDesk;
  readonly #partyDesk: PartyDesk;
  readonly #onCredited: PaymentPorts['onCredited'];
  /** Set by whoever registers a scheme that has contracts. */
  contractOf: ContractOf = () => undefined;

  constructor(settings: PaymentSettings, schemes: readonly PaymentScheme[], ports: PaymentPorts) {
    this.#settings = settings;
    this.#schemes = settings.schemes.flatMap(name => schemes.filter(scheme => scheme.name === name));
    const limits = { relayMsat: settings.relayMsatMax, dayMsat: settings.dayMsatMax };
    this.#desk = new PayerDesk({ ...ports, schemes: this.#schemes, limits });
    const { commits } = this.#desk;
    const parties = partiesOf(this.#schemes, {
      ...ports,
      store: commits.store,
      chain: commits.chain(ports.chain),
    });
    this.#partyDesk = new PartyDesk(parties, ports.parties, commits);
    this.#onCredited = ports.onCredited;
  }

  /** Runs `stored` once `writes` are durable; in one order with what sessions write. */
  commit(writes: readonly StoreWrite[], stored: () => void): void {
    this.#desk.commits.commit(writes, stored);
  }

  /** Names of the schemes that relays are paid by, the preferred one first. */
  get schemes(): readonly string[] {
    return this.#schemes.map(({ name }) => name);
  }

  /** True for a relay that is free, or whose price and scheme suit us. */
  affords(relay: RelayInfo): boolean {
    const price = relay.priceMsatPer2Pow20;
    if (price === 0n) return true;
    const { priceMsatMax } = this.#settings;
    if (priceMsatMax !== undefined && price > priceMsatMax) return false;
    return this.#schemeOf(relay) !== undefined;
  }

  /** Opens a session for each priced hop. Undefined: all hops are free. */
  pay(circuit: ManagedCircuit, onPaid: () => void): CircuitPayments | undefined {
    if (!circuit.path.some(({ relay }) => (relay?.priceMsatPer2Pow20 ?? 0n) > 0n)) return undefined;
    return new SessionPayments(circuit, onPaid, {
      desk: this.#desk,
      settings: this.#settings,
      schemeOf: relay => this.#schemeOf(relay),
      contractOf: session => this.contractOf(session),
      onCredited: payment => this.#onCredited(circuit, payment),
    });
  }

  /** True when the answer was for a payment. */
  onAnswer(answer: Answer): boolean {
    return this.#desk.onAnswer(answer) || this.#partyDesk.onAnswer(answer);
  }

  /** What another party asks of this client. */
  onRequest(request: RequestId, scheme: number, bytes: Uint8Array): void {
    this.#partyDesk.onRequest(request, scheme, bytes);
  }

  onChain(event: ChainEvent): void {
    this.#desk.onChain(event);
  }

  #schemeOf(relay: RelayInfo): PaymentScheme | undefined {
    return this.#schemes.find(scheme => relay.paySchemes.includes(scheme.id));
  }
}

interface PayingParts {
  readonly desk: PayerDesk;
  readonly settings: PaymentSettings;
  readonly schemeOf: (relay: RelayInfo) => PaymentScheme | undefined;
  readonly contractOf: ContractOf;
  readonly onCredited: (payment: CreditedPayment) => void;
}

/** The sessions of one circuit. */
class SessionPayments implements CircuitPayments {
  readonly #circuit: ManagedCircuit;
  readonly #onPaid: () => void;
  readonly #parts: PayingParts;
  readonly #sessions: (PayerSession | undefined)[] = [];
  /** The contract is asked for while it is known: a closed channel may be forgotten. */
  readonly #contracts: HopMoney['contract'][] = [];
  #toldPaid = false;

  constructor(circuit: ManagedCircuit, onPaid: () => void, parts: PayingParts) {
    this.#circuit = circuit;
    this.#onPaid = onPaid;
    this.#parts = parts;
    const allowance = new CircuitAllowance(circuit.terms.maxSpendMsat ?? parts.settings.circuitMsatMax);
    for (const [hop, { relay }] of circuit.path.entries()) {
      this.#sessions.push(relay === undefined ? undefined : this.#open(hop, relay, allowance));
    }
  }

  /** The first questions go out; each hop is paid as its answers come. */
  start(): void {
    for (const session of this.#sessions) session?.start();
  }

  prepare(hop: number, begin: (session: SessionId) => boolean, done: (session: SessionId) => void): boolean {
    const session = this.#sessions[hop];
    if (session === undefined || !begin(session.id)) return false;
    session.prepare(() => done(session.id));
    return true;
  }

  get ready(): boolean {
    return this.#sessions.every(session => session === undefined || session.payments > 0);
  }

  get endsSoon(): boolean {
    return this.#sessions.some(session => session?.endsSoon);
  }

  hops(): readonly HopMoney[] {
    return this.#sessions.map((session, hop) => {
      if (session === undefined) return freeHop;
      this.#contracts[hop] ??= this.#parts.contractOf(session.id);
      const { payments, paidMsat } = session;
      const balance = Math.max(session.spendable, 0);
      return { balance, paid: payments > 0, payments, paidMsat, contract: this.#contracts[hop] };
    });
  }

  finish(done: (refusal?: string) => void): void {
    this.hops();
    let open = 1;
    let refusal: string | undefined;
    const one = (): void => {
      open -= 1;
      if (open === 0) done(refusal);
    };
    for (const [hop, session] of this.#sessions.entries()) {
      if (session === undefined) continue;
      open += 1;
      session.finish(fault => {
        if (fault !== undefined) refusal = `${this.#circuit.path[hop].nickname} refused: ${fault.code}`;
        one();
      });
    }
    one();
  }

  ended(): void {
    this.hops();
    for (const session of this.#sessions) session?.ended();
  }

  #open(hop: number, relay: RelayInfo, allowance: CircuitAllowance): PayerSession | undefined {
    const price = relay.priceMsatPer2Pow20;
    if (price === 0n) return undefined;
    const { desk, settings, schemeOf } = this.#parts;
    const scheme = schemeOf(relay);
    const session =
      scheme === undefined
        ? undefined
        : desk.open(
            {
              sendRedeem: body => this.#circuit.circuit?.sendRedeem(hop, body),
              onLow: () => this.#pay(hop),
              onSpendable: () => this.#onSpendable(hop),
              onFailed: fault => this.#onFailed(relay, fault),
            },
            {
              scheme: scheme.id,
              ed25519: relay.ed25519,
              price,
              window: this.#circuit.terms.window ?? settings.window,
              budget: budgetOf(settings, allowance.leftMsat),
              allowance,
            },
          );
    if (session !== undefined) this.#circuit.circuit?.setPayer(hop, payerOf(session));
    return session;
  }

  /** The same cells pass all hops: they are paid at the same time, and that is durable at once. */
  #pay(first: number): void {
    this.#parts.desk.commits.together(() => {
      this.#sessions[first]?.pay();
      for (const session of this.#sessions) session?.pay();
    });
  }

  #onSpendable(hop: number): void {
    this.#parts.onCredited({ hop, ...this.hops()[hop] });
    this.#circuit.circuit?.onFunds();
    if (this.#toldPaid || !this.ready) return;
    this.#toldPaid = true;
    this.#onPaid();
  }

  #onFailed(relay: RelayInfo, fault: PayerFault): void {
    const detail = `${relay.nickname}: ${fault.code}${fault.detail === undefined ? '' : ` (${fault.detail})`}`;
    if (fault.code.startsWith('RECEIPT_')) this.#circuit.onCheated(detail);
    else this.#circuit.onUnpaid(detail);
  }
}

/** A session that blames its hop tells so by onFailed, with the rule that was broken; the circuit ends then. */
function payerOf(session: PayerSession): {
  readonly spendable: number;
  readonly spendableExit: number;
  countCells(cells: number): void;
  needs(cells: number): void;
  onReceipt(body: Uint8Array): boolean;
  ended(): void;
} {
  return {
    get spendable() {
      return session.spendable;
    },
    get spendableExit() {
      return session.spendableExit;
    },
    countCells: cells => session.countCells(cells),
    needs: cells => session.needs(cells),
    onReceipt: body => {
      session.onReceipt(body);
      return true;
    },
    ended: () => session.ended(),
  };
}

/** What a hop's channel locks up: no more than the circuit may spend in all. */
function budgetOf(settings: PaymentSettings, circuitMsat: Value | undefined): Value {
  const { channelMsat } = settings;
  return circuitMsat !== undefined && circuitMsat < channelMsat ? circuitMsat : channelMsat;
}
