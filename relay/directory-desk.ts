import type { HeldBytes } from '../src/circuit/held-bytes.ts';
import { DirectoryCache } from '../src/directory/directory-cache.ts';
import type { DirectoryClient } from '../src/directory/directory-client.ts';
import { DirectoryExchange } from '../src/directory/directory-exchange.ts';
import type { PartyDesk } from '../src/payment/party-desk.ts';
import type { Answer, AskId, Clock, PartyPort } from '../src/ports.ts';
import type { DirectoryAsker, DirectoryRequest, DirectoryService } from '../src/stream/directory-stream.ts';
import { AskForwarder } from './ask-forwarder.ts';
import { DirectoryRation } from './directory-ration.ts';
import type { RelaySettings } from './relay-settings.ts';

/** What a desk asks of its relay. */
export interface DirectoryDeskHost {
  readonly directoryClient: DirectoryClient;
  readonly settings: Pick<RelaySettings, 'broker'>;
  newAsk(): AskId;
}

/** What a relay serves over directory streams: documents, and questions that it passes on. */
export class DirectoryDesk {
  readonly #ration: DirectoryRation;
  readonly #asks: AskForwarder;
  readonly #documents: DirectoryCache;
  readonly #clock: Clock;
  readonly #held: HeldBytes;

  /**
   * @param desk knows who else is asked.
   * @param held counts what waits here for clients.
   */
  constructor(
    host: DirectoryDeskHost,
    desk: PartyDesk,
    held: HeldBytes,
    { clock, parties }: { readonly clock: Clock; readonly parties: PartyPort },
  ) {
    this.#ration = new DirectoryRation(clock);
    this.#clock = clock;
    this.#held = held;
    this.#documents = new DirectoryCache(host.directoryClient, clock);
    this.#asks = new AskForwarder({
      parties,
      newAsk: () => host.newAsk(),
      broker: host.settings.broker,
      knows: (at, done) => desk.knows(at, done),
    });
  }

  /** Undefined: that address has had its share. Questions are not of it: middles bring those of many clients. */
  serve(address: string): DirectoryService | undefined {
    if (!this.#ration.take(address)) return undefined;
    return { begin: asker => this.#begin(asker, address) };
  }

  #begin(asker: DirectoryAsker, address: string): DirectoryRequest {
    const exchange: DirectoryExchange = new DirectoryExchange({
      asker,
      clock: this.#clock,
      onHeld: bytes => this.#held.holds(asker, bytes),
      onRequest: request => {
        if (request.ok && this.#asks.defer(request.value, answer => exchange.answer(answer)))
          this.#ration.giveBack(address);
        else exchange.answer(this.#documents.encoded(request));
      },
    });
    return exchange;
  }

  /** True when the answer was for a question that was passed on. */
  onAnswer(answer: Answer): boolean {
    return this.#asks.onAnswer(answer);
  }
}
