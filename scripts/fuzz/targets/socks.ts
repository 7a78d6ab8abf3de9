import { utf8 } from '../../../src/base/bytes.ts';
import { Socks5Server } from '../../../src/socks/socks5.ts';
import type { FuzzTarget } from '../fuzz-target.ts';

/** What programs say to the SOCKS port. */
export const socks: FuzzTarget = {
  name: 'socks',
  cases: 100_000,
  inputBytesMax: 2_048,
  sources: ['src/socks/', 'src/base/ip'],
  open: () => ({
    seeds: [
      [0, 5, 1, 0, 5, 1, 0, 3, 11, ...utf8('example.com'), 0, 80, ...utf8('GET /')],
      [1, 5, 2, 0, 2, 1, 4, ...utf8('user'), 4, ...utf8('pass'), 5, 1, 0, 1, 93, 184, 216, 34, 0, 80],
      [2, 5, 1, 0, 5, 0xf0, 0, 3, 11, ...utf8('example.com'), 0, 0],
      [0, 5, 1, 0, 5, 0xf1, 0, 4, ...new Uint8Array(16), 0, 0],
      [0, ...utf8('GET / HTTP/1.0\r\n\r\n')],
      [0, 4, 1, 0, 80, 93, 184, 216, 34, 0],
    ].map(bytes => Uint8Array.from(bytes)),
    words: ['<torS0X>', 'tor', 'example.com.', '[::1]', '127.1', '0x7f000001'].map(utf8),
    take(input, tell) {
      const server = new Socks5Server();
      const step = Math.max(1, [input.length, 1, 3][(input[0] ?? 0) % 3]);
      for (let at = 1; at < input.length; at += step)
        for (const event of server.push(input.subarray(at, at + step)))
          if (event.kind === 'request') tell(`${event.request.kind} ${event.request.hostKind}`);
          else if (event.kind === 'close') tell(event.why);
      tell(server.requested ? 'requested' : 'waits');
    },
  }),
};
