import { connectThrough } from '../../client/socks-connect.ts';
import { download } from '../../scripts/download.ts';
import { labUrl } from '../../scripts/lab-server.ts';
import { splitAddress } from '../../scripts/network-ports.ts';
import { seededSha256 } from '../../scripts/seeded-bytes.ts';

/** Downloads so many bytes through a SOCKS proxy, isolated by `user`, and checks their hash. Returns the count. */
export async function transfer(socks: string, lab: string, bytes: number, user: string): Promise<number> {
  const file = { seed: `interop-${user}`, bytes };
  const [host, port] = splitAddress(lab);
  const socket = await connectThrough({ socks, user, password: user }, host, port);
  const got = await download(socket, labUrl(lab, file), () => {});
  if (got.sha256 !== (await seededSha256(file)))
    throw new Error(`${user}: the bytes are not those that were sent`);
  return got.bytes;
}
