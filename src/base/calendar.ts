/** Times of day as people write them. Cores may hold no Date, so the calendar is computed here. */

/** A moment in UTC, of the Gregorian calendar. */
export interface CalendarTime {
  readonly year: number;
  /** 1 to 12. */
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
}

/** English, as HTTP and OpenSSL write them. */
export const monthNames = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ');
const weekdayNames = 'Sun Mon Tue Wed Thu Fri Sat'.split(' ');

const secondsOfDay = 86_400;

/** Milliseconds since 1970, or undefined for a day or an hour that does not exist. */
export function wallMsOf(time: CalendarTime): number | undefined {
  const { year, month, day, hour, minute, second } = time;
  if (!(month >= 1 && month <= 12 && hour < 24 && minute < 60 && second < 60)) return undefined;
  const ms = ((daysSince1970(year, month, day) * 24 + hour) * 60 + minute) * 60_000 + second * 1_000;
  // The 31st of April is the first of May: what comes back as another day was none.
  return calendarTime(ms).day === day ? ms : undefined;
}

/** The moment `ms` after 1970 began; a fraction of a second is cut off. */
export function calendarTime(ms: number): CalendarTime {
  const seconds = Math.floor(ms / 1_000);
  const days = Math.floor(seconds / secondsOfDay);
  let year = 1970 + Math.floor(days / 365.2425);
  while (daysSince1970(year, 1, 1) > days) year -= 1;
  while (daysSince1970(year + 1, 1, 1) <= days) year += 1;
  let month = 12;
  while (daysSince1970(year, month, 1) > days) month -= 1;
  const ofDay = seconds - days * secondsOfDay;
  return {
    year,
    month,
    day: days - daysSince1970(year, month, 1) + 1,
    hour: Math.floor(ofDay / 3_600),
    minute: Math.floor(ofDay / 60) % 60,
    second: ofDay % 60,
  };
}

/** `Sun` to `Sat`. */
export function weekdayName(ms: number): string {
  const days = Math.floor(ms / 1_000 / secondsOfDay);
  // The first of January 1970 was a Thursday.
  return weekdayNames[(((days + 4) % 7) + 7) % 7];
}

/** Two digits, as hours and days are written. */
export function twoDigits(value: number): string {
  return String(value).padStart(2, '0');
}

/** Years are counted from March, so that a leap day is the last day of its year. */
function daysSince1970(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year;
  const dayOfYear = Math.floor((153 * ((month + 9) % 12) + 2) / 5) + day - 1;
  return y * 365 + Math.floor(y / 4) - Math.floor(y / 100) + Math.floor(y / 400) + dayOfYear - 719_468;
}
