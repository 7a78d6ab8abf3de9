/** Numbers in versions count as numbers, so 0.4.9.11 is later than 0.4.9.9; all else counts as text. */
export function compareVersions(a: string, b: string): number {
  const [of, than] = [a, b].map(version => version.split(/(\d+)/));
  const at = of.findIndex((part, i) => part !== than[i]);
  if (at < 0) return of.length - than.length;
  const difference = Number(of[at]) - Number(than[at]);
  return Number.isNaN(difference) || difference === 0 ? (of[at] < (than[at] ?? '') ? -1 : 1) : difference;
}
