import { cellCommand } from '../../../src/cell/commands.ts';
import { cellPayloadBytes, encodeFixed, fixedCellBytes } from '../../../src/cell/link-codec.ts';
import { Assailant, hostileAddresses } from '../assailant.ts';
import { type Aim, type AttackReport, steadily } from '../attack.ts';

/** A little more than is asked for, since a tick may come late. */
const cellsPerSecond = 1_050_000;
const addresses = 4;
/** Cells of one write. */
const writeCells = 120;
/** Of link protocol 3. */
const idBytes = 2;
/** An id that no circuit has. */
const noCircuit = 0x8001;

/** PADDING, VPADDING and RELAY cells of no circuit, as fast as the relay takes them. */
export async function idleCells(aim: Aim, stop: AbortSignal, begun: () => void): Promise<AttackReport> {
  const blocks = [cellCommand.padding, cellCommand.vpadding, cellCommand.relay].map(blockOf);
  const assailants = hostileAddresses(addresses).map(from => new Assailant(from));
  const links = await Promise.all(
    assailants.map(async one => ({ one, links: await one.openAll(aim.guard, 1) })),
  );
  let [sent, turn] = [0, 0];
  begun();
  const began = performance.now();
  const offered = await steadily((cellsPerSecond * aim.scale) / writeCells, stop, () => {
    for (let tries = 0; tries < links.length; tries++) {
      const { one, links: own } = links[turn++ % links.length];
      if (own.length === 0 || !one.write(own[0], blocks[turn % blocks.length])) continue;
      sent += writeCells;
      return true;
    }
    return false;
  });
  const offeredPerSecond = (offered * writeCells * 1_000) / (performance.now() - began);
  const lost = assailants.reduce((sum, one) => sum + one.lost, 0);
  await Promise.all(assailants.map(one => one.stop()));
  return { offeredPerSecond, sent, lost };
}

function blockOf(command: number): Uint8Array {
  const bytes = fixedCellBytes(idBytes);
  const block = new Uint8Array(bytes * writeCells);
  const payload = new Uint8Array(cellPayloadBytes);
  const circuit = command === cellCommand.relay ? noCircuit : 0;
  for (let at = 0; at < block.length; at += bytes) {
    encodeFixed(block, at, idBytes, circuit, command, payload, 0);
    // A cell of variable length says how long it is: as long as the others.
    if (command === cellCommand.vpadding) block.set([(bytes - 5) >> 8, (bytes - 5) & 0xff], at + 3);
  }
  return block;
}
