import { relayCommand } from '../../../src/cell/commands.ts';
import { Assailant, hostileAddresses } from '../assailant.ts';
import { type Aim, type AttackReport, scaled, stopped } from '../attack.ts';
import { HostileCircuits } from '../hostile-circuit.ts';

const readersMax = 1_000;
const addresses = 20;
/** Each with a stream whose window is open. */
const circuitsEach = 4;

/** Links that ask an exit for more than its queues hold, and then read nothing. */
export async function slowReaders(aim: Aim, stop: AbortSignal, begun: () => void): Promise<AttackReport> {
  const each = Math.ceil(scaled(readersMax, aim) / addresses);
  let [stalled, connected, refused, ended] = [0, 0, 0, 0];
  const assailants = hostileAddresses(addresses).map(from => {
    const all = new HostileCircuits();
    return { one: new Assailant(from, all.onCell), all };
  });
  begun();
  for (const { one, all } of assailants)
    for (let at = 0; at < each && !stop.aborted; at++) {
      const link = await one.open(aim.freeExit);
      if (link === undefined) continue;
      await new Promise<void>(done => {
        // The relay may end the link before it has answered.
        one.whenLost(link, done);
        void stopped(stop).then(done);
        let answered = 0;
        const count = (): void => {
          answered += 1;
          if (answered === circuitsEach) done();
        };
        for (let circuit = 0; circuit < circuitsEach; circuit++)
          all.make(one, link, {
            created: made => made.begin(1, aim.spring.host, aim.spring.port),
            cell: (_circuit, command) => {
              if (command !== relayCommand.connected && command !== relayCommand.end) return;
              if (command === relayCommand.connected) connected += 1;
              count();
            },
            destroyed: circuit => {
              if (circuit.step === 0) refused += 1;
              ended += 1;
              count();
            },
          });
      });
      one.port.pause(link);
      stalled += 1;
    }
  await stopped(stop);
  const lost = assailants.reduce((sum, { one }) => sum + one.lost, 0);
  await Promise.all(assailants.map(({ one }) => one.stop()));
  return { stalled, connected, refused, ended, lost };
}
