import { describe, expect, it } from 'vitest';
import { equalBytes } from '../base/bytes.ts';
import type {
  CloseReason,
  Endpoint,
  LinkHandler,
  LinkId,
  LinkPort,
  StreamHandler,
  StreamId,
  StreamPort,
} from '../ports.ts';

/** A port under test, on either driver. */
export interface PortSide<Port, Handler> {
  readonly port: Port;
  /** Called once, before anything happens. */
  attach(handler: Handler): void;
  /** Makes port calls as a core does, in a turn of its own. */
  turn<T>(run: () => T): T;
}

/** Two sides that can reach each other, and a way to let the world run. */
export interface PortWorld<Port, Handler> {
  readonly dialler: PortSide<Port, Handler>;
  readonly listener: PortSide<Port, Handler>;
  /** Where the listener listens. */
  readonly at: Endpoint;
  /** Where nobody listens. */
  readonly nowhere: Endpoint;
  /** Lets things happen until `holds`; fails when they never bring it about. */
  until(holds: () => boolean): Promise<void>;
  /** Lets things happen for a while in which nothing more is expected. */
  settle(): Promise<void>;
  stop(): Promise<void>;
}

/** What one side heard of one connection; both kits speak of links and streams alike through it. */
class Heard {
  id = 0;
  opened = 0;
  accepted = 0;
  ended = 0;
  writable = 0;
  closed: CloseReason[] = [];
  chunks: Uint8Array[] = [];
  length = 0;
  /** True while a port call is under way: news in that time breaks the rules. */
  inCall = false;
  calledBack = 0;

  note(id: number): void {
    this.id = id;
    if (this.inCall) this.calledBack += 1;
  }

  take(bytes: Uint8Array): void {
    this.chunks.push(bytes.slice());
    this.length += bytes.length;
    // A handler may change what it is handed; that must never show on the other side.
    bytes.fill(0xff);
  }

  get bytes(): Uint8Array {
    return new Uint8Array(Buffer.concat(this.chunks));
  }
}

function linkEar(heard: Heard): LinkHandler {
  return {
    onAccepted: link => {
      heard.note(link);
      heard.accepted += 1;
    },
    onOpen: link => {
      heard.note(link);
      heard.opened += 1;
    },
    onBytes: (link, bytes) => {
      heard.note(link);
      heard.take(bytes);
    },
    onWritable: link => {
      heard.note(link);
      heard.writable += 1;
    },
    onClosed: (link, why) => {
      heard.note(link);
      heard.closed.push(why);
    },
  };
}

function streamEar(heard: Heard): StreamHandler {
  return {
    onResolved: () => {},
    onStreamAccepted: stream => {
      heard.note(stream);
      heard.accepted += 1;
    },
    onConnected: stream => {
      heard.note(stream);
      heard.opened += 1;
    },
    onStreamBytes: (stream, bytes) => {
      heard.note(stream);
      heard.take(bytes);
    },
    onStreamWritable: stream => {
      heard.note(stream);
      heard.writable += 1;
    },
    onStreamEnd: stream => {
      heard.note(stream);
      heard.ended += 1;
    },
    onStreamClosed: (stream, why) => {
      heard.note(stream);
      heard.closed.push(why);
    },
  };
}

/** The calls that links and streams have in common. */
interface Calls {
  open(to: Endpoint): number;
  write(id: number, bytes: Uint8Array): boolean;
  pause(id: number): void;
  resume(id: number): void;
  close(id: number): void;
}

interface Side {
  readonly heard: Heard;
  call<T>(run: (port: Calls) => T): T;
}

function side<Port, Handler>(
  under: PortSide<Port, Handler>,
  ear: (heard: Heard) => Handler,
  calls: (port: Port) => Calls,
): Side {
  const heard = new Heard();
  under.attach(ear(heard));
  return {
    heard,
    call: run =>
      under.turn(() => {
        heard.inCall = true;
        try {
          return run(calls(under.port));
        } finally {
          heard.inCall = false;
        }
      }),
  };
}

function linkCalls(port: LinkPort): Calls {
  return {
    open: to => port.open(to),
    write: (id, bytes) => port.write(id, bytes),
    pause: id => port.pause(id),
    resume: id => port.resume(id),
    close: id => port.close(id, 'done'),
  };
}

function streamCalls(port: StreamPort): Calls {
  return {
    open: to => port.connect(to),
    write: (id, bytes) => port.write(id, bytes),
    pause: id => port.pause(id),
    resume: id => port.resume(id),
    close: id => port.close(id),
  };
}

function pattern(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, at) => (at * 7 + (at >> 8)) & 0xff);
}

interface Connected<Port, Handler> {
  readonly world: PortWorld<Port, Handler>;
  readonly near: Side;
  readonly far: Side;
  readonly id: number;
}

/** Makes a test of a check: in a fresh world, with a connection that both sides know of. */
type ConnectedTest<Port, Handler> = (
  check: (connected: Connected<Port, Handler>) => Promise<void>,
) => () => Promise<void>;

function connectedTest<Port, Handler>(
  make: () => Promise<PortWorld<Port, Handler>>,
  ear: (heard: Heard) => Handler,
  calls: (port: Port) => Calls,
): ConnectedTest<Port, Handler> {
  return check => async () => {
    const world = await make();
    try {
      const [near, far] = [side(world.dialler, ear, calls), side(world.listener, ear, calls)];
      const id = near.call(port => port.open(world.at));
      await world.until(() => near.heard.opened === 1 && far.heard.accepted === 1);
      await check({ world, near, far, id });
      expect([near.heard.calledBack, far.heard.calledBack]).toEqual([0, 0]);
    } finally {
      await world.stop();
    }
  };
}

