import { toHex } from '../base/bytes.ts';
import { ok, type Result } from '../base/fault.ts';
import { type DirectoryAuthority, parseDirAuthority } from '../directory/directory-authority.ts';
import type { ConfigFault, Torrc } from './torrc.ts';

/** The authorities that a torrc names, in its order; none of them twice, or it would count for two. */
export function readDirAuthorities(torrc: Torrc): Result<readonly DirectoryAuthority[], ConfigFault> {
  const authorities: DirectoryAuthority[] = [];
  const idents = new Set<string>();
  for (const { value, line } of torrc.lines('DirAuthority')) {
    const parsed = parseDirAuthority(value);
    const fault = (why: string) => ({ ok: false as const, fault: torrc.fault('DirAuthority', why, line) });
    if (!parsed.ok) return fault(parsed.fault.detail ?? parsed.fault.code);
    const ident = toHex(parsed.value.v3Ident ?? parsed.value.rsaId);
    if (idents.has(ident)) return fault('this authority stands here twice');
    idents.add(ident);
    authorities.push(parsed.value);
  }
  return ok(authorities);
}
