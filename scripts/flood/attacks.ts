import type { Attack } from './attack.ts';
import { createFlood } from './attacks/create-flood.ts';
import { freeCells } from './attacks/free-cells.ts';
import { hostileDocuments } from './attacks/hostile-documents.ts';
import { httpToControl } from './attacks/http-to-control.ts';
import { idleCells } from './attacks/idle-cells.ts';
import { idleLinks } from './attacks/idle-links.ts';
import { malformedCells } from './attacks/malformed-cells.ts';
import { forgedPayments, halfPayments } from './attacks/payments.ts';
import { privateAddresses } from './attacks/private-addresses.ts';
import { slowConnections } from './attacks/slow-connections.ts';
import { slowReaders } from './attacks/slow-readers.ts';
import { streamFlood } from './attacks/stream-flood.ts';
import { turningNames } from './attacks/turning-names.ts';

/** All attacks by name. */
export const attacks: Readonly<Record<string, Attack>> = {
  create: createFlood,
  documents: hostileDocuments,
  free: freeCells,
  forged: forgedPayments,
  half: halfPayments,
  idle: idleCells,
  links: idleLinks,
  malformed: malformedCells,
  readers: slowReaders,
  rebind: turningNames,
  slow: slowConnections,
  ssrf: privateAddresses,
  streams: streamFlood,
  control: httpToControl,
};
