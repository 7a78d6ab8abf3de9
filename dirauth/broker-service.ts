import { readMountedBroker } from '../broker/config.ts';
import { startBroker } from '../broker/start-broker.ts';
import { toHex } from '../src/base/bytes.ts';
import type { Observer } from '../src/ports.ts';

/** A broker that serves in an authority's process. */
export interface MountedBroker {
  /** Where it is asked, `HOST:PORT`, and what it issues under, in hex: as the ready line of a broker tells them. */
  readonly party: string;
  readonly key: string;
  stop(): Promise<void>;
}

/**
 * The broker that pay.yaml asks for, in networks where who lists the relays also holds their accounts. It keeps its own
 * address, keys and records, so that it can move to a process of its own, and back. Throws OperatorError for what a
 * person can mend.
 */
export async function mountBroker(payFile: string, observer: Observer): Promise<MountedBroker> {
  const { at, key, stop } = await startBroker(readMountedBroker(payFile), observer);
  return { party: `${at.host}:${at.port}`, key: toHex(key), stop };
}
