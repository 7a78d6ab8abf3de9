import { assert } from '../base/assert.ts';
import type { AskId, Endpoint, StreamHandler, StreamId, StreamPort } from '../ports.ts';
import type { Machine } from './machine.ts';
import type { ConnectionEnd, EndUser } from './sim-connection.ts';

const literal = /^(\d+\.\d+\.\d+\.\d+|[0-9a-f:.]*:[0-9a-f:.]*)$/i;

/** The TCP connections of one host, and its name lookups. */
export class SimStreams implements StreamPort {
  readonly #host: Machine;
  #handler: StreamHandler | undefined;
  #ends = new Map<StreamId, ConnectionEnd>();
  #lastId = 0;
  #lastAsk = 0;

  constructor(host: Machine) {
    this.#host = host;
  }

  /** The core that hears of streams; set before any is opened. */
  attach(handler: StreamHandler): void {
    this.#handler = handler;
  }

  /** @param listener the name under which the core hears of connections to `port`. */
  listen(port: number, listener: string): void {
    this.#host.listen(port, (end, from) => {
      const id = this.#add(end);
      end.user = this.#user(id, `stream accepted ${listener}`, () =>
        this.#to.onStreamAccepted(id, listener, from),
      );
    });
  }

  resolve(name: string, reverse: boolean): AskId {
    this.#lastAsk += 1;
    const ask = this.#lastAsk;
    const { node } = this.#host;
    node.called(`resolve ${reverse ? 'reverse ' : ''}${name}`, ask);
    node.later(this.#host.resolveUs, () => {
      const found = this.#host.lookUp(name).filter(address => (address.kind === 'name') === reverse);
      node.told('resolved', ask, found.length);
      this.#to.onResolved(ask, found);
    });
    return ask;
  }

  connect(to: Endpoint): StreamId {
    assert(literal.test(to.host), `connect is given an address, not ${to.host}`);
    const end = this.#host.newEnd();
    const id = this.#add(end);
    this.#host.node.called(`stream connect ${to.host}:${to.port}`, id);
    end.user = this.#user(id, 'stream connected', () => this.#to.onConnected(id, to));
    this.#host.connect(end, to, 1);
    return id;
  }

  write(stream: StreamId, bytes: Uint8Array): boolean {
    this.#host.node.called('stream write', stream, 0, bytes);
    return this.#find(stream)?.write(bytes) ?? true;
  }

  pause(stream: StreamId): void {
    this.#host.node.called('stream pause', stream);
    this.#find(stream)?.pause();
  }

  resume(stream: StreamId): void {
    this.#host.node.called('stream resume', stream);
    this.#find(stream)?.resume();
  }

  end(stream: StreamId): void {
    this.#host.node.called('stream end', stream);
    this.#find(stream)?.end();
  }

  close(stream: StreamId): void {
    this.#host.node.called('stream close', stream);
    this.#find(stream)?.close('done');
    this.#ends.delete(stream);
  }

  /** The process died; its streams are no more. */
  forget(): void {
    this.#ends.clear();
  }

  get #to(): StreamHandler {
    assert(this.#handler !== undefined, `${this.#host.node.name} has attached a stream handler`);
    return this.#handler;
  }

  #add(end: ConnectionEnd): StreamId {
    this.#lastId += 1;
    this.#ends.set(this.#lastId, end);
    return this.#lastId;
  }

  /** Undefined: closed by either side; a call that crosses the news of it does nothing. */
  #find(stream: StreamId): ConnectionEnd | undefined {
    assert(stream > 0 && stream <= this.#lastId, `${this.#host.node.name} names a stream that it was given`);
    return this.#ends.get(stream);
  }

  #user(id: StreamId, openedAs: string, opened: () => void): EndUser {
    const { node } = this.#host;
    const fail = () => this.#ends.get(id)?.fail();
    return {
      opened: () => {
        node.told(openedAs, id);
        opened();
      },
      bytes: bytes => {
        node.told('stream bytes', id, 0, bytes);
        node.treat(() => this.#to.onStreamBytes(id, bytes), fail);
      },
      writable: () => {
        node.told('stream writable', id);
        node.treat(() => this.#to.onStreamWritable(id), fail);
      },
      ended: () => {
        node.told('stream ended', id);
        node.treat(() => this.#to.onStreamEnd(id), fail);
      },
      closed: why => {
        node.told(`stream closed ${why}`, id);
        this.#ends.delete(id);
        this.#to.onStreamClosed(id, why);
      },
    };
  }
}
