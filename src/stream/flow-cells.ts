import type { Fault } from '../base/fault.ts';
import { relayCommand } from '../cell/commands.ts';
import { decodeXoff, decodeXon, encodeXoff, encodeXon } from '../cell/relay-messages.ts';
import type { StreamSender, StreamSignal } from '../flow/flow-control.ts';

/** A cell of a stream that is no more than a command and a body. */
export interface ControlCell {
  readonly command: number;
  readonly body: Uint8Array;
}

/** A SENDME, XOFF or XON came for the sending side. A fault ends the circuit. */
export function onFlowCell(sender: StreamSender, command: number, body: Uint8Array): Fault | undefined {
  if (command === relayCommand.sendme) return sender.onSendme();
  if (command === relayCommand.xoff) return decodeXoff(body) ? sender.onXoff() : malformed;
  const rate = decodeXon(body);
  // Thousands of bytes a second are bytes a millisecond.
  return rate === undefined ? malformed : sender.onXon(rate);
}

const malformed: Fault = { code: 'XON_MALFORMED' };

/** What tells the far end of it. */
export function signalCell(signal: StreamSignal): ControlCell {
  if (signal.kind === 'xoff') return { command: relayCommand.xoff, body: encodeXoff() };
  return { command: relayCommand.xon, body: encodeXon(signal.rate) };
}
