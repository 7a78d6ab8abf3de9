import { createHash, type Hash } from 'node:crypto';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { finished } from 'node:stream/promises';
import { exitCode, OperatorError } from '../src/base/fault.ts';
import { requireOutput, writtenFirst } from '../src/node-io/output-file.ts';
import type { CircuitReport } from './circuit-report.ts';
import { type CommandOutput, grouped, satText } from './command-output.ts';
import { type ControlClient, errorOf, openControl } from './control-client.ts';
import { connectThrough, type StreamTicket } from './socks-connect.ts';

/** How a command's circuit is to be. */
export interface CircuitOptions {
  /** Nicknames or fingerprints, first hop first. */
  readonly path?: readonly string[];
  readonly hops?: number;
  /** Cells that one payment buys. */
  readonly window?: number | 'auto';
  /** Satoshi that the circuit may cost at most. */
  readonly maxSpendSat?: bigint;
}

export interface GetOptions extends CircuitOptions {
  /** The client's control socket. */
  readonly control: string;
  /** Where the body goes; standard output when absent. */
  readonly output?: string;
  readonly signal?: AbortSignal;
}

/** What was fetched, and over what. */
interface Fetched {
  readonly url: string;
  readonly status: number;
  readonly bytes: number;
  readonly seconds: number;
  readonly sha256: string;
  readonly circuit: CircuitReport;
}

/** Opens a circuit of one's own for HOST:PORT, with every priced hop paid. */
export function openPaidCircuit(
  control: ControlClient,
  options: CircuitOptions,
  host: string,
  port: number,
  out: CommandOutput,
): Promise<CircuitReport> {
  const { path, hops, window, maxSpendSat } = options;
  const maxSpendMsat = maxSpendSat === undefined ? undefined : maxSpendSat * 1_000n;
  return control.call<CircuitReport>(
    'open-circuit',
    { path, hops, window, maxSpendMsat, host, port },
    event => {
      if (event.event === 'building')
        out.say(`circuit ${event.circuit}: ${(event.path as string[]).join(' > ')}`);
      if (event.event === 'built') out.say('circuit built, paying its hops');
    },
  );
}

/** `naulon get URL`: one HTTP GET over a paid circuit of its own. */
export async function getCommand(url: string, options: GetOptions, out: CommandOutput): Promise<number> {
  const target = parseUrl(url);
  if (options.output !== undefined) requireOutput(options.output);
  const control = await openControl(options.control);
  const abort = (): void => control.close();
  options.signal?.addEventListener('abort', abort, { once: true });
  try {
    const fetched = await fetchOver(control, target, options, out);
    report(fetched, options, out);
    return fetched.status >= 400 ? exitCode.badAnswer : exitCode.ok;
  } catch (error) {
    if (options.signal?.aborted) return exitCode.interrupted;
    throw error;
  } finally {
    options.signal?.removeEventListener('abort', abort);
    out.redraw('');
    control.close();
  }
}

function parseUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol === 'http:' && url.hostname !== '') return url;
  const why =
    url?.protocol === 'https:'
      ? 'https is not spoken here; use curl --socks5-hostname with the client'
      : 'not an http:// URL';
  throw new OperatorError('URL_UNSUPPORTED', `${text}: ${why}`, exitCode.usage);
}

async function fetchOver(
  control: ControlClient,
  url: URL,
  options: GetOptions,
  out: CommandOutput,
): Promise<Fetched> {
  const port = url.port === '' ? 80 : Number(url.port);
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const { id } = await openPaidCircuit(control, options, host, port, out);
  const closed = (): Promise<CircuitReport> => control.call<CircuitReport>('close-circuit', { circuit: id });
  try {
    const ticket = await control.call<StreamTicket>('connect-stream', { circuit: id });
    const socket = await connectThrough(ticket, host, port);
    const body = await download(control, id, socket, url, options, out);
    return { ...body, url: url.href, circuit: await closed() };
  } catch (error) {
    const report = await closed().catch((why: OperatorError) => {
      // Then it is also why the transfer broke off.
      if (why.code === 'CLIENT_GONE') throw why;
      return undefined;
    });
    throw circuitError(report) ?? error;
  }
}

/** What a transfer broke off for, when its circuit ended by itself. */
export function circuitError(report: CircuitReport | undefined): OperatorError | undefined {
  const fault = report?.fault;
  return fault === undefined || fault.code === 'CIRCUIT_CLOSED' ? undefined : errorOf(fault);
}

