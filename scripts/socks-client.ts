import { connect, isIPv4, type Socket } from 'node:net';
import { OperatorError } from '../src/base/fault.ts';

/** Whom to reach through which proxy. User and password choose a circuit of their own: the proxy isolates by them. */
export interface SocksTarget {
  readonly proxy: string;
  readonly host: string;
  readonly port: number;
  readonly user?: string;
  readonly password?: string;
}

// The replies of RFC 1928, section 6.
const replies = [
  'granted',
  'general failure',
  'not allowed by the exit',
  'network unreachable',
  'host unreachable',
  'refused by the target',
  'timed out',
  'command not supported',
  'address type not supported',
];

/** Connects to a host through a SOCKS5 proxy; the name is resolved at the far end. spec: RFC 1928, RFC 1929 */
export async function connectThrough(target: SocksTarget, signal?: AbortSignal): Promise<Socket> {
  const [proxyHost, proxyPort] = splitAddress(target.proxy);
  const socket = connect({ host: proxyHost, port: proxyPort, signal });
  const read = reader(socket);
  try {
    const named = target.user !== undefined;
    socket.write(Uint8Array.of(5, 1, named ? 2 : 0));
    const [, method] = await read(2);
    if (method !== (named ? 2 : 0)) throw new Error('the proxy accepts none of our ways to sign in');
    if (named) {
      socket.write(
        Buffer.concat([Uint8Array.of(1), counted(target.user ?? ''), counted(target.password ?? '-')]),
      );
      const [, verdict] = await read(2);
      if (verdict !== 0) throw new Error('the proxy refuses user and password');
    }
    socket.write(connectRequest(target));
    const [, reply, , kind] = await read(4);
    if (reply !== 0) throw new Error(replies[reply] ?? `code ${reply}`);
    await read((kind === 1 ? 4 : kind === 4 ? 16 : (await read(1))[0]) + 2);
    read.release();
    return socket;
  } catch (error) {
    socket.destroy();
    if (signal?.aborted) throw error;
    const what = error instanceof Error ? error.message : String(error);
    throw new OperatorError('SOCKS', `${target.host}:${target.port} through ${target.proxy}: ${what}`, 4);
  }
}

function connectRequest({ host, port }: SocksTarget): Buffer {
  const address = isIPv4(host)
    ? Uint8Array.of(1, ...host.split('.').map(Number))
    : Buffer.concat([Uint8Array.of(3), counted(host)]);
  return Buffer.concat([Uint8Array.of(5, 1, 0), address, Uint8Array.of(port >> 8, port & 255)]);
}

function counted(text: string): Buffer {
  const bytes = Buffer.from(text, 'utf8');
  return Buffer.concat([Uint8Array.of(bytes.length), bytes]);
}

export function splitAddress(address: string): [host: string, port: number] {
  const colon = address.lastIndexOf(':');
  return [address.slice(0, colon), Number(address.slice(colon + 1))];
}

interface Reader {
  (length: number): Promise<Uint8Array>;
  /** Gives what was read too much back to the socket, which from now on is its owner's. */
  release(): void;
}

/** Reads exact lengths from a socket, while it has no other reader. */
function reader(socket: Socket): Reader {
  let held: Buffer = Buffer.alloc(0);
  let wake = () => {};
  let fault: Error | undefined;
  const onData = (chunk: Buffer) => {
    held = Buffer.concat([held, chunk]);
    wake();
  };
  const onError = (error: Error) => {
    fault = error;
    wake();
  };
  const onEnd = () => onError(new Error('the proxy closed the connection'));
  socket.on('data', onData).on('error', onError).on('end', onEnd);
  const read = async (length: number) => {
    while (held.length < length) {
      if (fault !== undefined) throw fault;
      await new Promise<void>(more => {
        wake = more;
      });
    }
    const taken = held.subarray(0, length);
    held = held.subarray(length);
    return taken;
  };
  return Object.assign(read, {
    release: () => {
      socket.pause();
      socket.off('data', onData).off('error', onError).off('end', onEnd);
      if (held.length > 0) socket.unshift(held);
    },
  });
}
