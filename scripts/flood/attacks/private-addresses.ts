import { relayCommand } from '../../../src/cell/commands.ts';
import { encodeResolve } from '../../../src/cell/relay-messages.ts';
import { Assailant, hostileAddresses } from '../assailant.ts';
import { type Aim, type AttackReport, scaled, stopped } from '../attack.ts';
import { HostileCircuits } from '../hostile-circuit.ts';
import { spellings } from '../spellings.ts';

const triesMax = 10_000;
/** So many that no circuit opens more streams than the relay lets pass without looking where they lead. */
const addresses = 50;
/** Streams of one circuit that wait for their answers. */
const atOnce = 20;

/** BEGINs to places inside the exit's own network, in every spelling, and by names that point there. */
export async function privateAddresses(
  aim: Aim,
  stop: AbortSignal,
  begun: () => void,
): Promise<AttackReport> {
  const hosts = spellings();
  const wanted = scaled(triesMax, aim);
  let [tries, connected, refused, resolved] = [0, 0, 0, 0];
  begun();
  await Promise.all(
    hostileAddresses(addresses).map(async from => {
      const all = new HostileCircuits();
      const one = new Assailant(from, all.onCell);
      const [link] = await one.openAll(aim.freeExit, 1);
      await new Promise<void>(done => {
        if (link === undefined) return done();
        let open = 0;
        const circuit = all.make(one, link, {
          created: made => {
            for (let i = 0; i < atOnce; i++) next(made);
          },
          cell: (made, command) => {
            if (command === relayCommand.connected) connected += 1;
            else if (command === relayCommand.end) refused += 1;
            else if (command === relayCommand.resolved) resolved += 1;
            else return;
            open -= 1;
            next(made);
          },
          destroyed: () => done(),
        });
        const next = (made: NonNullable<typeof circuit>): void => {
          if (stop.aborted || tries >= wanted) {
            if (open === 0) done();
            return;
          }
          const host = hosts[tries % hosts.length];
          tries += 1;
          open += 1;
          made.step = (made.step % 65_535) + 1;
          if (tries % 20 === 0) made.send(relayCommand.resolve, encodeResolve(host), made.step);
          else made.begin(made.step, host, aim.secret.port);
        };
        void stopped(stop).then(() => done());
      });
      await one.stop();
    }),
  );
  return { tries, connected, refused, resolved };
}
