/**
 * What the system has against a file or a port, in its words for people: Node's messages, as "ENOENT: no such file or
 * directory, open '/a'", repeat what the line that it stands in has said.
 */
export function systemReason(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return /\bE[A-Z0-9]+: ([a-z -]*[a-z])/.exec(message)?.[1] ?? message;
}
