import { concatBytes, fromHex, toHex, utf8 } from '../base/bytes.ts';
import { equalSecrets } from '../crypto/constant-time.ts';
import { type HashedPassword, isPassword } from '../crypto/hashed-password.ts';
import { hmacSha256 } from '../crypto/sha.ts';
import type { Entropy } from '../ports.ts';
import { type Reply, replyCode, replyLine, replyOk } from './control-reply.ts';
import { parseArguments, quoteWire, toWire, wireBytes, wordsOf } from './control-text.ts';

/** Bytes of the cookie file. spec: control-spec 3.21 */
export const cookieBytes = 32;

/** Who may command: whoever can read the cookie file, or knows a password. With neither, whoever can connect. */
export interface ControlSecrets {
  readonly cookie: { readonly bytes: Uint8Array; readonly file: string } | undefined;
  readonly passwords: readonly HashedPassword[];
}

const serverToController = utf8('Tor safe cookie authentication server-to-controller hash');
const controllerToServer = utf8('Tor safe cookie authentication controller-to-server hash');

/**
 * What one connection has to do before its commands are heard. Every refusal ends the connection, so that each guess
 * costs a new one. spec: control-spec 3.5, 3.21, 3.24
 */
export class ControlAuth {
  readonly #secrets: ControlSecrets;
  readonly #version: string;
  readonly #entropy: Entropy;
  /** The only answer that AUTHENTICATE takes, after an AUTHCHALLENGE. */
  #expected: Uint8Array | undefined;

  constructor(secrets: ControlSecrets, version: string, entropy: Entropy) {
    this.#secrets = secrets;
    this.#version = version;
    this.#entropy = entropy;
  }

  protocolInfo(rest: string): Reply {
    const bad = wordsOf(rest).find(word => !/^\d+$/.test(word));
    if (bad !== undefined) return replyLine(replyCode.unrecognizedArgument, `No such version "${bad}"`);
    const { cookie, passwords } = this.#secrets;
    const methods: string[] = [];
    if (cookie !== undefined) methods.push('COOKIE', 'SAFECOOKIE');
    if (passwords.length > 0) methods.push('HASHEDPASSWORD');
    if (methods.length === 0) methods.push('NULL');
    const file = cookie === undefined ? '' : ` COOKIEFILE=${quoteWire(toWire(cookie.file))}`;
    const { ok } = replyCode;
    return [
      { code: ok, text: 'PROTOCOLINFO 1' },
      { code: ok, text: `AUTH METHODS=${methods.join(',')}${file}` },
      { code: ok, text: `VERSION Tor=${quoteWire(this.#version)}` },
      ...replyOk,
    ];
  }

  challenge(rest: string): Reply {
    const given = parseArguments(rest);
    if (given === undefined || given.length === 0) return badArguments('AUTHCHALLENGE');
    if (given[0].value.toUpperCase() !== 'SAFECOOKIE')
      return replyLine(
        replyCode.unrecognizedArgument,
        'AUTHCHALLENGE only supports SAFECOOKIE authentication',
      );
    if (given.length !== 2)
      return replyLine(replyCode.badArgument, 'Wrong number of arguments for AUTHCHALLENGE');
    const nonce = given[1].quoted ? wireBytes(given[1].value) : fromHex(given[1].value);
    if (nonce === undefined) return replyLine(replyCode.unrecognizedArgument, 'Invalid base16 client nonce');
    const { cookie } = this.#secrets;
    if (cookie === undefined)
      return replyLine(replyCode.badAuthentication, 'Cookie authentication is disabled');
    const ours = this.#entropy.bytes(cookieBytes);
    const hashed = concatBytes(cookie.bytes, nonce, ours);
    this.#expected = hmacSha256(controllerToServer, hashed);
    const hash = toHex(hmacSha256(serverToController, hashed)).toUpperCase();
    return replyLine(
      replyCode.ok,
      `AUTHCHALLENGE SERVERHASH=${hash} SERVERNONCE=${toHex(ours).toUpperCase()}`,
    );
  }

  /** `250 OK` lets the connection command; anything else ends it. */
  authenticate(rest: string): Reply {
    const given = parseArguments(rest);
    if (given === undefined || given.length > 1) return badArguments('AUTHENTICATE');
    const [only] = given;
    const secret =
      only === undefined ? new Uint8Array(0) : only.quoted ? wireBytes(only.value) : fromHex(only.value);
    if (secret === undefined)
      return replyLine(
        replyCode.internal,
        'Invalid hexadecimal encoding.  Maybe you tried a plain text password?  If so, the standard requires that you put it in double quotes.',
      );
    if (this.#knows(secret)) return replyOk;
    return replyLine(replyCode.badAuthentication, `Authentication failed: ${this.#refusal()}`);
  }

  /** In C tor's words, since programs tell by them which secret was wrong. */
  #refusal(): string {
    const { cookie, passwords } = this.#secrets;
    if (this.#expected !== undefined) return 'Safe cookie response did not match expected value.';
    if (passwords.length === 0) return 'Authentication cookie did not match expected value.';
    if (cookie === undefined) return 'Password did not match HashedControlPassword value from configuration.';
    return 'Password did not match HashedControlPassword *or* authentication cookie.';
  }

  #knows(secret: Uint8Array): boolean {
    if (this.#expected !== undefined) return equalSecrets(secret, this.#expected);
    const { cookie, passwords } = this.#secrets;
    if (cookie === undefined && passwords.length === 0) return true;
    if (cookie !== undefined && equalSecrets(secret, cookie.bytes)) return true;
    return passwords.some(each => isPassword(each, secret));
  }
}

function badArguments(command: string): Reply {
  return replyLine(replyCode.badArgument, `Bad arguments to ${command}`);
}
