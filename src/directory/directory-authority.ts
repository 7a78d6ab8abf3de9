import { fromHex, toHex } from '../base/bytes.ts';
import { fail, ok, type Result } from '../base/fault.ts';
import type { Endpoint } from '../ports.ts';
import { parseIpv4Endpoint, parsePort } from './endpoint-text.ts';

/** An authority that a node was configured to trust: torrc's `DirAuthority`. */
export interface DirectoryAuthority {
  readonly nickname: string;
  /** Plain HTTP directory port. */
  readonly dirAddress: Endpoint;
  readonly orAddress: Endpoint;
  /** RSA identity of its relay side, 20 bytes. */
  readonly rsaId: Uint8Array;
  /** Its identity as a signer of consensuses, 20 bytes; undefined: it does not vote. */
  readonly v3Ident: Uint8Array | undefined;
}

/**
 * Reads `[nickname] [flags…] IPv4:DirPort FINGERPRINT`, the flags `orport=N`, `v3ident=HEX` and others that are passed
 * over. The fingerprint may have spaces.
 */
export function parseDirAuthority(text: string): Result<DirectoryAuthority> {
  const words = text.trim().split(/[ \t]+/);
  const addressAt = words.findIndex(word => parseIpv4Endpoint(word) !== undefined);
  const dirAddress = parseIpv4Endpoint(words[addressAt] ?? '');
  if (dirAddress === undefined) return fail('DIR_AUTHORITY_BAD', 'no IPv4:port in it');
  const rsaId = fromHex(words.slice(addressAt + 1).join(''));
  if (rsaId?.length !== 20) return fail('DIR_AUTHORITY_BAD', 'no fingerprint of 40 hex digits at its end');
  const before = words.slice(0, addressAt);
  const flag = (name: string): string | undefined =>
    before.find(word => word.toLowerCase().startsWith(`${name}=`))?.slice(name.length + 1);
  const orPort = parsePort(flag('orport') ?? '');
  if (orPort === undefined || orPort === 0) return fail('DIR_AUTHORITY_BAD', 'no orport=');
  const identText = flag('v3ident');
  const v3Ident = identText === undefined ? undefined : fromHex(identText);
  if (identText !== undefined && v3Ident?.length !== 20)
    return fail('DIR_AUTHORITY_BAD', 'v3ident is not 40 hex digits');
  const isFlag = (word: string): boolean => /=|^(no-)?(v2|hs|bridge)$/.test(word);
  const nickname = before[0] !== undefined && !isFlag(before[0]) ? before[0] : 'unnamed';
  const orAddress = { host: dirAddress.host, port: orPort };
  return ok({ nickname, dirAddress, orAddress, rsaId, v3Ident });
}

/** The torrc line's value, as C tor takes it too. */
export function formatDirAuthority(authority: DirectoryAuthority): string {
  const { nickname, orAddress, v3Ident, dirAddress, rsaId } = authority;
  const ident = v3Ident === undefined ? '' : ` v3ident=${toHex(v3Ident).toUpperCase()}`;
  const fingerprint = toHex(rsaId).toUpperCase();
  return `${nickname} orport=${orAddress.port} no-v2${ident} ${dirAddress.host}:${dirAddress.port} ${fingerprint}`;
}
