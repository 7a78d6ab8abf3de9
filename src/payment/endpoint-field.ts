import { fromUtf8, utf8 } from '../base/bytes.ts';
import { type Field, sizedBytes, u8, u16 } from '../base/struct.ts';
import type { Endpoint } from '../ports.ts';

const host = sizedBytes(u8, 45);

/** Where a party is asked: an IP literal and a port. */
export const endpointField: Field<Endpoint> = {
  read(reader) {
    const name = host.read(reader);
    const port = u16.read(reader);
    if (name === undefined || port === undefined || !/^[0-9a-f.:]+$/i.test(fromUtf8(name))) return undefined;
    return { host: fromUtf8(name), port };
  },
  write(writer, value) {
    host.write(writer, utf8(value.host));
    u16.write(writer, value.port);
  },
};
