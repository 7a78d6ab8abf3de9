/** Each payment system has a colour, and its variants shades of it. */
const shades: Readonly<Record<string, readonly string[]>> = {
  'bitcoin-channel': ['#3b3b3b'],
  payword: ['#1f6fb4', '#8ec1ea'],
  'p2p-netpay': ['#e6860b'],
  ppay: ['#2a8f3c', '#93d48f'],
  whopay: ['#8a4fb5', '#c9a6e3'],
  cpay: ['#a11d21', '#dd4b3e', '#f28b6d', '#fbc4a9', '#6b1114'],
};

/** A colour for each of the subjects, in their order. */
export function coloursOf(subjects: readonly string[]): string[] {
  const used = new Map<string, number>();
  return subjects.map(subject => {
    const [system] = subject.split(',');
    const at = used.get(system) ?? 0;
    used.set(system, at + 1);
    return shades[system]?.[at] ?? '#888888';
  });
}
