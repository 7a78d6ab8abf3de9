import { type ClientConfig, readClientConfig } from '../client/config.ts';
import { type RunningClient, startClient } from '../client/start-client.ts';
import type { JsonLog } from '../src/node-io/json-log.ts';
import { noParties } from '../src/node-io/no-parties.ts';
import { packageVersion } from '../src/node-io/package-version.ts';
import type { PartySide } from '../src/node-io/party-side.ts';
import type { PaymentScheme } from '../src/payment/scheme.ts';
import type { Answer, AnswerHandler, ChainEvent, RequestHandler, RequestId } from '../src/ports.ts';
import type { RelayCore } from './relay-core.ts';

export type { ClientConfig, RunningClient };

/** What torrc and pay.yaml of a relay, which were read for it already, say of the client beside it. Throws OperatorError (exit code 2). */
export function readMountedClient(
  torrcFile: string,
  payFile: string | undefined,
  scheme?: string,
): ClientConfig {
  const config = readClientConfig(torrcFile, payFile, scheme);
  return { ...config, pay: { ...config.pay, chain: undefined } };
}

/** What a client finds in the relay's process. */
export interface RelayHouse {
  readonly core: RelayCore;
  /** RSA identity of the relay. */
  readonly rsaId: Uint8Array;
  readonly log: JsonLog;
  readonly side: PartySide | undefined;
  /** The very ones that the relay is paid by. */
  readonly schemes: readonly PaymentScheme[];
}

/** The same scheme, whose parts may be those of a class. */
function withoutParty(scheme: PaymentScheme): PaymentScheme {
  const { id, name } = scheme;
  return {
    id,
    name,
    payee: (host, signer) => scheme.payee(host, signer),
    payer: host => scheme.payer(host),
  };
}

/** All who hear of answers in a relay's process: a relay's core, and that of a client if there is one. */
export class Household implements AnswerHandler, RequestHandler {
  readonly #relay: () => RelayCore;
  #client: (AnswerHandler & RequestHandler) | undefined;

  constructor(relay: () => RelayCore) {
    this.#relay = relay;
  }

  /**
   * Starts a client that spends what the relay earns, as C tor is both where torrc names both ports. Its links, circuits and
   * view of the network are its own, and its circuits never lead over the relay. Throws OperatorError.
   */
  mount(config: ClientConfig, { core, rsaId, log, side, schemes }: RelayHouse): Promise<RunningClient> {
    const { nickname, address, ipv6, family } = core.settings;
    const settings = { ...config.settings, ownRelay: { nickname, address, ipv6, family, rsaId } };
    // Of the others the relay tells.
    const unused = config.unused.filter(option => option.startsWith('SocksPort '));
    return startClient({ ...config, settings, unused }, packageVersion(), {
      log,
      store: core.moneyStore,
      parties: side?.parties ?? noParties,
      party: side?.self,
      // The relay answers those who ask: there is one owner of its coins.
      schemes: schemes.map(withoutParty),
      newAsk: () => core.newAsk(),
      attach: client => {
        this.#client = client;
      },
      close: async () => {
        this.#client = undefined;
      },
    });
  }

  /** Each knows its own questions. */
  onAnswer(answer: Answer): void {
    this.#relay().onAnswer(answer);
    this.#client?.onAnswer(answer);
  }

  onRequest(request: RequestId, scheme: number, bytes: Uint8Array): void {
    this.#relay().onRequest(request, scheme, bytes);
  }

  onChain(event: ChainEvent): void {
    this.#relay().onChain(event);
  }
}
