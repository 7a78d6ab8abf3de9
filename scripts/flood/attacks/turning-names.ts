import { endReason, relayCommand } from '../../../src/cell/commands.ts';
import { beginFlag, decodeConnected, encodeBegin, encodeEnd } from '../../../src/cell/relay-messages.ts';
import type { Aim, AttackReport } from '../attack.ts';
import { hostileKinds } from '../hostile-names.ts';
import { askForStreams } from '../stream-asker.ts';

/** Each name is asked for so often, and leads elsewhere each time. */
const timesEach = 4;
const anyFamily = beginFlag.ipv6Okay | beginFlag.ipv6Preferred;

/** BEGINs to names of a hostile name server, which lead to what is allowed at first, and into the exit's network later. */
export async function turningNames(aim: Aim, stop: AbortSignal, begun: () => void): Promise<AttackReport> {
  let [outside, inside, refused] = [0, 0, 0];
  begun();
  const tries = await askForStreams(aim, stop, {
    ask: (circuit, before) => {
      const host = `n${Math.floor(before / timesEach)}.${hostileKinds[before % hostileKinds.length]}.test`;
      const flags = before % 3 === 2 ? anyFamily : 0;
      circuit.send(relayCommand.begin, encodeBegin({ host, port: aim.spring.port, flags }), circuit.step);
    },
    answer: (circuit, command, body, streamId) => {
      if (command === relayCommand.connected) {
        if (decodeConnected(body)?.address === aim.spring.host) outside += 1;
        else inside += 1;
        circuit.send(relayCommand.end, encodeEnd({ reason: endReason.done }), streamId);
        return true;
      }
      if (command !== relayCommand.end) return false;
      refused += 1;
      return true;
    },
  });
  return { tries, outside, inside, refused };
}
