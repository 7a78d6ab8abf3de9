import { connect, type Socket } from 'node:net';
import { concatBytes, utf8 } from '../src/base/bytes.ts';
import { exitCode, OperatorError } from '../src/base/fault.ts';
import { formatIp, parseIp } from '../src/base/ip.ts';
import { socksReply } from '../src/socks/socks5.ts';

/** What a command got from connect-stream. */
export interface StreamTicket {
  /** HOST:PORT of the client's SOCKS listener. */
  readonly socks: string;
  readonly user: string;
  readonly password: string;
}

const replyTexts: Readonly<Record<number, string>> = {
  [socksReply.generalFailure]: 'the circuit failed',
  [socksReply.notAllowed]: "the exit's policy does not allow it",
  [socksReply.hostUnreachable]: 'the exit cannot find or reach the host',
  [socksReply.connectionRefused]: 'the host refused the connection',
  [socksReply.ttlExpired]: 'the host did not answer in time',
};

/** A TCP connection to HOST:PORT through the circuit that the ticket stands for; paused, nothing read of it yet. */
export async function connectThrough(ticket: StreamTicket, host: string, port: number): Promise<Socket> {
  const colon = ticket.socks.lastIndexOf(':');
  const socket = connect({
    host: ticket.socks.slice(0, colon),
    port: Number(ticket.socks.slice(colon + 1)),
    allowHalfOpen: true,
  });
  try {
    const take = takerOf(socket);
    const sized = (text: string): Uint8Array => concatBytes(Uint8Array.of(utf8(text).length), utf8(text));
    socket.write(Uint8Array.of(5, 1, 2));
    if ((await take(2))[1] !== 2) throw new Error('not the SOCKS port of a naulon client');
    socket.write(concatBytes(Uint8Array.of(1), sized(ticket.user), sized(ticket.password)));
    await take(2);
    socket.write(concatBytes(Uint8Array.of(5, 1, 0), addressOf(host), Uint8Array.of(port >> 8, port & 255)));
    const [, reply] = await take(10);
    if (reply !== socksReply.succeeded) throw new Error(replyTexts[reply] ?? `SOCKS reply ${reply}`);
    return socket;
  } catch (error) {
    socket.destroy();
    const what = error instanceof Error ? error.message : String(error);
    throw new OperatorError('STREAM_REFUSED', `${host}:${port}: ${what}`, exitCode.badAnswer);
  }
}

function addressOf(host: string): Uint8Array {
  const ip = parseIp(host);
  if (ip !== undefined)
    return concatBytes(Uint8Array.of(ip.length === 4 ? 1 : 4), parseIp(formatIp(ip)) ?? ip);
  const name = utf8(host);
  return concatBytes(Uint8Array.of(3, name.length), name);
}

/** Takes exact lengths; what comes behind them stays in the socket. */
function takerOf(socket: Socket): (length: number) => Promise<Uint8Array> {
  return length =>
    new Promise((taken, failed) => {
      const attempt = (): void => {
        const bytes: Buffer | null = socket.read(length);
        if (bytes === null) return;
        done();
        taken(bytes);
      };
      const fail = (error?: Error): void => {
        done();
        failed(error ?? new Error('the client closed the connection'));
      };
      const onEnd = (): void => fail();
      const done = (): void => {
        socket.off('readable', attempt).off('error', fail).off('end', onEnd);
      };
      socket.on('readable', attempt).on('error', fail).on('end', onEnd);
      attempt();
    });
}
