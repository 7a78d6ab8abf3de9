import { connect } from 'node:net';
import { type Aim, type AttackReport, scaled } from '../attack.ts';

const triesMax = 10_000;
const atOnce = 50;
const answerMsMax = 5_000;

const methods = ['GET', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'HEAD', 'CONNECT', 'PATCH', 'get', 'TRACE'];
const commands = [
  'SIGNAL SHUTDOWN',
  'SIGNAL NEWNYM',
  'GETINFO version',
  'SETCONF SocksPort=0',
  'EXTENDCIRCUIT 0',
  'CLOSECIRCUIT 1',
  'SETEVENTS CIRC',
  'MAPADDRESS 1.2.3.4=5.6.7.8',
  'TAKEOWNERSHIP',
  'DROPGUARDS',
];
const logins = ['AUTHENTICATE', 'AUTHENTICATE ""', `AUTHENTICATE ${'00'.repeat(32)}`, 'authenticate "a"', ''];

/** What a page in a browser could make it send, and what a program without the cookie would: how many commands were heard. */
export async function httpToControl(aim: Aim, stop: AbortSignal, begun: () => void): Promise<AttackReport> {
  const wanted = scaled(triesMax, aim);
  let [tries, heard, answered] = [0, 0, 0];
  const worker = async (): Promise<void> => {
    while (tries < wanted && !stop.aborted) {
      const answer = await ask(aim, attemptOf(tries++));
      if (answer !== '') answered += 1;
      if (/^250[ -+]/m.test(answer)) heard += 1;
    }
  };
  begun();
  await Promise.all(Array.from({ length: atOnce }, worker));
  return { tries, answered, heard };
}

function attemptOf(at: number): string {
  const command = commands[at % commands.length];
  const login = logins[Math.floor(at / commands.length) % logins.length];
  const lines = [login, command].filter(Boolean).join('\r\n');
  const method = methods[Math.floor(at / 50) % methods.length];
  switch (at % 4) {
    case 0:
      return `${method} /${command.replaceAll(' ', '%20')} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n${lines}\r\n`;
    case 1:
      return `${method} / HTTP/1.0\r\nContent-Type: text/plain\r\nContent-Length: ${lines.length}\r\n\r\n${lines}\r\n`;
    case 2:
      return `${lines}\r\n`;
    default:
      return `\r\n${command}\r\n${lines}\r\n`;
  }
}

function ask({ control }: Aim, text: string): Promise<string> {
  return new Promise(done => {
    let answer = '';
    const socket = connect(control.port, control.host);
    socket.setTimeout(answerMsMax, () => socket.destroy());
    socket.on('data', chunk => {
      answer += chunk.toString('latin1');
    });
    socket.on('error', () => {});
    socket.on('close', () => done(answer));
    socket.end(text);
  });
}
