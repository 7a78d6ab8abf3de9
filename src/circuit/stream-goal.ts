import { relayCommand } from '../cell/commands.ts';
import { encodeBegin, encodeResolve } from '../cell/relay-messages.ts';

/** What a stream is opened to. */
export type StreamGoal =
  | {
      readonly kind: 'connect';
      /** A name, or an IP literal without brackets. */
      readonly host: string;
      readonly port: number;
      /** Of BEGIN; 0 when absent. */
      readonly flags?: number;
    }
  | { readonly kind: 'directory' }
  | { readonly kind: 'resolve'; readonly name: string };

/** True for the command of a cell that opens a stream. */
export function opensStream(command: number): boolean {
  return (
    command === relayCommand.begin || command === relayCommand.beginDir || command === relayCommand.resolve
  );
}

/** The cell that opens such a stream. spec: tor-spec/opening-streams, tor-spec/remote-hostname-lookup */
export function openingCell(goal: StreamGoal): { readonly command: number; readonly body: Uint8Array } {
  switch (goal.kind) {
    case 'connect': {
      const { host, port, flags = 0 } = goal;
      return { command: relayCommand.begin, body: encodeBegin({ host, port, flags }) };
    }
    case 'directory':
      return { command: relayCommand.beginDir, body: new Uint8Array(0) };
    case 'resolve':
      return { command: relayCommand.resolve, body: encodeResolve(goal.name) };
  }
}
