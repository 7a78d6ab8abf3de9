import { calendarTime, monthNames, twoDigits, wallMsOf, weekdayName } from '../base/calendar.ts';

/** Times as documents and HTTP spell them. */

/** `2026-01-31 23:59:00` in UTC to milliseconds since 1970, or undefined. */
export function parseDocumentTime(text: string): number | undefined {
  const match = /^(\d{4})-(\d{2})-(\d{2}) (\d{2}):(\d{2}):(\d{2})$/.exec(text);
  if (match === null) return undefined;
  const [year, month, day, hour, minute, second] = match.slice(1).map(Number);
  return year < 1970 ? undefined : wallMsOf({ year, month, day, hour, minute, second });
}

/** Whole seconds; the fraction of `ms` is cut off. */
export function formatDocumentTime(ms: number): string {
  const { year, month, day, ...ofDay } = calendarTime(Math.max(0, ms));
  return `${String(year).padStart(4, '0')}-${twoDigits(month)}-${twoDigits(day)} ${clockText(ofDay)}`;
}

/** `Sun, 06 Nov 1994 08:49:37 GMT`. spec: RFC 9110 section 5.6.7 */
export function formatHttpTime(ms: number): string {
  const { year, month, day, ...ofDay } = calendarTime(ms);
  return `${weekdayName(ms)}, ${twoDigits(day)} ${monthNames[month - 1]} ${year} ${clockText(ofDay)} GMT`;
}

/** Milliseconds since 1970, or undefined for any other form than formatHttpTime's. */
export function parseHttpTime(text: string): number | undefined {
  const match = /^[A-Z][a-z]{2}, (\d{2}) ([A-Z][a-z]{2}) (\d{4}) (\d{2}:\d{2}:\d{2}) GMT$/.exec(text);
  if (match === null) return undefined;
  const month = monthNames.indexOf(match[2]) + 1;
  return parseDocumentTime(`${match[3]}-${twoDigits(month)}-${match[1]} ${match[4]}`);
}

function clockText({ hour, minute, second }: { hour: number; minute: number; second: number }): string {
  return [hour, minute, second].map(twoDigits).join(':');
}
