/**
 * The least that bitcoind relays an output of that script with, at its default dust feerate; undefined for a script that it does
 * not relay at all, or that none of our transactions has room for. Source: policy/policy.cpp, GetDustThreshold and IsStandard.
 */
export function dustSatOf(script: Uint8Array): bigint | undefined {
  return forms.find(({ length, head, tail }) => {
    const { length: found } = script;
    return (
      found === length && startsWith(script, head) && startsWith(script.subarray(found - tail.length), tail)
    );
  })?.dustSat;
}

const forms = [
  { dustSat: 294n, length: 22, head: [0x00, 20], tail: [] }, // P2WPKH
  { dustSat: 330n, length: 34, head: [0x00, 32], tail: [] }, // P2WSH
  { dustSat: 330n, length: 34, head: [0x51, 32], tail: [] }, // P2TR
  { dustSat: 540n, length: 23, head: [0xa9, 20], tail: [0x87] }, // P2SH
  { dustSat: 546n, length: 25, head: [0x76, 0xa9, 20], tail: [0x88, 0xac] }, // P2PKH
] as const;

function startsWith(bytes: Uint8Array, wanted: readonly number[]): boolean {
  return wanted.every((byte, at) => bytes[at] === byte);
}
