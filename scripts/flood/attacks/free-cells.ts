import { relayCommand } from '../../../src/cell/commands.ts';
import { Assailant, hostileAddresses } from '../assailant.ts';
import { type Aim, type AttackReport, scaled, stopped } from '../attack.ts';
import { HostileCircuits } from '../hostile-circuit.ts';

const circuitsMax = 100_000;
const addresses = 50;
/** Circuits of one address that are under way at once. */
const atOnce = 8;
/** BEGINs on one circuit: each costs a cell, and its refusal another. */
const beginsEach = 40;

/** Circuits whose free cells ask for exit streams, until the relay ends them: how many cells each got. */
export async function freeCells(aim: Aim, stop: AbortSignal, begun: () => void): Promise<AttackReport> {
  const wanted = scaled(circuitsMax, aim);
  let [circuits, over, ends, connected, refused, least, most] = [0, 0, 0, 0, 0, Number.MAX_VALUE, 0];
  begun();
  await Promise.all(
    hostileAddresses(addresses).map(async from => {
      const circuitsOf = new HostileCircuits();
      const one = new Assailant(from, circuitsOf.onCell);
      const links = await one.openAll(aim.exit, 1);
      await new Promise<void>(done => {
        let open = 0;
        const next = (): void => {
          if (stop.aborted || circuits >= wanted || links.length === 0) {
            if (open === 0) done();
            return;
          }
          circuits += 1;
          open += 1;
          circuitsOf.make(one, links[0], {
            created: circuit => {
              for (let stream = 1; stream <= beginsEach; stream++)
                circuit.begin(stream, aim.spring.host, aim.spring.port);
            },
            cell: (circuit, command) => {
              if (command === relayCommand.connected) connected += 1;
              else if (command === relayCommand.end) circuit.step += 1;
            },
            destroyed: circuit => {
              circuitsOf.forget(one, circuit);
              over += 1;
              ends += circuit.step;
              if (circuit.step === 0) refused += 1;
              else {
                least = Math.min(least, 2 * circuit.step);
                most = Math.max(most, 2 * circuit.step);
              }
              open -= 1;
              next();
            },
          });
        };
        for (let i = 0; i < atOnce; i++) next();
        void stopped(stop).then(() => done());
      });
      await one.stop();
    }),
  );
  return { circuits: over, refused, connected, least: over === refused ? 0 : least, most, cells: 2 * ends };
}
