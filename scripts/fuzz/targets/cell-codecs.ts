import { decodeCircuitRequest, decodeCircuitResponse } from '../../../src/cell/circuit-extensions.ts';
import { cellCommand, relayCommand } from '../../../src/cell/commands.ts';
import { type CellHandler, cellPayloadBytes, LinkCodec } from '../../../src/cell/link-codec.ts';
import {
  authChallengeMessage,
  authenticateMessage,
  certsMessage,
  decodeCreate2,
  decodeCreated2,
  decodeNetinfo,
  decodeVersions,
} from '../../../src/cell/link-messages.ts';
import { decodeReceipt, FragmentAssembler } from '../../../src/cell/payment-messages.ts';
import { bodyOf, relayCommandOf } from '../../../src/cell/relay-cell.ts';
import {
  decodeBegin,
  decodeConnected,
  decodeEnd,
  decodeExtend2,
  decodeExtended2,
  decodeResolve,
  decodeResolved,
  decodeSendme,
  decodeXoff,
  decodeXon,
} from '../../../src/cell/relay-messages.ts';
import type { FuzzTarget, Tell } from '../fuzz-target.ts';
import { ActionReader } from './action-bytes.ts';
import { bodySamples } from './body-samples.ts';
import { LinkTalk } from './link-talk.ts';

/** What reads the body of a relay cell, by its command. */
const ofRelay: ReadonlyMap<number, (body: Uint8Array) => unknown> = new Map<
  number,
  (body: Uint8Array) => unknown
>([
  [relayCommand.begin, decodeBegin],
  [relayCommand.connected, decodeConnected],
  [relayCommand.end, decodeEnd],
  [relayCommand.extend2, decodeExtend2],
  [relayCommand.extended2, decodeExtended2],
  [relayCommand.resolve, decodeResolve],
  [relayCommand.resolved, decodeResolved],
  [relayCommand.sendme, decodeSendme],
  [relayCommand.xoff, decodeXoff],
  [relayCommand.xon, decodeXon],
  [relayCommand.receipt, decodeReceipt],
  [relayCommand.redeem, body => new FragmentAssembler().add(body)],
  // Parts of ntor-v3 handshakes, which stand in no cell by themselves.
  [relayCommand.extend, decodeCircuitRequest],
  [relayCommand.extended, decodeCircuitResponse],
]);

/** What reads the payload of a cell, by its command. */
const ofLink: ReadonlyMap<number, (payload: Uint8Array) => unknown> = new Map<
  number,
  (payload: Uint8Array) => unknown
>([
  [cellCommand.versions, decodeVersions],
  [cellCommand.certs, payload => certsMessage.decodePadded(payload)],
  [cellCommand.authChallenge, payload => authChallengeMessage.decodePadded(payload)],
  [cellCommand.authenticate, payload => authenticateMessage.decodePadded(payload)],
  [cellCommand.netinfo, decodeNetinfo],
  [cellCommand.create2, payload => decodeCreate2(payload, 0)],
  [cellCommand.created2, payload => decodeCreated2(payload, 0)],
]);

const commands = [...ofLink.keys()];
const relayCommands = [...ofRelay.keys()];
const cellsPerInput = 64;

/** Bytes of a link to cells, and each cell to its message: what no state stands before. */
export const cellCodecs: FuzzTarget = {
  name: 'cell-codecs',
  cases: 9_000_000,
  inputBytesMax: 1_024,
  sources: ['src/cell/', 'src/base/bytes', 'src/base/struct'],
  open: () => ({
    seeds: [...bodySamples.values()].map(body => Uint8Array.of(0, 0, 0, ...body)),
    words: [Uint8Array.of(255, 255), Uint8Array.of(0, 0, 0, 0)],
    take: takeCells,
  }),
};

/** Cells of all commands with the input's bytes in them, cut as TCP might cut them. */
function takeCells(input: Uint8Array, tell: Tell): void {
  const reader = new ActionReader(input);
  const codec = new LinkCodec();
  const idBytes = reader.u8() % 2 === 0 ? 2 : 4;
  codec.useProtocol(idBytes === 2 ? 3 : 4);
  let fault = false;
  const talk = new LinkTalk(bytes => {
    if (!fault) fault = codec.push(bytes, handlerFor(tell)) !== undefined;
  });
  talk.idBytes = idBytes;
  const body = input.subarray(3);
  talk.cut(reader.u8(), reader.u8() * 2);
  const most = talk.isSlow ? 4 : cellsPerInput;
  for (let cell = 0; cell < most && !fault; cell++) {
    const choice = reader.u8();
    const at = choice % 4 === 0 ? reader.u8() % (body.length + 1) : 0;
    const part = body.subarray(at, at + (choice % 8 === 0 ? reader.u16() % 513 : cellPayloadBytes));
    if (choice < 64)
      talk.say(
        talk.any(
          choice,
          choice % 8 === 1 ? reader.u8() : commands[choice % commands.length],
          part.length,
          part,
        ),
      );
    else if (choice === 64) talk.say(talk.any(1, 128 + (reader.u8() >> 1), reader.u16(), part));
    else
      talk.say(
        talk.make(choice, cellCommand.relay, (bytes, from) => {
          bytes.set(part.subarray(0, cellPayloadBytes - 11), from + 11);
          bytes[from] = choice % 8 === 2 ? reader.u8() : relayCommands[choice % relayCommands.length];
          const claims = choice % 16 === 3 ? reader.u16() : Math.min(part.length, cellPayloadBytes - 11);
          bytes[from + 9] = claims >> 8;
          bytes[from + 10] = claims & 0xff;
        }),
      );
  }
  talk.flush();
  tell(fault ? 'too long' : 'end');
}

function handlerFor(tell: Tell): CellHandler {
  const relay = (bytes: Uint8Array, at: number): void => {
    const command = relayCommandOf(bytes, at);
    const body = bodyOf(bytes, at);
    if (body === undefined) tell('relay: bad length');
    else tell(said(`relay ${command}`, ofRelay.get(command)?.(body)));
  };
  return {
    onFixed: (_circuit, command, bytes, at) =>
      tell(said(`fixed ${command}`, ofLink.get(command)?.(bytes.subarray(at, at + cellPayloadBytes)))),
    onRun(_circuit, bytes, at, stride, count) {
      for (; count > 0; count--, at += stride) relay(bytes, at);
    },
    onVariable: (_circuit, command, payload) =>
      tell(said(`variable ${command}`, ofLink.get(command)?.(payload))),
  };
}

/** Whether it was a message. */
function said(what: string, decoded: unknown): string {
  return decoded === undefined ? what : `${what}: read`;
}
