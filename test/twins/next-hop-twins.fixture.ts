import { concatBytes } from '../../src/base/bytes.ts';
import { cellCommand } from '../../src/cell/commands.ts';
import { cellPayloadBytes } from '../../src/cell/link-codec.ts';
import { encodeDestroy } from '../../src/cell/link-messages.ts';
import { authMethod } from '../../src/link/authenticate.ts';
import { netinfoTwins, versionsCell } from './handshake-twins.fixture.ts';
import { certsTwins, type Holder, rightCerts } from './link-certs.fixture.ts';
import { challenge, created2, type FlightChange, flightOf, nextHopTwin as twin } from './next-hop.fixture.ts';
import type { RawCell, RawLink } from './raw-link.fixture.ts';
import type { Twin } from './verdict.fixture.ts';

/** What the next hop says wrongly to a relay that dials it for a client. */

const none = new Uint8Array(0);
const bytesOf = (length: number, value = 0) => new Uint8Array(length).fill(value);
const padded = (body: Uint8Array): Uint8Array => concatBytes(body, bytesOf(cellPayloadBytes - body.length));

// The link handshake

const flights: readonly Twin[] = [
  twin('a next hop', {}),
  ...(
    [
      ['no CERTS', ({ versions, challenge, netinfo }) => [versions, challenge, netinfo]],
      [
        'CERTS twice',
        ({ versions, certs, challenge, netinfo }) => [versions, certs, certs, challenge, netinfo],
      ],
      [
        'CERTS after AUTH_CHALLENGE',
        ({ versions, certs, challenge, netinfo }) => [versions, challenge, certs, netinfo],
      ],
      [
        'CERTS again after AUTH_CHALLENGE',
        ({ versions, certs, challenge, netinfo }) => [versions, certs, challenge, certs, netinfo],
      ],
      [
        'CERTS after NETINFO',
        ({ versions, certs, challenge, netinfo }) => [versions, netinfo, certs, challenge],
      ],
      [
        'CERTS before VERSIONS',
        ({ versions, certs, challenge, netinfo }) => [certs, versions, challenge, netinfo],
      ],
      [
        'CERTS on a circuit',
        ({ versions, challenge, netinfo }, link, holder) => [
          versions,
          link.variable(cellCommand.certs, rightCerts(holder), 5),
          challenge,
          netinfo,
        ],
      ],
      ['no AUTH_CHALLENGE', ({ versions, certs, netinfo }) => [versions, certs, netinfo]],
      [
        'AUTH_CHALLENGE twice',
        ({ versions, certs, challenge, netinfo }) => [versions, certs, challenge, challenge, netinfo],
      ],
      [
        'AUTH_CHALLENGE after NETINFO',
        ({ versions, certs, challenge, netinfo }) => [versions, certs, netinfo, challenge],
      ],
      [
        'NETINFO twice',
        ({ versions, certs, challenge, netinfo }) => [versions, certs, challenge, netinfo, netinfo],
      ],
      [
        'VERSIONS twice',
        ({ versions, certs, challenge, netinfo }, link) => [
          versions,
          link.variable(cellCommand.versions, Uint8Array.of(0, 4)),
          certs,
          challenge,
          netinfo,
        ],
      ],
      [
        'VERSIONS that nobody has',
        ({ certs, challenge, netinfo }) => [versionsCell(1, 2, 9), certs, challenge, netinfo],
      ],
      [
        'PADDING',
        ({ versions, certs, challenge, netinfo }, link) => [
          versions,
          link.fixed(cellCommand.padding),
          certs,
          challenge,
          netinfo,
        ],
      ],
      [
        'VPADDING before CERTS',
        ({ versions, certs, challenge, netinfo }, link) => [
          versions,
          link.variable(cellCommand.vpadding, bytesOf(9)),
          certs,
          challenge,
          netinfo,
        ],
      ],
      [
        'VPADDING after AUTH_CHALLENGE',
        ({ versions, certs, challenge, netinfo }, link) => [
          versions,
          certs,
          challenge,
          link.variable(cellCommand.vpadding, bytesOf(9)),
          netinfo,
        ],
      ],
      [
        'an unknown variable cell',
        ({ versions, certs, challenge, netinfo }, link) => [
          versions,
          link.variable(200, bytesOf(9)),
          certs,
          challenge,
          netinfo,
        ],
      ],
      [
        'AUTHENTICATE',
        ({ versions, certs, challenge, netinfo }, link) => [
          versions,
          certs,
          challenge,
          link.variable(cellCommand.authenticate, bytesOf(356)),
          netinfo,
        ],
      ],
      [
        'CREATE_FAST before NETINFO',
        ({ versions, certs, challenge, netinfo }, link) => [
          versions,
          certs,
          link.fixed(cellCommand.createFast, none, 5),
          challenge,
          netinfo,
        ],
      ],
    ] as readonly (readonly [string, FlightChange])[]
  ).map(([name, change]) => twin(`a next hop: ${name}`, { flight: flightOf(change) })),
  ...(
    [
      ['on a circuit', challenge([authMethod]), 5],
      ['of no method', challenge([]), 0],
      ['of unknown methods', challenge([1, 9, 77]), 0],
      ['of unknown methods besides', challenge([1, 9, authMethod]), 0],
      ['with bytes behind it', concatBytes(challenge([authMethod]), bytesOf(9, 1)), 0],
      ['with more methods said than there are', concatBytes(bytesOf(32), Uint8Array.of(0, 2, 0, 3)), 0],
      ['cut short', bytesOf(33), 0],
      ['of nothing', none, 0],
    ] as readonly (readonly [string, Uint8Array, number])[]
  ).map(([name, body, circuit]) =>
    twin(`a next hop: AUTH_CHALLENGE ${name}`, {
      flight: flightOf(({ versions, certs, netinfo }, link) => [
        versions,
        certs,
        link.variable(cellCommand.authChallenge, body, circuit),
        netinfo,
      ]),
    }),
  ),
  ...netinfoTwins.map(([name, payload, circuit]) =>
    twin(`a next hop: NETINFO ${name}`, {
      flight: flightOf(({ versions, certs, challenge }, link) => [
        versions,
        certs,
        challenge,
        link.fixed(cellCommand.netinfo, payload, circuit),
      ]),
    }),
  ),
  ...certsTwins.map(([what, body]) =>
    twin(`CERTS of a responder: ${what}`, {
      flight: flightOf(({ versions, challenge, netinfo }, link, holder) => [
        versions,
        link.variable(cellCommand.certs, body(holder)),
        challenge,
        netinfo,
      ]),
    }),
  ),
];

