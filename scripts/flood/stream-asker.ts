import { Assailant, hostileAddresses } from './assailant.ts';
import { type Aim, scaled, stopped } from './attack.ts';
import { type HostileCircuit, HostileCircuits } from './hostile-circuit.ts';

const triesMax = 10_000;
/** So many that no circuit opens more streams than the relay lets pass without looking where they lead. */
const addresses = 50;
/** Streams of one circuit that wait for their answers. */
const atOnce = 20;

/** What is asked of an exit, stream after stream, and what is made of its answers. */
export interface StreamQuestions {
  /** Asks on the stream whose id is `circuit.step`. @param tries asked before, over all circuits. */
  ask(circuit: HostileCircuit, tries: number): void;
  /** False: this cell is no answer. */
  answer(circuit: HostileCircuit, command: number, body: Uint8Array, streamId: number): boolean;
}

/** Asks the free exit, over many circuits of many addresses, until enough was asked or it is stopped: how much was. */
export async function askForStreams(
  aim: Aim,
  stop: AbortSignal,
  questions: StreamQuestions,
): Promise<number> {
  const wanted = scaled(triesMax, aim);
  let tries = 0;
  const askOver = async (from: string): Promise<void> => {
    const all = new HostileCircuits();
    const one = new Assailant(from, all.onCell);
    const [link] = await one.openAll(aim.freeExit, 1);
    await new Promise<void>(done => {
      if (link === undefined) return done();
      let open = 0;
      const next = (circuit: HostileCircuit): void => {
        if (stop.aborted || tries >= wanted) {
          if (open === 0) done();
          return;
        }
        circuit.step = (circuit.step % 65_535) + 1;
        questions.ask(circuit, tries);
        tries += 1;
        open += 1;
      };
      all.make(one, link, {
        created: circuit => {
          for (let i = 0; i < atOnce; i++) next(circuit);
        },
        cell: (circuit, command, body, streamId) => {
          if (!questions.answer(circuit, command, body, streamId)) return;
          open -= 1;
          next(circuit);
        },
        destroyed: () => done(),
      });
      void stopped(stop).then(() => done());
    });
    await one.stop();
  };
  await Promise.all(hostileAddresses(addresses).map(askOver));
  return tries;
}
