import type { Fault } from '../base/fault.ts';
import type { CloseReason } from '../ports.ts';

/** Why a link ended. `LINK_CLOSED` carries what the connection itself reported. */
export type LinkFaultCode =
  | 'LINK_CLOSED'
  | 'LINK_TIMEOUT'
  | 'LINK_IDLE'
  /** It took no cells for longer than any other, and too many waited. */
  | 'LINK_STALLED'
  | 'LINK_CELL_TOO_LONG'
  | 'LINK_NO_COMMON_PROTOCOL'
  | 'LINK_UNEXPECTED_CELL'
  | 'LINK_MALFORMED'
  | 'LINK_BAD_CERTIFICATE'
  | 'LINK_WRONG_IDENTITY'
  | 'LINK_BAD_AUTHENTICATION';

export type LinkFault = Fault<LinkFaultCode>;

/** Who is at the other end, as CERTS and AUTHENTICATE have proven. */
export type LinkPeer =
  | {
      readonly kind: 'relay';
      readonly rsaId: Uint8Array;
      readonly ed25519: Uint8Array;
      readonly rsaPublicDer: Uint8Array;
      /** Its NETINFO names the address at which it is seen. spec: tor-spec/negotiating-channels (NETINFO) */
      readonly isCanonical?: boolean;
    }
  | { readonly kind: 'client' };

/** The link protocols that naulon speaks. spec: tor-spec/negotiating-channels */
export type LinkProtocol = 3 | 4 | 5;

/** How a connection is closed for a fault. */
export function closeReasonOf(fault: LinkFault): CloseReason {
  if (fault.code === 'LINK_TIMEOUT') return 'timeout';
  if (fault.code === 'LINK_STALLED') return 'overload';
  return fault.code === 'LINK_IDLE' || fault.code === 'LINK_CLOSED' ? 'done' : 'protocol';
}

/** What a log says of it. */
export function fieldsOf(fault: Fault): Record<string, string> {
  return fault.detail === undefined ? { code: fault.code } : { code: fault.code, detail: fault.detail };
}