async function download(
  control: ControlClient,
  circuit: number,
  socket: Socket,
  url: URL,
  options: GetOptions,
  out: CommandOutput,
): Promise<Omit<Fetched, 'url' | 'circuit'>> {
  const start = performance.now();
  const abort = (): void => {
    socket.destroy(new Error('interrupted'));
  };
  options.signal?.addEventListener('abort', abort, { once: true });
  const { output } = options;
  const written = output === undefined ? undefined : writtenFirst(output);
  const progress = new Progress(control, circuit, out, start);
  try {
    const response = await requestOver(socket, url);
    const sink = written === undefined ? process.stdout : createWriteStream(written);
    // A disk that is full ends the transfer, too.
    sink.on('error', error => response.destroy(error));
    const hash = createHash('sha256');
    const bytes = await pour(response, sink, hash, progress);
    if (written !== undefined && output !== undefined) {
      sink.end();
      await finished(sink);
      if (written !== output) await rename(written, output);
    }
    const seconds = (performance.now() - start) / 1_000;
    return { status: response.statusCode ?? 0, bytes, seconds, sha256: hash.digest('hex') };
  } catch (error) {
    if (written !== undefined && written !== output) await rm(written, { force: true });
    if (error instanceof OperatorError) throw error;
    const what = error instanceof Error ? error.message : String(error);
    throw new OperatorError('GET_FAILED', `${url.href}: ${what}`, exitCode.badAnswer);
  } finally {
    options.signal?.removeEventListener('abort', abort);
    progress.stop();
    socket.destroy();
  }
}

function requestOver(socket: Socket, url: URL): Promise<IncomingMessage> {
  return new Promise((answered, failed) => {
    const headers = { 'User-Agent': 'naulon', Accept: '*/*', Connection: 'close' };
    const request = httpRequest(url, { createConnection: () => socket, headers });
    request.on('response', answered).on('error', failed).end();
  });
}

/** The body to `sink`, no faster than it takes it. Returns its length; less than announced is an error. */
async function pour(
  response: IncomingMessage,
  sink: NodeJS.WritableStream,
  hash: Hash,
  progress: Progress,
): Promise<number> {
  let bytes = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      hash.update(chunk);
      bytes += chunk.length;
      progress.bytes = bytes;
      if (!sink.write(chunk)) await once(sink, 'drain');
    }
  } catch (error) {
    // Cut off by the far end: how far it came is said below.
    if ((error as NodeJS.ErrnoException).code !== 'ECONNRESET') throw error;
  }
  const announced = response.headers['content-length'];
  if (!response.complete || (announced !== undefined && Number(announced) !== bytes)) {
    throw new Error(`ended after ${bytes} of ${announced ?? 'more'} bytes`);
  }
  return bytes;
}

/** The line that tells bytes, rate, balance per hop and payments while a transfer runs. */
class Progress {
  bytes = 0;
  readonly #timer: NodeJS.Timeout | undefined;

  constructor(control: ControlClient, circuit: number, out: CommandOutput, start: number) {
    if (!out.live) return;
    this.#timer = setInterval(() => {
      control.call<CircuitReport>('circuit', { circuit }).then(
        report => out.redraw(progressLine(this.bytes, performance.now() - start, report)),
        () => {},
      );
    }, 250);
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}

export function progressLine(bytes: number, elapsedMs: number, circuit: CircuitReport): string {
  const rate = elapsedMs > 0 ? bytes / elapsedMs / 1_000 : 0;
  const hops = circuit.hops.map(hop =>
    BigInt(hop.priceMsat) === 0n
      ? `${hop.relay} free`
      : `${hop.relay} ${grouped(hop.balance)} cells, ${hop.payments} paid`,
  );
  return `${(bytes / 1e6).toFixed(1)} MB  ${rate.toFixed(2)} MB/s  |  ${hops.join('  |  ')}`;
}

function report(fetched: Fetched, options: GetOptions, out: CommandOutput): void {
  const { bytes, seconds, circuit, status } = fetched;
  const paidMsat = circuit.hops.reduce((sum, hop) => sum + BigInt(hop.paidMsat), 0n);
  const payments = circuit.hops.reduce((sum, hop) => sum + hop.payments, 0);
  const megabytesPerSecond = bytes / 1e6 / Math.max(seconds, 1e-6);
  const told = { ...fetched, megabytesPerSecond, paidMsat: String(paidMsat), payments };
  out.object(told, options.output === undefined);
  const path = circuit.hops.map(hop => hop.relay).join(' > ');
  out.say(
    `${status}: ${grouped(bytes)} bytes in ${seconds.toFixed(2)} s (${megabytesPerSecond.toFixed(2)} MB/s) over ${path}, ` +
      `${satText(paidMsat)} sat in ${payments} payments`,
  );
}
