import { expect, test } from 'vitest';
import { netemCommands } from './netem.ts';

test('each direction of each relay has its delay and its rate, and nothing else has', () => {
  const wide = { roundTripMs: 300, bytesPerSecond: 5_000_000, by: 'netem' } as const;
  const commands = netemCommands(wide, [
    { orPort: 9_001, hops: 1 },
    { orPort: 9_002, hops: 3 },
  ]);
  expect(commands[0]).toContain('root handle 1: htb default 0');
  const about = (what: string) => commands.filter(command => command.includes(what));
  expect(about('netem').map(each => each.replace(/.*parent/, 'parent'))).toEqual([
    'parent 1:1 netem delay 150ms limit 2100',
    'parent 1:2 netem delay 150ms limit 2100',
    'parent 1:3 netem delay 50ms limit 2100',
    'parent 1:4 netem delay 50ms limit 2100',
  ]);
  expect(about('rate 5000000bps')).toHaveLength(4);
  expect(about('filter').map(each => each.replace(/.*match /, ''))).toEqual([
    'ip dport 9001 0xffff flowid 1:1',
    'ip sport 9001 0xffff flowid 1:2',
    'ip dport 9002 0xffff flowid 1:3',
    'ip sport 9002 0xffff flowid 1:4',
  ]);
});
