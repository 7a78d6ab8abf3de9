/** Times as documents and HTTP spell them. The core may not hold a Date, so the calendar is computed here. */

/** `2026-01-31 23:59:00` in UTC to milliseconds since 1970, or undefined. */
export function parseDocumentTime(text: string): number | undefined {
  const match = /^(\d{4})-(\d{2})-(\d{2}) (\d{2}):(\d{2}):(\d{2})$/.exec(text);
  if (match === null) return undefined;
  const [year, month, day, hour, minute, second] = match.slice(1).map(Number);
  if (year < 1970 || month < 1 || month > 12 || day < 1 || hour > 23 || minute > 59 || second > 59)
    return undefined;
  const days = daysBeforeYear(year) + daysBeforeMonth(year, month) + day - 1;
  if (day > daysInMonth(year, month)) return undefined;
  return (((days * 24 + hour) * 60 + minute) * 60 + second) * 1000;
}

/** Whole seconds; the fraction of `ms` is cut off. */
export function formatDocumentTime(ms: number): string {
  const { year, month, day, hour, minute, second } = calendarOf(ms);
  const two = (value: number): string => String(value).padStart(2, '0');
  return `${String(year).padStart(4, '0')}-${two(month)}-${two(day)} ${two(hour)}:${two(minute)}:${two(second)}`;
}

interface Calendar {
  readonly year: number;
  /** 1 to 12. */
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
  /** 0 is Sunday. */
  readonly weekday: number;
}

/** UTC fields, proleptic Gregorian, from 1970 on. */
function calendarOf(ms: number): Calendar {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const days = Math.floor(seconds / 86_400);
  const ofDay = seconds - days * 86_400;
  let year = 1970 + Math.floor(days / 365.2425);
  while (daysBeforeYear(year) > days) year--;
  while (daysBeforeYear(year + 1) <= days) year++;
  let month = 1;
  const ofYear = days - daysBeforeYear(year);
  while (month < 12 && daysBeforeMonth(year, month + 1) <= ofYear) month++;
  return {
    year,
    month,
    day: ofYear - daysBeforeMonth(year, month) + 1,
    hour: Math.floor(ofDay / 3600),
    minute: Math.floor(ofDay / 60) % 60,
    second: ofDay % 60,
    weekday: (days + 4) % 7,
  };
}

function isLeap(year: number): boolean {
  return (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
}

/** Days from 1970-01-01 to the first of January of `year`. */
function daysBeforeYear(year: number): number {
  const before = year - 1;
  const leaps = (y: number): number => Math.floor(y / 4) - Math.floor(y / 100) + Math.floor(y / 400);
  return (year - 1970) * 365 + leaps(before) - leaps(1969);
}

const monthDays = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

function daysInMonth(year: number, month: number): number {
  return month === 2 && isLeap(year) ? 29 : monthDays[month - 1];
}

function daysBeforeMonth(year: number, month: number): number {
  let days = 0;
  for (let each = 1; each < month; each++) days += daysInMonth(year, each);
  return days;
}

const weekdays = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** `Sun, 06 Nov 1994 08:49:37 GMT`. spec: RFC 9110 section 5.6.7 */
export function formatHttpTime(ms: number): string {
  const { year, month, day, hour, minute, second, weekday } = calendarOf(ms);
  const two = (value: number): string => String(value).padStart(2, '0');
  return `${weekdays[weekday]}, ${two(day)} ${months[month - 1]} ${year} ${two(hour)}:${two(minute)}:${two(second)} GMT`;
}

/** Milliseconds since 1970, or undefined for any other form than formatHttpTime's. */
export function parseHttpTime(text: string): number | undefined {
  const match = /^[A-Z][a-z]{2}, (\d{2}) ([A-Z][a-z]{2}) (\d{4}) (\d{2}:\d{2}:\d{2}) GMT$/.exec(text);
  if (match === null) return undefined;
  const month = months.indexOf(match[2]) + 1;
  return parseDocumentTime(`${match[3]}-${String(month).padStart(2, '0')}-${match[1]} ${match[4]}`);
}
