import { endReason, relayCommand } from '../../../src/cell/commands.ts';
import { beginFlag, decodeConnected, encodeBegin, encodeEnd } from '../../../src/cell/relay-messages.ts';
import { Assailant, hostileAddresses } from '../assailant.ts';
import { type Aim, type AttackReport, scaled, stopped } from '../attack.ts';
import { type HostileCircuit, HostileCircuits } from '../hostile-circuit.ts';
import { hostileKinds } from '../hostile-names.ts';

const triesMax = 10_000;
/** So many that no circuit opens more streams than the relay lets pass without looking where they lead. */
const addresses = 50;
/** Streams of one circuit that wait for their answers. */
const atOnce = 20;
/** Each name is asked for so often, and leads elsewhere each time. */
const timesEach = 4;
const anyFamily = beginFlag.ipv6Okay | beginFlag.ipv6Preferred;

/** BEGINs to names of a hostile name server, which lead to what is allowed at first, and into the exit's network later. */
export async function turningNames(aim: Aim, stop: AbortSignal, begun: () => void): Promise<AttackReport> {
  const wanted = scaled(triesMax, aim);
  let [tries, outside, inside, refused] = [0, 0, 0, 0];
  begun();
  await Promise.all(
    hostileAddresses(addresses).map(async from => {
      const all = new HostileCircuits();
      const one = new Assailant(from, all.onCell);
      const [link] = await one.openAll(aim.freeExit, 1);
      await new Promise<void>(done => {
        if (link === undefined) return done();
        let open = 0;
        const next = (made: HostileCircuit): void => {
          if (stop.aborted || tries >= wanted) {
            if (open === 0) done();
            return;
          }
          const host = `n${Math.floor(tries / timesEach)}.${hostileKinds[tries % hostileKinds.length]}.test`;
          tries += 1;
          open += 1;
          made.step = (made.step % 65_535) + 1;
          const flags = tries % 3 === 0 ? anyFamily : 0;
          made.send(relayCommand.begin, encodeBegin({ host, port: aim.spring.port, flags }), made.step);
        };
        all.make(one, link, {
          created: made => {
            for (let i = 0; i < atOnce; i++) next(made);
          },
          cell: (made, command, body, streamId) => {
            if (command === relayCommand.connected) {
              if (decodeConnected(body)?.address === aim.spring.host) outside += 1;
              else inside += 1;
              made.send(relayCommand.end, encodeEnd({ reason: endReason.done }), streamId);
            } else if (command === relayCommand.end) refused += 1;
            else return;
            open -= 1;
            next(made);
          },
          destroyed: () => done(),
        });
        void stopped(stop).then(() => done());
      });
      await one.stop();
    }),
  );
  return { tries, outside, inside, refused };
}
