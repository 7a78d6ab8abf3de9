import { assert } from '../base/assert.ts';
import { wireBytes } from './control-text.ts';

/** One line of a reply or event, with the lines of data that follow it. */
export interface ReplyLine {
  readonly code: number;
  readonly text: string;
  /** Sent as it is, its lines ended by `\n`; an empty text is no line. Never of the last line. */
  readonly data?: string;
}

/** What answers one command, or tells an event. */
export type Reply = readonly [ReplyLine, ...ReplyLine[]];

/** Status codes. spec: control-spec 4 */
export const replyCode = {
  ok: 250,
  resourceExhausted: 451,
  unrecognizedCommand: 510,
  unimplementedCommand: 511,
  badArgument: 512,
  unrecognizedArgument: 513,
  authenticationRequired: 514,
  badAuthentication: 515,
  internal: 551,
  unrecognizedEntity: 552,
  badConfiguration: 553,
  unmanaged: 555,
  event: 650,
} as const;

export const replyOk: Reply = [{ code: replyCode.ok, text: 'OK' }];

/** A reply of one line. */
export function replyLine(code: number, text: string): Reply {
  return [{ code, text }];
}

/** spec: control-spec 2.3 */
export function encodeReply(reply: Reply): Uint8Array {
  let text = '';
  for (const [index, line] of reply.entries()) {
    const last = index === reply.length - 1;
    assert(!last || line.data === undefined, 'data is followed by another line');
    const separator = line.data !== undefined ? '+' : last ? ' ' : '-';
    text += `${line.code}${separator}${line.text.replace(/[\r\n]+/g, ' ')}\r\n`;
    if (line.data !== undefined) text += encodeData(line.data);
  }
  return wireBytes(text);
}

function encodeData(data: string): string {
  const whole = data.endsWith('\n') || data === '' ? data : `${data}\n`;
  return `${whole.replace(/\r?\n/g, '\r\n').replace(/^\./gm, '..')}.\r\n`;
}
