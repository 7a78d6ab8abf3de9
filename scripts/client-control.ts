import { setTimeout as pause } from 'node:timers/promises';
import type { ToldCoin } from '../client/channel-money.ts';
import type { CircuitReport } from '../client/circuit-report.ts';
import { openControl } from '../client/control-client.ts';
import { OperatorError } from '../src/base/fault.ts';

/** A running client, as its control socket offers it. */
export interface ClientControl {
  /** An address that funds the client's wallet. */
  walletAddress(): Promise<string>;
  walletSat(): Promise<bigint>;
  walletCoins(): Promise<readonly Pick<ToldCoin, 'txid' | 'height'>[]>;
  /** Of the best chain that the wallet has looked through; null: it has not done so yet. */
  walletHeight(): Promise<number | null>;
  /** Whether the client can build circuits over the relay of that name; if not, it looks for a newer consensus. */
  knows(relay: string): Promise<boolean>;
  /**
   * Builds a circuit over these relays, by nickname, with a channel opened at each priced hop; waits until streams can
   * be opened. SOCKS connections of that user go there and nowhere else.
   */
  openCircuit(path: readonly string[], user: string, windowCells?: number): Promise<CircuitReport>;
  circuit(id: number): Promise<CircuitReport>;
  /** Ends a circuit in order, so that its channels may be settled: what it came to. */
  closeCircuit(id: number): Promise<CircuitReport>;
  close(): void;
}

/** Connects to the client whose control socket that is. */
export async function controlOf(path: string): Promise<ClientControl> {
  const { call, close } = await openControl(path);
  return {
    walletAddress: async () => (await call<{ address: string }>('wallet.address')).address,
    walletSat: async () => BigInt((await call<{ confirmedSat: string }>('wallet.balance')).confirmedSat),
    walletCoins: () => call('wallet.coins'),
    walletHeight: async () => (await call<{ height: number | null }>('wallet.balance')).height,
    knows: async name => {
      try {
        await call('relay', { name });
        return true;
      } catch (error) {
        if (error instanceof OperatorError && /^(PATH_UNKNOWN_RELAY|NO_VIEW)$/.test(error.code)) return false;
        throw error;
      }
    },
    openCircuit: async (path, user, window) => report(await call('open-circuit', { path, user, window })),
    circuit: async id => report(await call('circuit', { circuit: id })),
    closeCircuit: async id => report(await call('close-circuit', { circuit: id })),
    close,
  };
}

const knownMsMax = 120_000;
const knownAgainMs = 200;

/** Waits until that client can build circuits over the relay; `over` ends the wait. False: it did not come to that. */
export async function untilKnown(
  control: ClientControl,
  relay: string,
  over: () => boolean = () => false,
): Promise<boolean> {
  for (const deadline = performance.now() + knownMsMax; performance.now() < deadline && !over(); ) {
    if (await control.knows(relay)) return true;
    await pause(knownAgainMs);
  }
  return false;
}

/** Amounts travel as decimal strings. */
function report(sent: CircuitReport): CircuitReport {
  const hops = sent.hops.map(hop => ({
    ...hop,
    priceMsat: BigInt(hop.priceMsat),
    paidMsat: BigInt(hop.paidMsat),
  }));
  return { ...sent, hops };
}