// Its answer

type Answer = (link: RawLink, create2: RawCell, holder: Holder) => Uint8Array | 'closes';

/** A CREATED2 that says so many bytes. */
const createdOf =
  (length: number): Answer =>
  (link, { circuit }) =>
    link.fixed(cellCommand.created2, padded(Uint8Array.of(length >> 8, length & 0xff)), circuit);
const cell =
  (command: number, payload: Uint8Array = none): Answer =>
  (link, { circuit }) =>
    link.fixed(command, payload, circuit);
const destroys = (reason: number) => cell(cellCommand.destroy, encodeDestroy(reason));

const answers: readonly Twin[] = (
  [
    ['CREATED2 of 0 bytes', createdOf(0)],
    ['CREATED2 of 496 bytes', createdOf(496)],
    ['CREATED2 of 497 bytes', createdOf(497)],
    ['CREATED2 of 507 bytes', createdOf(507)],
    ['CREATED2 of 508 bytes', createdOf(508)],
    ['CREATED2 of 65,535 bytes', createdOf(65_535)],
    ['CREATED2 twice', created2, created2],
    ['CREATED_FAST', cell(cellCommand.createdFast)],
    ['CREATED', cell(cellCommand.created)],
    ['CREATE2', cell(cellCommand.create2)],
    [
      'CREATED2 on another circuit, then on its own',
      (link, { circuit }) => link.fixed(cellCommand.created2, bytesOf(66), circuit ^ 1),
      created2,
    ],
    ['RELAY before CREATED2', cell(cellCommand.relay, bytesOf(509, 9)), created2],
    ['RELAY_EARLY before CREATED2', cell(cellCommand.relayEarly, bytesOf(509, 9)), created2],
    ['RELAY_EARLY after CREATED2', created2, cell(cellCommand.relayEarly, bytesOf(509, 9))],
    ['CREATE2 after CREATED2', created2, cell(cellCommand.create2)],
    ['CREATED_FAST after CREATED2', created2, cell(cellCommand.createdFast)],
    ['PADDING before CREATED2', cell(cellCommand.padding), created2],
    ['DESTROY 0', destroys(0)],
    ['DESTROY 1', destroys(1)],
    ['DESTROY 5', destroys(5)],
    ['DESTROY 11', destroys(11)],
    ['DESTROY 99', destroys(99)],
    ['DESTROY 5 twice', destroys(5), destroys(5)],
    ['an end of the link', () => 'closes'],
  ] as readonly (readonly [string, ...Answer[]])[]
).map(([name, ...said]) =>
  twin(`to CREATE2: ${name}`, {
    answer: (link, create2, holder) => said.map(each => each(link, create2, holder)),
  }),
);

/** Everything of this file. */
export const nextHopTwins: readonly Twin[] = [...flights, ...answers];
