import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { isInternalIp } from '../base/ip.ts';
import type { Answer } from '../ports.ts';
import { HttpParties } from './party-http.ts';
import { openPartySide } from './party-side.ts';
import { SystemEntropy } from './system-entropy.ts';

it('asks the broker where its operator says, and nobody in its own network whom peers name', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'naulon-party-'));
  const [broker, neighbour] = [new HttpParties(), new HttpParties()];
  const asked: string[] = [];
  const at = await Promise.all(
    Object.entries({ broker, neighbour }).map(([name, party]) => {
      party.attach({
        onAnswer() {},
        onChain() {},
        onRequest(request) {
          asked.push(name);
          party.answer(request, { kind: 'reply', bytes: Uint8Array.of(1) });
        },
      });
      return party.listen({ host: '127.0.0.1', port: 0 });
    }),
  );
  const options = { at: { host: '127.0.0.1', port: 0 }, broker: at[0], isForbidden: isInternalIp };
  const { parties } = await openPartySide(directory, new SystemEntropy(), options);
  const answers = new Map<number, Answer>();
  await new Promise<void>(resolve => {
    parties.attach({
      onChain() {},
      onAnswer(answer) {
        answers.set(answer.ask, answer);
        if (answers.size === 4) resolve();
      },
    });
    const { port } = at[1];
    const others = ['127.0.0.1', '::ffff:127.0.0.1', 'localhost'].map(host => ({ host, port }));
    for (const [ask, to] of [at[0], ...others].entries()) parties.ask(to, 7, Uint8Array.of(2), ask);
  });
  await Promise.all([parties, broker, neighbour].map(party => party.stop()));
  rmSync(directory, { recursive: true });
  expect(answers.get(0)).toMatchObject({ reply: Uint8Array.of(1) });
  for (const ask of [1, 2, 3]) expect(answers.get(ask)).toMatchObject({ fault: 'unreachable' });
  expect(asked).toEqual(['broker']);
});
