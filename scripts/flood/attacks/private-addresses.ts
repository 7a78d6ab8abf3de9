import { relayCommand } from '../../../src/cell/commands.ts';
import { encodeResolve } from '../../../src/cell/relay-messages.ts';
import type { Aim, AttackReport } from '../attack.ts';
import { spellings } from '../spellings.ts';
import { askForStreams } from '../stream-asker.ts';

/** BEGINs to places inside the exit's own network, in every spelling, and by names that point there. */
export async function privateAddresses(
  aim: Aim,
  stop: AbortSignal,
  begun: () => void,
): Promise<AttackReport> {
  const hosts = spellings();
  let [connected, refused, resolved] = [0, 0, 0];
  begun();
  const tries = await askForStreams(aim, stop, {
    ask: (circuit, before) => {
      const host = hosts[before % hosts.length];
      if (before % 20 === 19) circuit.send(relayCommand.resolve, encodeResolve(host), circuit.step);
      else circuit.begin(circuit.step, host, aim.secret.port);
    },
    answer: (_circuit, command) => {
      if (command === relayCommand.connected) connected += 1;
      else if (command === relayCommand.end) refused += 1;
      else if (command === relayCommand.resolved) resolved += 1;
      else return false;
      return true;
    },
  });
  return { tries, connected, refused, resolved };
}
