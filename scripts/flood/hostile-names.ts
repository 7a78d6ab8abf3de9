import { createSocket } from 'node:dgram';

/** Where a name may lead that an exit lets pass, and where it may not. */
const allowed = [127, 0, 0, 1];
const inside = [127, 0, 0, 2];
const mapped = [...Array<number>(10).fill(0), 255, 255, ...inside];
const loopback6 = [...Array<number>(15).fill(0), 1];
const typeA = 1;
const typeAaaa = 28;
const headerBytes = 12;

/** A name server that leads names now here, now there. */
export interface HostileNames {
  /** IP:PORT, as resolv.conf has it. */
  readonly at: string;
  /** Questions so far. */
  readonly questions: number;
  stop(): void;
}

/** Kinds of names, each the last label but one; what stands before it makes a name new. */
export const hostileKinds = ['turns', 'both', 'later', 'inside', 'mapped'] as const;

export async function startHostileNames(): Promise<HostileNames> {
  const asked = new Map<string, number>();
  let questions = 0;
  const socket = createSocket('udp4');
  socket.on('message', (question, from) => {
    questions += 1;
    const { name, type, end } = questionIn(question);
    const key = `${name} ${type}`;
    const time = asked.get(key) ?? 0;
    asked.set(key, time + 1);
    const found = type === typeA || type === typeAaaa ? addressesOf(name, type, time) : [];
    socket.send(answerTo(question.subarray(0, end), type, found), from.port, from.address);
  });
  await new Promise<void>(bound => socket.bind(0, '127.0.0.1', bound));
  return {
    at: `127.0.0.1:${socket.address().port}`,
    get questions() {
      return questions;
    },
    stop: () => socket.close(),
  };
}

/** @param time how often it was asked before. */
function addressesOf(name: string, type: number, time: number): readonly (readonly number[])[] {
  const kind = name.split('.').at(-2);
  if (type === typeAaaa) return kind === 'mapped' ? [mapped] : kind === 'inside' ? [loopback6] : [];
  if (kind === 'turns') return [time % 2 === 0 ? allowed : inside];
  if (kind === 'both') return time % 2 === 0 ? [allowed, inside] : [inside, allowed];
  if (kind === 'later') return [time === 0 ? allowed : inside];
  return kind === 'inside' ? [inside] : [];
}

function questionIn(question: Buffer): { name: string; type: number; end: number } {
  let at = headerBytes;
  const labels: string[] = [];
  for (; at < question.length && question[at] !== 0; at += question[at] + 1)
    labels.push(question.toString('latin1', at + 1, at + 1 + question[at]));
  return { name: labels.join('.').toLowerCase(), type: question.readUInt16BE(at + 1), end: at + 5 };
}

/** Nobody is to keep the answer: its time to live is 0. spec: RFC 1035, 4.1 */
function answerTo(question: Buffer, type: number, addresses: readonly (readonly number[])[]): Buffer {
  const head = Buffer.from(question);
  head.writeUInt16BE(0x8180, 2);
  head.writeUInt16BE(addresses.length, 6);
  head.fill(0, 8, headerBytes);
  const records = addresses.map(address =>
    Buffer.from([0xc0, headerBytes, 0, type, 0, 1, 0, 0, 0, 0, 0, address.length, ...address]),
  );
  return Buffer.concat([head, ...records]);
}
