import { quoteWire } from '../../src/control/control-text.ts';
import type { ClientCore } from '../client-core.ts';

/** How far a client is, in C tor's numbers and words. spec: control-spec 5.6 */
export interface Bootstrap {
  /** Of 100. */
  readonly progress: number;
  readonly tag: string;
  readonly summary: string;
}

const phases = {
  connecting: { progress: 5, tag: 'conn', summary: 'Connecting to a relay' },
  connected: { progress: 15, tag: 'handshake_done', summary: 'Handshake with a relay done' },
  documents: { progress: 50, tag: 'loading_descriptors', summary: 'Loading relay descriptors' },
  enough: {
    progress: 75,
    tag: 'enough_dirinfo',
    summary: 'Loaded enough directory info to build circuits',
  },
  done: { progress: 100, tag: 'done', summary: 'Done' },
} as const satisfies Record<string, Bootstrap>;

export function bootstrapOf(core: ClientCore): Bootstrap {
  if (core.ready) return phases.done;
  if (core.planner.view !== undefined) return phases.enough;
  if (core.directory.progress.consensus) return phases.documents;
  return [...core.links.links].some(({ ready }) => ready) ? phases.connected : phases.connecting;
}

export function bootstrapWords({ progress, tag, summary }: Bootstrap): string {
  return `BOOTSTRAP PROGRESS=${progress} TAG=${tag} SUMMARY=${quoteWire(summary)}`;
}
