import { endReason, relayCommand } from '../../../src/cell/commands.ts';
import { encodeEnd } from '../../../src/cell/relay-messages.ts';
import { Assailant, hostileAddresses } from '../assailant.ts';
import { type Aim, type AttackReport, steadily } from '../attack.ts';
import { type HostileCircuit, HostileCircuits } from '../hostile-circuit.ts';

const addresses = 10;
const beginsPerSecond = 10_000;

/** BEGINs on few circuits of a free exit, each ended as soon as it is answered. */
export async function streamFlood(aim: Aim, stop: AbortSignal, begun: () => void): Promise<AttackReport> {
  let [sent, connected, refused] = [0, 0, 0];
  const circuits: { readonly one: Assailant; readonly circuit: HostileCircuit }[] = [];
  const assailants = hostileAddresses(addresses).map(from => {
    const all = new HostileCircuits();
    return { one: new Assailant(from, all.onCell), all };
  });
  for (const { one, all } of assailants) {
    const [link] = await one.openAll(aim.freeExit, 1);
    if (link === undefined) continue;
    all.make(one, link, {
      created: circuit => circuits.push({ one, circuit }),
      cell: (circuit, command, _body, streamId) => {
        if (command === relayCommand.connected) {
          connected += 1;
          circuit.send(relayCommand.end, encodeEnd({ reason: endReason.done }), streamId);
        } else if (command === relayCommand.end) refused += 1;
      },
    });
  }
  let turn = 0;
  begun();
  await steadily(beginsPerSecond * aim.scale, stop, () => {
    if (circuits.length === 0) return false;
    const { one, circuit } = circuits[turn++ % circuits.length];
    if (!one.flows) return false;
    circuit.step = (circuit.step % 65_535) + 1;
    circuit.begin(circuit.step, aim.sink.host, aim.sink.port);
    sent += 1;
    return true;
  });
  await Promise.all(assailants.map(({ one }) => one.stop()));
  return { begun: sent, connected, refused };
}
