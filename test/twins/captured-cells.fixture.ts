import { toHex, utf8 } from '../../src/base/bytes.ts';
import { cellCommand, relayCommand } from '../../src/cell/commands.ts';
import { startExtend2 } from '../../src/circuit/extend.ts';
import type { CapturedCell, CapturedCells } from './captured.fixture.ts';
import { FalseRelay } from './false-relay.fixture.ts';
import { netinfo, shakeHands, versionsCell } from './handshake-twins.fixture.ts';
import { rightFlight } from './next-hop.fixture.ts';
import { type RawCell, RawLink } from './raw-link.fixture.ts';
import type { Subject } from './verdict.fixture.ts';

/** Records what C tor says when all is as it should be. */

const names = new Map<number, string>(
  Object.entries(cellCommand).map(([name, command]) => [
    command,
    name.replace(/[A-Z]/g, letter => `_${letter}`).toUpperCase(),
  ]),
);

function captured(from: CapturedCell['from'], bytes: Uint8Array, command: number): CapturedCell {
  // Zeros at the end of a fixed cell are its padding.
  const hex = toHex(bytes).replace(/(00)+$/, '');
  return { from, cell: names.get(command) ?? `command ${command}`, hex };
}
const seen = (cell: RawCell) => captured('tor', cell.bytes, cell.command);
const said = (link: RawLink, command: number, payload: Uint8Array) =>
  captured('naulon', link.fixed(command, payload), command);

export async function captureCells({ orPort }: Subject): Promise<Omit<CapturedCells, 'tor' | 'date'>> {
  const link = await RawLink.to(orPort, 5);
  const next = await FalseRelay.start(4);
  try {
    await shakeHands(link);
    const circuit = link.circuit();
    await circuit.create();
    circuit.send(0, relayCommand.beginDir, new Uint8Array(0), 1);
    await circuit.next(relayCommand.connected);
    circuit.send(0, relayCommand.data, utf8('GET /tor/none HTTP/1.0\r\n\r\n'), 1);
    await circuit.next(relayCommand.end);
    const tlsCertificate = toHex(new Uint8Array(link.socket.getPeerX509Certificate()?.raw ?? []));
    const dialled = new Promise<RawLink>(opened => next.onLink(opened));
    circuit.sendEarly(0, relayCommand.extend2, startExtend2(link.entropy, next.target).message);
    const outward = await dialled;
    await outward.cell(cellCommand.versions);
    for (const part of rightFlight(outward, next.holder)) await outward.write(part);
    await outward.cell(cellCommand.create2);
    return {
      tlsCertificate,
      asResponder: [
        captured('naulon', versionsCell(5), cellCommand.versions),
        said(link, cellCommand.netinfo, netinfo),
        ...link.cells.map(seen),
      ],
      asInitiator: outward.cells.map(seen),
    };
  } finally {
    link.destroy();
    next.stop();
  }
}
