import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BrokenInvariant } from '../src/base/assert.ts';
import { equalBytes, toHex } from '../src/base/bytes.ts';
import { exitCode, OperatorError } from '../src/base/fault.ts';
import { wrongAnswers } from '../src/crypto/known-answers.ts';
import { formatDirAuthority } from '../src/directory/directory-authority.ts';
import { makeTlsCertificate } from '../src/link/link-certificates.ts';
import { openDataDirectory, readSecretFile, writeSecretFile } from '../src/node-io/data-directory.ts';
import { FileStore } from '../src/node-io/file-store.ts';
import { listening } from '../src/node-io/server-socket.ts';
import { SystemClock } from '../src/node-io/system-clock.ts';
import { SystemEntropy } from '../src/node-io/system-entropy.ts';
import { TcpStreams } from '../src/node-io/tcp-streams.ts';
import { TlsLinks } from '../src/node-io/tls-links.ts';
import type { LinkHandler, Observer, StreamHandler } from '../src/ports.ts';
import { AuthorityCore } from './authority-core.ts';
import {
  type AuthorityKeys,
  decodeAuthorityKeys,
  encodeAuthorityKeys,
  generateAuthorityKeys,
} from './authority-keys.ts';
import type { AuthorityConfig } from './config.ts';

/** An authority that serves. */
export interface RunningAuthority {
  readonly core: AuthorityCore;
  /** The value of the DirAuthority line by which other nodes trust it. */
  readonly dirAuthority: string;
  /** Hex, upper case. */
  readonly fingerprint: string;
  readonly v3Ident: string;
  readonly orPort: number;
  readonly dirPort: number;
  stop(): Promise<void>;
}

const keyFile = 'authority-keys';
/** Holds the DirAuthority line, for people and scripts. */
const lineFile = 'dir-authority-line';

/** @param onFailure the store failed: the process must end at once. */
export async function startAuthority(
  config: AuthorityConfig,
  observer: Observer,
  onFailure: (why: OperatorError) => void,
): Promise<RunningAuthority> {
  const wrong = wrongAnswers();
  if (wrong.length > 0) throw new BrokenInvariant(`known answers differ: ${wrong.join(', ')}`);
  const directory = openDataDirectory(config.dataDirectory);
  const clock = new SystemClock();
  const entropy = new SystemEntropy();
  const keys = loadKeys(join(directory, keyFile), config.lab, clock, entropy);
  requireOwnLine(config, keys);
  const certificate = makeTlsCertificate(keys.node, clock.wallMs());
  const links = new TlsLinks({ privateKeyPem: keys.node.tls.pem, certificate });
  const streams = new TcpStreams();
  const store = new FileStore({ directory, onBroken: onFailure });
  let core: AuthorityCore;
  try {
    links.attach(closedLinks(links));
    streams.attach(closedStreams(streams));
    const host = config.address;
    const dirAt = boundTo(config.dirPort, host);
    const dir = await listening('DirPort', dirAt, streams.listen(dirAt, 'dir'));
    const orAt = boundTo(config.orPort, host);
    const or = await listening('ORPort', orAt, links.listen(orAt));
    const settings = { ...config, orPort: or.port, dirPort: dir.port };
    core = new AuthorityCore(settings, keys, { links, streams, clock, entropy, store, observer });
    links.attach(core.links);
    streams.attach(core);
    store.attach(core);
  } catch (error) {
    await Promise.all([links.stop(), streams.stop(), store.close()]);
    clock.stop();
    throw error;
  }
  core.start();
  keepBandwidths(core, config, clock, observer);
  const dirAuthority = formatDirAuthority(core.self);
  writeFileSync(join(directory, lineFile), `DirAuthority ${dirAuthority}\n`, { mode: 0o600 });
  return {
    core,
    dirAuthority,
    fingerprint: toHex(keys.node.rsaIdentity.fingerprint).toUpperCase(),
    v3Ident: toHex(keys.identity.fingerprint).toUpperCase(),
    orPort: core.self.orAddress.port,
    dirPort: core.self.dirAddress.port,
    async stop() {
      clock.stop();
      await Promise.all([links.stop(), streams.stop()]);
      await store.close();
    },
  };
}

function loadKeys(file: string, lab: boolean, clock: SystemClock, entropy: SystemEntropy): AuthorityKeys {
  const stored = readSecretFile(file);
  const keys = stored === undefined ? undefined : decodeAuthorityKeys(stored, clock.wallMs());
  if (keys !== undefined && !keys.ok)
    throw new OperatorError('KEYS_MALFORMED', `${file} is damaged: ${keys.fault.detail}`, 2);
  const current = keys?.value ?? generateAuthorityKeys(entropy, clock.wallMs(), lab);
  const text = encodeAuthorityKeys(current);
  if (text !== stored) writeSecretFile(file, text);
  return current;
}

/** An authority that votes with others is one of those that it names: all must count to the same number. */
function requireOwnLine({ authorities }: AuthorityConfig, { identity }: AuthorityKeys): void {
  const voters = authorities.flatMap(({ v3Ident }) => v3Ident ?? []);
  if (voters.length === 0 || voters.some(each => equalBytes(each, identity.fingerprint))) return;
  const own = toHex(identity.fingerprint).toUpperCase();
  throw new OperatorError(
    'CONFIG_BAD_VALUE',
    `DirAuthority: a line with v3ident=${own}, for this authority itself, must stand among the others`,
    exitCode.usage,
  );
}

function boundTo(
  port: AuthorityConfig['orPort'],
  address: string,
): { readonly host: string; readonly port: number } {
  // Without an address of its own a port is open on all, save in a lab that lives on loopback.
  const host = port.host ?? (address.startsWith('127.') ? address : '0.0.0.0');
  return { host, port: port.port === 'auto' ? 0 : port.port };
}

/** Between listening and the core's first event nobody is let in. */
function closedLinks(links: TlsLinks): LinkHandler {
  return {
    onAccepted: link => links.close(link, 'overload'),
    onOpen() {},
    onBytes() {},
    onWritable() {},
    onClosed() {},
  };
}

function closedStreams(streams: TcpStreams): StreamHandler {
  return {
    onStreamAccepted: stream => streams.close(stream),
    onResolved() {},
    onConnected() {},
    onStreamBytes() {},
    onStreamWritable() {},
    onStreamEnd() {},
    onStreamClosed() {},
  };
}

/** Reads the bandwidth file now, and again each interval, since scanners replace it. */
function keepBandwidths(
  core: AuthorityCore,
  config: AuthorityConfig,
  clock: SystemClock,
  observer: Observer,
): void {
  const file = config.bandwidthsFile;
  if (file === undefined) return;
  try {
    const code = core.readBandwidths(readFileSync(file, 'utf8'));
    if (code !== undefined) observer.log('warn', 'no bandwidth file', { file, code });
  } catch (error) {
    observer.log('warn', 'cannot read the bandwidth file', {
      file,
      code: String((error as NodeJS.ErrnoException).code),
    });
  }
  clock.after(config.schedule.intervalMs, () => keepBandwidths(core, config, clock, observer));
}
