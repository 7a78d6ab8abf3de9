import { encodeCircuitRequest, encodeCircuitResponse } from '../../../src/cell/circuit-extensions.ts';
import {
  authChallengeMessage,
  certsMessage,
  encodeCreate2,
  encodeCreated2,
  encodeNetinfo,
  encodeVersions,
} from '../../../src/cell/link-messages.ts';
import { encodeReceipt, fragment } from '../../../src/cell/payment-messages.ts';
import {
  encodeBegin,
  encodeConnected,
  encodeEnd,
  encodeExtend2,
  encodeExtended2,
  encodeResolve,
  encodeResolved,
  encodeSendme,
  encodeXoff,
  encodeXon,
} from '../../../src/cell/relay-messages.ts';

const zeros = (length: number): Uint8Array => new Uint8Array(length);
const address = { kind: 'ipv4', value: '93.184.216.34', ttlSeconds: 60 } as const;

/** A body by the rules of each message of a circuit, by name. */
export const bodySamples: ReadonlyMap<string, Uint8Array> = new Map([
  ['versions', encodeVersions([3, 4, 5])],
  [
    'certs',
    certsMessage.encode({ certificates: [1, 2, 4, 7].map(type => ({ type, certificate: zeros(40) })) }),
  ],
  ['authChallenge', authChallengeMessage.encode({ challenge: zeros(32), methods: [3] })],
  ['netinfo', encodeNetinfo({ time: 1, other: '127.0.0.1', own: ['::1', '10.0.0.1'] }).subarray(0, 60)],
  ['create2', encodeCreate2(2, zeros(84)).subarray(0, 88)],
  ['created2', encodeCreated2(zeros(64)).subarray(0, 66)],
  ['begin', encodeBegin({ host: 'example.com', port: 80, flags: 1 })],
  ['connected', encodeConnected({ address: '93.184.216.34', ttlSeconds: 60 })],
  ['end', encodeEnd({ reason: 4 })],
  [
    'extend2',
    encodeExtend2({
      target: {
        ipv4: { host: '10.0.0.1', port: 9_001 },
        ipv6: { host: '::1', port: 9_001 },
        rsaId: zeros(20),
        ed25519: zeros(32),
      },
      handshakeType: 2,
      handshake: zeros(84),
    }),
  ],
  ['extended2', encodeExtended2(zeros(64))],
  ['resolve', encodeResolve('example.com')],
  ['resolved', encodeResolved({ addresses: [address], error: undefined })],
  ['sendme', encodeSendme(zeros(20))],
  ['xoff', encodeXoff()],
  ['xon', encodeXon(100)],
  ['redeem', fragment(1, zeros(40))[0]],
  [
    'receipt',
    encodeReceipt({ status: 0, messageId: 1, price: 1n, balance: 64n, creditedMsat: 5n, target: zeros(40) }),
  ],
  ['circuit request', encodeCircuitRequest({ congestionControl: true })],
  ['circuit response', encodeCircuitResponse({ sendmeCells: 31 })],
]);
