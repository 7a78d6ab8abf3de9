import { fail, ok, type Result } from '../base/fault.ts';
import { countedList, fixedBytes, type Holds, restList, sizedBytes, struct, u8 } from '../base/struct.ts';

/**
 * What client and relay say to each other within the ntor-v3 handshake: a list of extensions, each with a type.
 * spec: tor-spec/create-created-cells (ntor-v3 extensions), proposals 324 and 346
 */
const extensionType = { congestionRequest: 1, congestionResponse: 2, subprotocols: 3 } as const;

const extension = struct({ type: u8, value: sizedBytes(u8, 255) });
const extensionList = struct({ extensions: countedList(u8, extension) });
const subprotocolList = struct({
  /** Protocol number, then version, in ascending order. */
  pairs: restList(fixedBytes(2)),
});

type Extension = Holds<typeof extension>;

/** What a client asks of a hop. */
export interface CircuitRequest {
  readonly congestionControl: boolean;
}

/** Congestion control, if wanted; nothing else is ever asked for. */
export function encodeCircuitRequest({ congestionControl }: CircuitRequest): Uint8Array {
  const asked = { type: extensionType.congestionRequest, value: new Uint8Array(0) };
  return extensionList.encode({ extensions: congestionControl ? [asked] : [] });
}

/**
 * Types that are not known are passed over. A subprotocol is asked for only where the relay's descriptor offers it, and
 * the client would use it from its first cell on: asking for one that is not offered is a fault.
 */
export function decodeCircuitRequest(message: Uint8Array): Result<CircuitRequest> {
  const list = decodeList(message);
  if (!list.ok) return list;
  const subprotocols = find(list.value, extensionType.subprotocols);
  if (subprotocols !== undefined) {
    const wanted = subprotocolList.decode(subprotocols.value);
    if (wanted === undefined) return fail('EXTENSIONS_MALFORMED');
    if (wanted.pairs.length > 0) return fail('SUBPROTOCOL_NOT_OFFERED', wanted.pairs[0].join('='));
  }
  return ok({ congestionControl: find(list.value, extensionType.congestionRequest) !== undefined });
}

/** What a hop grants. */
export interface CircuitResponse {
  /** DATA cells that a circuit SENDME answers, 1 to 255; undefined: no congestion control. */
  readonly sendmeCells: number | undefined;
}

export function encodeCircuitResponse({ sendmeCells }: CircuitResponse): Uint8Array {
  const granted =
    sendmeCells === undefined
      ? []
      : [{ type: extensionType.congestionResponse, value: Uint8Array.of(sendmeCells) }];
  return extensionList.encode({ extensions: granted });
}

/** The first of several answers counts. */
export function decodeCircuitResponse(message: Uint8Array): Result<CircuitResponse> {
  const list = decodeList(message);
  if (!list.ok) return list;
  const granted = find(list.value, extensionType.congestionResponse);
  if (granted === undefined) return ok({ sendmeCells: undefined });
  const [sendmeCells] = granted.value;
  if (sendmeCells === undefined || sendmeCells === 0) return fail('EXTENSIONS_MALFORMED');
  return ok({ sendmeCells });
}

/** Bytes behind the list are passed over, as C tor does. */
function decodeList(message: Uint8Array): Result<readonly Extension[]> {
  const list = extensionList.decodePadded(message);
  return list === undefined ? fail('EXTENSIONS_MALFORMED') : ok(list.extensions);
}

function find(list: readonly Extension[], type: number): Extension | undefined {
  return list.find(each => each.type === type);
}
