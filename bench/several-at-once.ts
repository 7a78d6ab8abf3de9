/** `each` for 0 to `count` - 1, begun in that order, at most `atOnce` of them under way. */
export async function severalAtOnce(
  count: number,
  atOnce: number,
  each: (at: number) => Promise<unknown>,
): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count) await each(next++);
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, count) }, worker));
}
