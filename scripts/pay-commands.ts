import { toHex } from '../src/base/bytes.ts';
import { exitCode, OperatorError } from '../src/base/fault.ts';
import { readInput } from '../src/node-io/input-file.ts';
import { chosenBrokered, schemeAt } from '../src/node-io/scheme-module.ts';
import { parseProof, unproven } from '../src/payment/proof.ts';
import { brokeredSchemes } from '../src/schemes/brokered.ts';
import type { GlobalOptions } from './global-options.ts';
import type { Terminal } from './terminal.ts';

/** Says whom a proof of cheating convicts; asks nobody. */
export async function proof(
  { scheme: told }: GlobalOptions & { readonly scheme?: string },
  terminal: Terminal,
  [file]: string[],
): Promise<number> {
  const parsed = parseProof(readInput(file));
  if (!parsed.ok) throw new OperatorError(parsed.fault.code, `${file}: ${parsed.fault.detail}`, 2);
  const { scheme: name, cheat } = parsed.value;
  const outside = told === undefined ? [] : await chosenBrokered([schemeAt('', told)]);
  const scheme = [...outside, ...brokeredSchemes].find(each => each.name === name);
  const verdict =
    scheme === undefined
      ? unproven(`there is no scheme "${name}" with a broker here; --scheme names the module of one`)
      : scheme.judge(parsed.value);
  if (verdict.guilty === undefined) {
    terminal.object({ scheme: name, cheat, proven: false, why: verdict.why });
    terminal.print(`proves nothing: ${verdict.why}`);
    return exitCode.badAnswer;
  }
  const guilty = toHex(verdict.guilty);
  terminal.object({ scheme: name, cheat, proven: true, guilty, role: verdict.role, what: verdict.what });
  terminal.print(`${name}: the ${verdict.role} ${guilty} ${verdict.what}.`);
  return exitCode.ok;
}
