import fc from 'fast-check';
import { expect, it } from 'vitest';
import { calendarTime, wallMsOf, weekdayName } from './calendar.ts';

it('is the calendar of Date, in both directions', () => {
  fc.assert(
    fc.property(
      fc.date({ min: new Date('1601-01-01'), max: new Date('9999-12-31'), noInvalidDate: true }),
      date => {
        const ms = Math.floor(date.getTime() / 1_000) * 1_000;
        const time = calendarTime(date.getTime());
        expect(time).toEqual({
          year: date.getUTCFullYear(),
          month: date.getUTCMonth() + 1,
          day: date.getUTCDate(),
          hour: date.getUTCHours(),
          minute: date.getUTCMinutes(),
          second: date.getUTCSeconds(),
        });
        expect(wallMsOf(time)).toBe(ms);
        expect(date.toUTCString().startsWith(weekdayName(ms))).toBe(true);
      },
    ),
    { numRuns: 500 },
  );
});

it.each([
  { month: 2, day: 29 },
  { month: 4, day: 31 },
  { day: 0 },
  { day: 32 },
  { month: 0 },
  { month: 13 },
  { hour: 24 },
  { minute: 60 },
  { second: 60 },
])('knows no moment with %o in 2026', part => {
  expect(wallMsOf({ year: 2026, month: 1, day: 1, hour: 0, minute: 0, second: 0, ...part })).toBeUndefined();
});
