import { once } from 'node:events';
import { expect, it } from 'vitest';
import { interruption } from './interruption.ts';

it('is listened for by as many as are under way, without a warning', async () => {
  const warnings: Error[] = [];
  const note = (warning: Error) => void warnings.push(warning);
  process.on('warning', note);
  const stopping = interruption();
  for (let transfer = 0; transfer < 50; transfer++) stopping.signal.addEventListener('abort', () => {});
  // Warnings come in order.
  const last = once(process, 'warning');
  process.emitWarning('the last');
  await last;
  stopping.done();
  process.off('warning', note);
  expect(warnings.map(({ message }) => message)).toEqual(['the last']);
});
