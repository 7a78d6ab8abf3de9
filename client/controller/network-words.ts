import { toBase64 } from '../../src/base/bytes.ts';
import { formatDocumentTime } from '../../src/directory/calendar.ts';
import { formatPortPolicy } from '../../src/directory/port-policy.ts';
import type { RelayInfo } from '../../src/directory/relay-info.ts';

/** A microdescriptor consensus says nothing of either: C tor tells them so too. */
const noDigest = 'A'.repeat(27);
const noPublication = formatDocumentTime(2_145_916_800_000);

/** A relay's entry as `ns/…` and the events NS and NEWCONSENSUS give it, each line ended. spec: dir-spec/consensus-formats */
export function relayEntry(relay: RelayInfo): string {
  const { nickname, rsaId, address, ipv6, dirPort, flags, bandwidth, exitPolicy } = relay;
  const lines = [
    `r ${nickname} ${unpadded(rsaId)} ${noDigest} ${noPublication} ${address.host} ${address.port} ${dirPort}`,
  ];
  if (ipv6 !== undefined) lines.push(`a [${ipv6.host}]:${ipv6.port}`);
  lines.push(`s ${[...flags].sort().join(' ')}`);
  lines.push(`w Bandwidth=${bandwidth}`, `p ${formatPortPolicy(exitPolicy)}`);
  return `${lines.join('\n')}\n`;
}

function unpadded(bytes: Uint8Array): string {
  return toBase64(bytes).replace(/=+$/, '');
}
