import { expect, it } from 'vitest';
import { ClientLab } from '../test/client-lab.fixture.ts';

it('a client whose consensus has no exit soon learns of one that joins', () => {
  let exitsPublish = false;
  const lab = new ClientLab({ relaySettings: index => ({ publishes: index < 4 || exitsPublish }) });
  lab.until(() => lab.core.planner.view !== undefined, 'the client knows the network');
  lab.world.runFor(3_000);
  const first = lab.core.directory.consensus('microdesc');
  expect([first?.relays.length, lab.core.ready]).toEqual([4, false]);

  exitsPublish = true;
  for (const exit of [4, 5]) lab.network.restartRelay(exit);
  lab.until(() => lab.core.ready, 'a circuit through an exit');
  // By itself it would not have looked before its consensus is stale.
  expect(lab.machine.clock.wallMs()).toBeLessThan(first?.freshUntilMs ?? 0);
});
