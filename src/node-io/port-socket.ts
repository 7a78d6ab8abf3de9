import type { OnReadOpts, Socket } from 'node:net';
import { BrokenInvariant } from '../base/assert.ts';
import { OperatorError } from '../base/fault.ts';
import {
  readBytesPerTurn,
  socketAnswerMsMax,
  socketBlockBytes,
  socketBlocksSpareMax,
  youngLinkBytes,
  youngLinkWriteBytes,
} from '../base/limits.ts';
import type { CloseReason } from '../ports.ts';
import { turnEnd } from './turn-end.ts';

/** Blocks that carry bytes to and from sockets, used again and again by all connections of a port. */
export class BlockPool {
  /** Holds what was read last, until it is told or gathered. */
  readonly forReading = Buffer.allocUnsafeSlow(socketBlockBytes);
  readonly #spare: Buffer[] = [];

  take(): Buffer {
    return this.#spare.pop() ?? Buffer.allocUnsafeSlow(socketBlockBytes);
  }

  give(block: Buffer): void {
    if (this.#spare.length < socketBlocksSpareMax) this.#spare.push(block);
  }
}

/** What a port hears of one of its sockets. */
export interface SocketUser {
  bytes(bytes: Uint8Array): void;
  writable(): void;
  /** The other side sends no more. */
  ended(): void;
  /** Never for a socket that we closed. */
  closed(why: CloseReason): void;
  /** The last of all, however it ended: the socket holds nothing of the machine any more. */
  gone(): void;
}

/** Accepted, or yet to be dialed: only then Node lets us say where its bytes go. */
export type SocketSource<S extends Socket> = S | ((onread: OnReadOpts) => S);

/** How a port writes to its sockets. */
export interface WriteTerms {
  /** Full from so many bytes on that the kernel has not taken. */
  readonly bytesHigh: number;
  /** As long as it is not seen that the network takes what it is given, TLS is given little at a time and is full from so many on. */
  readonly youngBytesHigh?: number;
}

/** Blocks that are less full than this are copied to their size, so that a slow reader does not hold many nearly empty blocks. */
const blockShareMin = socketBlockBytes / 4;
/** What comes in such pieces is told as it comes: to gather it would copy it for little. TLS brings a quarter of a block. */
const pieceBytesLarge = socketBlockBytes / 2;

/**
 * One connection of a port, TCP or TLS. Gathers what is read in one turn of the event loop, which TLS brings a record at a
 * time, and what is written in it: cells are cheaper in long runs. Says full by the bytes that the kernel has not taken. Node
 * emits all events of sockets from its event loop, never inside a call, which is the ports' first rule.
 */
export class PortSocket<S extends Socket = Socket> {
  readonly socket: S;
  readonly #pool: BlockPool;
  readonly #terms: WriteTerms;
  /** That the kernel is still to take before writes are as long as they come. */
  #youngBytes: number;
  /** What waits for the write before it meanwhile. */
  readonly #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #pieceIsOut = false;
  readonly #user: SocketUser;
  #block: Buffer | undefined;
  #used = 0;
  #flushWaits = false;
  #full = false;
  #gathered: Buffer | undefined;
  #gatheredBytes = 0;
  /** Read in this turn of the event loop; libuv would go on up to 32 times on one socket while the others wait. */
  #readBytes = 0;
  /** Has read its share of this turn. */
  #rests = false;
  #paused = false;
  /** Closed by us or gone: nothing more is told. */
  #silent = false;
  #why: CloseReason = 'done';

