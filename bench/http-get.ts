import { once } from 'node:events';
import { connect } from 'node:net';
import { splitAddress } from '../scripts/network-ports.ts';

/** What a directory at HOST:PORT answers, its status not looked at. */
export async function httpGet(at: string, path: string): Promise<string> {
  const [host, port] = splitAddress(at);
  const socket = connect(port, host);
  socket.write(`GET ${path} HTTP/1.0\r\n\r\n`);
  let text = '';
  socket.setEncoding('latin1').on('data', chunk => {
    text += chunk;
  });
  await once(socket, 'end');
  socket.destroy();
  return text.slice(text.indexOf('\r\n\r\n') + 4);
}
