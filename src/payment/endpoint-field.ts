import { fromUtf8, utf8 } from '../base/bytes.ts';
import { parseIp } from '../base/ip.ts';
import { type Field, sizedBytes, u8, u16 } from '../base/struct.ts';
import type { Endpoint } from '../ports.ts';

const host = sizedBytes(u8, 45);

/** Where a party is asked: an IP literal and a port. */
export const endpointField: Field<Endpoint> = {
  read(reader) {
    const bytes = host.read(reader);
    const port = u16.read(reader);
    const name = bytes && fromUtf8(bytes);
    // Other spellings of addresses are names, which a resolver may still take for any address.
    if (name === undefined || port === undefined || name.startsWith('[') || parseIp(name) === undefined)
      return undefined;
    return { host: name, port };
  },
  write(writer, value) {
    host.write(writer, utf8(value.host));
    u16.write(writer, value.port);
  },
};