  /** @param source a socket that was accepted, or what dials one that reads as it is told to. */
  constructor(source: SocketSource<S>, pool: BlockPool, terms: WriteTerms, user: SocketUser) {
    const socket = typeof source === 'function' ? source(this.#readInto(pool.forReading)) : source;
    this.socket = socket;
    this.#pool = pool;
    this.#terms = terms;
    this.#youngBytes = terms.youngBytesHigh === undefined ? 0 : youngLinkBytes;
    this.#user = user;
    socket.setNoDelay(true);
    if (socket === source) socket.on('data', (chunk: Buffer) => this.#onBytes(chunk, chunk.length));
    socket.on('end', () => {
      this.#tellGathered();
      if (!this.#silent) this.#tell(() => user.ended());
    });
    socket.on('error', error => {
      this.#why = closeReasonOf(error);
    });
    socket.on('close', () => {
      this.#tellGathered();
      const tell = !this.#silent;
      this.#silent = true;
      this.#dropBlock();
      user.gone();
      if (tell) user.closed(this.#why);
    });
  }

  /** Copies all of `bytes`. False: full, `writable` follows. A connection that is lost takes everything and sends nothing. */
  write(bytes: Uint8Array): boolean {
    if (this.#silent || !this.socket.writable) return true;
    let at = 0;
    while (at < bytes.length) {
      this.#block ??= this.#pool.take();
      const take = Math.min(bytes.length - at, this.#block.length - this.#used);
      this.#block.set(bytes.subarray(at, at + take), this.#used);
      this.#used += take;
      at += take;
      if (this.#used === this.#block.length) this.#flush();
    }
    if (this.#used > 0 && !this.#flushWaits) {
      this.#flushWaits = true;
      turnEnd.write(this.#flushLater);
    }
    this.#full ||= this.pendingBytes > this.#bytesHigh;
    return !this.#full;
  }

  pause(): void {
    this.#paused = true;
    if (!this.#silent) this.socket.pause();
  }

  resume(): void {
    this.#paused = false;
    if (!this.#silent && !this.#rests) this.socket.resume();
  }

  /** No more bytes from us. */
  end(): void {
    if (this.#silent) return;
    this.#flushAll();
    this.socket.end();
  }

  /** Sends what was written, for at most `lingerMs`, then closes. The user hears no more of it but `gone`. */
  close(lingerMs: number): void {
    if (this.#silent) return;
    this.#flushAll();
    this.#silent = true;
    const socket = this.socket;
    if (socket.connecting) {
      socket.destroy();
      return;
    }
    let timer = setTimeout(() => socket.destroy(), lingerMs);
    const awaitAnswer = () => {
      clearTimeout(timer);
      timer = setTimeout(() => socket.destroy(), Math.min(lingerMs, socketAnswerMsMax));
    };
    if (socket.writableFinished) awaitAnswer();
    else socket.once('finish', awaitAnswer);
    socket.once('close', () => clearTimeout(timer));
    socket.end();
    // Bytes left unread would make the kernel reset the connection, and the peer lose what it has not read yet.
    socket.resume();
  }

  /** At once, whatever was written. */
  destroy(why: CloseReason): void {
    this.#why = why;
    this.socket.destroy();
  }

  /** What is read is told at once, so all sockets of a port read into one block, and none makes garbage. */
  #readInto(buffer: Buffer): OnReadOpts {
    return {
      buffer,
      callback: (length, block) => {
        this.#onBytes(block, length);
        return true;
      },
    };
  }

  #onBytes(block: Uint8Array, length: number): void {
    if (this.#silent) return;
    if (this.#readBytes === 0) turnEnd.read(this.#endTurn);
    this.#readBytes += length;
    if (this.#readBytes >= readBytesPerTurn && !this.#rests) {
      this.#rests = true;
      this.socket.pause();
    }
    if (this.#gatheredBytes + length > socketBlockBytes) this.#tellGathered();
    if (this.#gatheredBytes === 0 && length >= pieceBytesLarge) {
      this.#tellBytes(block, length);
      return;
    }
    this.#gathered ??= this.#pool.take();
    this.#gathered.set(length < block.length ? block.subarray(0, length) : block, this.#gatheredBytes);
    this.#gatheredBytes += length;
  }

  #tellGathered(): void {
    const [block, length] = [this.#gathered, this.#gatheredBytes];
    if (block === undefined) return;
    this.#gathered = undefined;
    this.#gatheredBytes = 0;
    this.#tellBytes(block, length);
    this.#pool.give(block);
  }

  #tellBytes(block: Uint8Array, length: number): void {
    // A Buffer's slice() is a view, a Uint8Array's a copy, and cores copy by it.
    if (!this.#silent)
      this.#tell(() => this.#user.bytes(new Uint8Array(block.buffer, block.byteOffset, length)));
  }

  readonly #endTurn = (): void => {
    this.#readBytes = 0;
    this.#tellGathered();
    if (!this.#rests) return;
    this.#rests = false;
    if (!this.#paused && !this.#silent) this.socket.resume();
  };

  /** A mistake of ours in treating what a peer sent costs that peer its connection, unless it is one about money. */
  #tell(event: () => void): void {
    try {
      event();
    } catch (error) {
      if (error instanceof BrokenInvariant || error instanceof OperatorError) throw error;
      const what = error instanceof Error ? error.stack : String(error);
      process.stderr.write(`naulon: unexpected, and a connection ends for it: ${what}\n`);
      this.destroy('protocol');
    }
  }

  /** Written, and not taken by the kernel yet. */
  get pendingBytes(): number {
    return this.socket.writableLength + this.#used + this.#waitingBytes;
  }

  get #bytesHigh(): number {
    const { bytesHigh, youngBytesHigh = bytesHigh } = this.#terms;
    return this.#youngBytes > 0 ? youngBytesHigh : bytesHigh;
  }

  readonly #flushLater = (): void => {
    this.#flushWaits = false;
    this.#flush();
  };

  #flush(): void {
    const block = this.#block;
    if (block === undefined || this.#used === 0) return;
    const filled = block.subarray(0, this.#used);
    this.#block = undefined;
    this.#used = 0;
    if (this.#youngBytes > 0) {
      this.#waiting.push(Buffer.from(filled));
      this.#waitingBytes += filled.length;
      this.#pool.give(block);
      if (!this.#pieceIsOut) this.#writePiece();
      return;
    }
    if (filled.length < blockShareMin) {
      this.socket.write(Buffer.from(filled), this.#onWritten);
      this.#pool.give(block);
      return;
    }
    this.socket.write(filled, error => {
      // After a failure the kernel may still read the block: it is left to the garbage collector.
      if (!error) this.#pool.give(block);
      this.#onWritten(error);
    });
  }

  /** The next piece goes when this one has gone. */
  #writePiece(): void {
    const [first] = this.#waiting;
    if (first === undefined || this.#silent) return;
    const piece = first.subarray(0, youngLinkWriteBytes);
    if (piece.length === first.length) this.#waiting.shift();
    else this.#waiting[0] = first.subarray(piece.length);
    this.#waitingBytes -= piece.length;
    this.#pieceIsOut = true;
    this.socket.write(piece, error => {
      this.#pieceIsOut = false;
      this.#youngBytes -= piece.length;
      if (error) return;
      if (this.#youngBytes > 0) this.#writePiece();
      else this.#writeWaiting();
      this.#onWritten(error);
    });
  }

  #writeWaiting(): void {
    for (const bytes of this.#waiting.splice(0)) this.socket.write(bytes, this.#onWritten);
    this.#waitingBytes = 0;
  }

  /** Nothing is written later: what waits goes as it is. */
  #flushAll(): void {
    this.#flush();
    this.#youngBytes = 0;
    this.#writeWaiting();
  }

  readonly #onWritten = (error: Error | null | undefined): void => {
    if (error || !this.#full || this.#silent || this.pendingBytes > this.#bytesHigh / 2) return;
    this.#full = false;
    this.#tell(() => this.#user.writable());
  };

  #dropBlock(): void {
    if (this.#block !== undefined) this.#pool.give(this.#block);
    this.#block = undefined;
    this.#used = 0;
    this.#waiting.length = 0;
    this.#waitingBytes = 0;
  }
}

/** What an error of a socket means to a core. */
function closeReasonOf(error: Error): CloseReason {
  const code = 'code' in error ? String(error.code) : '';
  if (code === 'ECONNREFUSED') return 'refused';
  if (code === 'ETIMEDOUT' || code === 'ERR_TLS_HANDSHAKE_TIMEOUT') return 'timeout';
  if (/^(EHOSTUNREACH|ENETUNREACH|EHOSTDOWN|ENETDOWN|EADDRNOTAVAIL|EACCES|EPERM|EINVAL)$/.test(code))
    return 'unreachable';
  if (/^(EMFILE|ENFILE|ENOBUFS|ENOMEM)$/.test(code)) return 'overload';
  if (/^(ERR_SSL|ERR_TLS|EPROTO)/.test(code)) return 'protocol';
  return 'reset';
}
