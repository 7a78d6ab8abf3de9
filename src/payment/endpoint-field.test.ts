import { expect, it } from 'vitest';
import { struct } from '../base/struct.ts';
import { endpointField } from './endpoint-field.ts';

const record = struct({ at: endpointField });

it.each(['192.0.2.7', '2001:db8::7', '::ffff:192.0.2.7'])('%s is an address', host => {
  const at = { host, port: 8045 };
  expect(record.decode(record.encode({ at }))).toEqual({ at });
});

it.each(['2130706433', '127.1', '0177.0.0.1', 'cafe', '::1::', '[::1]', ''])(
  '“%s” is none, whatever a resolver makes of it',
  host => {
    expect(record.decode(record.encode({ at: { host, port: 8045 } }))).toBeUndefined();
  },
);
