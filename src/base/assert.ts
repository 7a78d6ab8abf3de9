/** Thrown when naulon itself is wrong; never by anything a peer or a person sends. */
export class BrokenInvariant extends Error {
  override name = 'BrokenInvariant';
}

/** States what must hold at this line; stays on in production, since a node that is wrong about money must stop. */
export function assert(holds: unknown, what: string): asserts holds {
  if (!holds) throw new BrokenInvariant(what);
}

/** Does what books are kept by. Whatever it throws, they can be trusted no more: the node stops. */
export function inLedger<T>(keep: () => T): T {
  try {
    return keep();
  } catch (error) {
    throw error instanceof BrokenInvariant ? error : new BrokenInvariant(String(error), { cause: error });
  }
}