/** How bytes travel, on links and streams alike. */
function carryingCases<Port, Handler>(connected: ConnectedTest<Port, Handler>): void {
  it(
    'carries bytes both ways, in order, and leaves those of the writer alone',
    connected(async ({ world, near, far, id }) => {
      const sent = pattern(300_000);
      near.call(port => port.write(id, sent));
      far.call(port => port.write(far.heard.id, sent.subarray(0, 1_000)));
      await world.until(() => far.heard.length === sent.length && near.heard.length === 1_000);
      expect(equalBytes(far.heard.bytes, sent)).toBe(true);
      expect(equalBytes(near.heard.bytes, sent.subarray(0, 1_000))).toBe(true);
    }),
  );

  it(
    'owns what is written: changing it after the call changes nothing',
    connected(async ({ world, near, far, id }) => {
      const bytes = pattern(5_000);
      near.call(port => {
        port.write(id, bytes);
        bytes.fill(0);
      });
      await world.until(() => far.heard.length === bytes.length);
      expect(equalBytes(far.heard.bytes, pattern(5_000))).toBe(true);
    }),
  );

  it(
    'says full to a reader that waits, loses nothing, and says writable once it reads',
    connected(async ({ world, near, far, id }) => {
      far.call(port => port.pause(far.heard.id));
      const chunk = pattern(65_536);
      let sent = 0;
      near.call(port => {
        let room = true;
        for (; room && sent < 64 * 1024 * 1024; sent += chunk.length) room = port.write(id, chunk);
        expect(room).toBe(false);
      });
      await world.settle();
      const before = far.heard.length;
      await world.settle();
      expect(far.heard.length).toBe(before);
      far.call(port => port.resume(far.heard.id));
      await world.until(() => far.heard.length === sent && near.heard.writable > 0);
    }),
  );
}

/** How connections end, or never begin. */
function closingCases<Port, Handler>(connected: ConnectedTest<Port, Handler>): void {
  it(
    'delivers what was written before a close, then tells the other side alone, once',
    connected(async ({ world, near, far, id }) => {
      near.call(port => {
        port.write(id, pattern(10_000));
        port.close(id);
      });
      await world.until(() => far.heard.closed.length > 0);
      await world.settle();
      expect(far.heard.length).toBe(10_000);
      expect([near.heard.closed, far.heard.closed.length]).toEqual([[], 1]);
    }),
  );

  it(
    'says refused where nobody listens',
    connected(async ({ world, near }) => {
      near.call(port => port.open(world.nowhere));
      await world.until(() => near.heard.closed.length > 0);
      expect(near.heard.closed).toEqual(['refused']);
    }),
  );

  it(
    'takes calls about a connection that the other side closed',
    connected(async ({ world, near, far, id }) => {
      far.call(port => port.close(far.heard.id));
      near.call(port => port.write(id, pattern(100)));
      await world.until(() => near.heard.closed.length === 1);
      near.call(port => {
        port.write(id, pattern(100));
        port.pause(id);
        port.resume(id);
        port.close(id);
      });
      await world.settle();
      expect(near.heard.closed).toHaveLength(1);
    }),
  );
}

/** What every LinkPort must do, on real TLS and in virtual time alike. */
export function linkPortKit(name: string, make: () => Promise<PortWorld<LinkPort, LinkHandler>>): void {
  describe(`${name} as a link port`, () => {
    const connected = connectedTest(make, linkEar, linkCalls);
    carryingCases(connected);
    closingCases(connected);

    it(
      'gives both sides the same exporter, and the dialler the certificate of the listener',
      connected(async ({ world, far, id }) => {
        const { dialler, listener } = world;
        const near = dialler.turn(() => dialler.port.facts(id));
        const there = listener.turn(() => listener.port.facts(far.heard.id));
        const context = pattern(32);
        const key = near.exporter('EXPORTER FOR A TEST', context);
        expect(key).toHaveLength(32);
        expect(there.exporter('EXPORTER FOR A TEST', context)).toEqual(key);
        expect(there.exporter('EXPORTER FOR A TEST', pattern(31))).not.toEqual(key);
        expect(near.peerCertificate.length).toBeGreaterThan(0);
        expect(equalBytes(near.peerCertificate, there.ownCertificate)).toBe(true);
        expect(there.peerCertificate).toHaveLength(0);
      }),
    );
  });
}

/** What every StreamPort must do, on real TCP and in virtual time alike. */
export function streamPortKit(name: string, make: () => Promise<PortWorld<StreamPort, StreamHandler>>): void {
  describe(`${name} as a stream port`, () => {
    const connected = connectedTest(make, streamEar, streamCalls);
    carryingCases(connected);
    closingCases(connected);

    it(
      'keeps one direction open after the end of the other, and closes both sides after both ends',
      connected(async ({ world, near, far, id }) => {
        const end = (under: PortSide<StreamPort, StreamHandler>, stream: StreamId | LinkId) =>
          under.turn(() => under.port.end(stream));
        near.call(port => port.write(id, pattern(5_000)));
        end(world.dialler, id);
        await world.until(() => far.heard.ended === 1);
        expect(far.heard.length).toBe(5_000);
        far.call(port => port.write(far.heard.id, pattern(7_000)));
        await world.until(() => near.heard.length === 7_000);
        end(world.listener, far.heard.id);
        await world.until(() => near.heard.ended === 1);
        await world.until(() => near.heard.closed.length === 1 && far.heard.closed.length === 1);
        expect([near.heard.closed, far.heard.closed]).toEqual([['done'], ['done']]);
      }),
    );
  });
}
