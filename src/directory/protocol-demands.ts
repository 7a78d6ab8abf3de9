import type { Observer } from '../ports.ts';
import type { NetworkView } from './network-view.ts';
import { formatProtocols, missingProtocols, parseProtocols } from './protocols.ts';
import { relayProtocolsText } from './server-descriptor.ts';

type Role = 'client' | 'relay';

const own = parseProtocols(relayProtocolsText) ?? new Map();

/** What a network demands of such nodes and this program lacks; empty: nothing. spec: dir-spec/consensus-formats */
export function lackOf(view: NetworkView, demand: 'required' | 'recommended', role: Role): string {
  return formatProtocols(missingProtocols(view.protocols[`${demand}-${role}-protocols`], own));
}

/** Tells an operator what the network demands and this program lacks, once for each lack. */
export class LackTeller {
  readonly #role: Role;
  readonly #observer: Observer;
  #told = '';

  constructor(role: Role, observer: Observer) {
    this.#role = role;
    this.#observer = observer;
  }

  onView(view: NetworkView): void {
    const required = lackOf(view, 'required', this.#role);
    const recommended = lackOf(view, 'recommended', this.#role);
    const lack = `${required}/${recommended}`;
    if (lack === this.#told) return;
    this.#told = lack;
    if (required !== '') this.#warn('PROTOCOLS_REQUIRED', required);
    else if (recommended !== '') this.#warn('PROTOCOLS_RECOMMENDED', recommended);
  }

  #warn(code: string, lacking: string): void {
    this.#observer.log('warn', 'the network demands what is lacking here', { code, lacking });
  }
}
