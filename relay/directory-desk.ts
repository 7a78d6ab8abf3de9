import { DirectoryCache } from '../src/directory/directory-cache.ts';
import type { DirectoryClient } from '../src/directory/directory-client.ts';
import type { PartyDesk } from '../src/payment/party-desk.ts';
import type { Answer, AskId, Clock, PartyPort } from '../src/ports.ts';
import type { DirectoryService } from '../src/stream/directory-stream.ts';
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
  readonly #service: AskForwarder;

  /** @param desk knows who else is asked. */
  constructor(
    host: DirectoryDeskHost,
    desk: PartyDesk,
    { clock, parties }: { readonly clock: Clock; readonly parties: PartyPort },
  ) {
    this.#ration = new DirectoryRation(clock);
    this.#service = new AskForwarder({
      parties,
      newAsk: () => host.newAsk(),
      broker: host.settings.broker,
      knows: (at, done) => desk.knows(at, done),
      documents: new DirectoryCache(host.directoryClient, clock),
    });
  }

  /** Undefined: that address has had its share. Questions are not of it: middles bring those of many clients. */
  serve(address: string): DirectoryService | undefined {
    if (!this.#ration.take(address)) return undefined;
    return {
      respond: request => this.#service.respond(request),
      defer: (request, later) => {
        const deferred = this.#service.defer(request, later);
        if (deferred) this.#ration.giveBack(address);
        return deferred;
      },
    };
  }

  /** True when the answer was for a question that was passed on. */
  onAnswer(answer: Answer): boolean {
    return this.#service.onAnswer(answer);
  }
}
