import { connect } from 'node:net';
import { utf8 } from '../../../src/base/bytes.ts';
import { splitDescriptors } from '../../../src/directory/descriptor.ts';
import { documentBytes, documentText } from '../../../src/directory/document-lines.ts';
import { encodeRequest } from '../../../src/directory/http-codec.ts';
import { Dice } from '../../fuzz/dice.ts';
import { mutate } from '../../fuzz/mutate.ts';
import { sourceWords } from '../../fuzz/source-words.ts';
import { splitAddress } from '../../network-ports.ts';
import { hostileAddresses } from '../assailant.ts';
import { type Aim, type AttackReport, scaled } from '../attack.ts';

const documentsMax = 100_000;
const addresses = 50;
const bytesMax = 20_000;
const descriptorsMax = 100;
const answerMsMax = 5_000;
/** Every so many the request itself is changed too. */
const requestsShare = 8;

/** Descriptors of the network's own relays, changed in every way, as uploads to the authority; requests too. */
export async function hostileDocuments(
  aim: Aim,
  stop: AbortSignal,
  begun: () => void,
): Promise<AttackReport> {
  const wanted = scaled(documentsMax, aim);
  const from = hostileAddresses(addresses);
  const dice = new Dice('flood');
  const known = await descriptorsOf(aim, from[0]);
  const words = sourceWords(['src/directory/descriptor', 'src/directory/document-lines']);
  const pool = known.map(documentBytes);
  let [sent, answered, refused] = [0, 0, 0];
  const uploader = async (address: string): Promise<void> => {
    while (sent < wanted && !stop.aborted) {
      const body = mutate(dice, { pool, words, bytesMax });
      const upload = encodeRequest('POST', '/tor/', 'authority', { body });
      const whole = dice.oneIn(requestsShare) ? mutate(dice, { pool: [upload], words, bytesMax }) : upload;
      sent += 1;
      const { status } = await ask(aim, address, whole);
      if (status !== undefined) answered += 1;
      if (status !== undefined && status >= 400) refused += 1;
    }
  };
  begun();
  await Promise.all(from.map(uploader));
  const after = await descriptorsOf(aim, from[0]);
  const forged = after.filter(each => !known.includes(each)).length;
  return { sent, answered, refused, known: known.length, left: after.length, forged };
}

async function descriptorsOf(aim: Aim, from: string): Promise<readonly string[]> {
  const { body } = await ask(aim, from, utf8('GET /tor/server/all HTTP/1.0\r\n\r\n'));
  return splitDescriptors(documentText(body), descriptorsMax);
}

interface Heard {
  /** Undefined: the connection ended without an answer. */
  readonly status: number | undefined;
  readonly body: Uint8Array;
}

function ask({ directory }: Aim, localAddress: string, request: Uint8Array): Promise<Heard> {
  const [host, port] = splitAddress(directory);
  return new Promise(done => {
    const parts: Buffer[] = [];
    const socket = connect({ host, port, localAddress });
    socket.setTimeout(answerMsMax, () => socket.destroy());
    socket.on('data', part => parts.push(part));
    socket.on('error', () => {});
    socket.on('close', () => {
      const all = Buffer.concat(parts);
      const status = /^HTTP\/1\.[01] (\d{3})/.exec(all.toString('latin1', 0, 32))?.[1];
      const body = all.subarray(all.indexOf('\r\n\r\n') + 4);
      done({ status: status === undefined ? undefined : Number(status), body });
    });
    socket.end(request);
  });
}
