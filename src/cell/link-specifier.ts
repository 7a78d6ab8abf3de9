import { equalBytes } from '../base/bytes.ts';
import { formatIp, parseIp } from '../base/ip.ts';
import { countedList, type Field, type Holds, sizedBytes, struct, u8 } from '../base/struct.ts';
import type { Endpoint } from '../ports.ts';

/** Where the next relay of a circuit is and who it must prove to be. spec: tor-spec/create-created-cells (EXTEND2) */
export interface LinkTarget {
  readonly ipv4: Endpoint | undefined;
  readonly ipv6: Endpoint | undefined;
  readonly rsaId: Uint8Array;
  readonly ed25519: Uint8Array | undefined;
}

/** spec: tor-spec/create-created-cells: link specifier types */
const specifierType = { ipv4: 0, ipv6: 1, rsaId: 2, ed25519: 3 } as const;

const specifier = struct({ type: u8, value: sizedBytes(u8, 255) });
type Specifier = Holds<typeof specifier>;

/** The list as it stands in EXTEND2, with types we do not know. */
export const linkSpecifiers: Field<readonly Specifier[]> = countedList(u8, specifier);

export function encodeLinkTarget(target: LinkTarget): readonly Specifier[] {
  const list: Specifier[] = [];
  if (target.ipv4) list.push({ type: specifierType.ipv4, value: endpointBytes(target.ipv4) });
  list.push({ type: specifierType.rsaId, value: target.rsaId });
  if (target.ed25519) list.push({ type: specifierType.ed25519, value: target.ed25519 });
  if (target.ipv6) list.push({ type: specifierType.ipv6, value: endpointBytes(target.ipv6) });
  return list;
}

/**
 * What the known specifiers say; undefined unless there is exactly one RSA identity, at most one Ed25519 identity and
 * an address that leads somewhere. Of several addresses of a family the first counts; unknown types, and an Ed25519
 * identity of zeros, are passed over.
 * spec: tor-spec/create-created-cells
 */
export function decodeLinkTarget(list: readonly Specifier[]): LinkTarget | undefined {
  const lengths: Record<number, number> = { 0: 6, 1: 18, 2: 20, 3: 32 };
  if (list.some(each => each.type in lengths && each.value.length !== lengths[each.type])) return undefined;
  const of = (type: number): Uint8Array[] => list.filter(each => each.type === type).map(each => each.value);
  const rsaIds = of(specifierType.rsaId);
  const ed25519s = of(specifierType.ed25519);
  if (rsaIds.length !== 1 || isZero(rsaIds[0]) || ed25519s.length > 1) return undefined;
  const ipv4 = endpointOf(of(specifierType.ipv4)[0]);
  const ipv6 = endpointOf(of(specifierType.ipv6)[0]);
  if (ipv4 === undefined && ipv6 === undefined) return undefined;
  const ed25519 = ed25519s.find(each => !isZero(each));
  return { ipv4, ipv6, rsaId: rsaIds[0], ed25519 };
}

/** True when a proven identity is the one that the target asks for. */
export function targetMatches(target: LinkTarget, rsaId: Uint8Array, ed25519: Uint8Array): boolean {
  if (!equalBytes(target.rsaId, rsaId)) return false;
  return target.ed25519 === undefined || equalBytes(target.ed25519, ed25519);
}

function endpointBytes(endpoint: Endpoint): Uint8Array {
  const ip = parseIp(endpoint.host) ?? new Uint8Array(4);
  return Uint8Array.from([...ip, endpoint.port >> 8, endpoint.port & 0xff]);
}

function endpointOf(value: Uint8Array | undefined): Endpoint | undefined {
  if (value === undefined) return undefined;
  const ip = value.subarray(0, -2);
  const port = (value[ip.length] << 8) | value[ip.length + 1];
  return isZero(ip) || port === 0 ? undefined : { host: formatIp(ip), port };
}

function isZero(bytes: Uint8Array): boolean {
  return bytes.every(byte => byte === 0);
}
