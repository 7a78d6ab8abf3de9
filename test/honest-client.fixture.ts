import { connectThrough } from '../client/socks-connect.ts';
import { download } from '../scripts/download.ts';
import { labUrl } from '../scripts/lab-server.ts';
import { splitAddress } from '../scripts/network-ports.ts';
import { seededSha256 } from '../scripts/seeded-bytes.ts';
import type { LabNetwork } from './lab-network.fixture.ts';

let users = 0;

/** The lab's own client builds a circuit over these relays, pays, and fetches a file: true if it came whole. */
export async function servesHonestClient(lab: LabNetwork, path: readonly string[]): Promise<boolean> {
  users += 1;
  const user = `honest-${users}`;
  const circuit = await lab.control.openCircuit(path, user);
  const [host, port] = splitAddress(lab.state.lab);
  const socket = await connectThrough({ socks: lab.state.socks, user, password: user }, host, port);
  const file = { seed: user, bytes: 100_000 };
  const { sha256 } = await download(socket, labUrl(lab.state.lab, file), () => {});
  await lab.control.closeCircuit(circuit.id);
  return sha256 === (await seededSha256(file));
}
