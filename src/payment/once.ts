/** `make` at the first call, and the same ever after: what the sides of a scheme share in one life of a node. */
export function once<A extends readonly unknown[], T>(make: (...first: A) => T): (...first: A) => T {
  let made: { readonly value: T } | undefined;
  return (...first) => {
    made ??= { value: make(...first) };
    return made.value;
  };
}
