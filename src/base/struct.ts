import { assert } from './assert.ts';
import { ByteReader, ByteWriter } from './bytes.ts';

/**
 * Messages declared once, both directions derived: `struct({ kind: u8, key: fixedBytes(32) })` has `encode`, `decode` and
 * an inferred type. For control messages; cell headers have hand-written accessors, because they cost per cell.
 *
 * Decoding never throws: a short or illegal input gives undefined. Decoded bytes are copies, so they outlive the buffer.
 */
export interface Field<T> {
  /** The value, or undefined when the bytes spell none. Shortness is also seen in `reader.short`. */
  read(reader: ByteReader): T | undefined;
  write(writer: ByteWriter, value: T): void;
}

/** What a field, or a struct, holds: `type Begin = Holds<typeof begin>`. */
export type Holds<F> = F extends Field<infer T> ? T : never;

/** A message that is declared: a field, and bytes in both directions. */
export interface Struct<T> extends Field<T> {
  encode(value: T): Uint8Array;
  /** All of `bytes` must be used. */
  decode(bytes: Uint8Array): T | undefined;
  /** Bytes behind the last field are ignored, as in cells that are padded. */
  decodePadded(bytes: Uint8Array): T | undefined;
}

type Fields = Readonly<Record<string, Field<unknown>>>;
type Values<F extends Fields> = { readonly [K in keyof F]: Holds<F[K]> };

/** One byte. */
export const u8: Field<number> = { read: reader => reader.u8(), write: (writer, value) => writer.u8(value) };
/** Two bytes, big-endian. */
export const u16: Field<number> = {
  read: reader => reader.u16(),
  write: (writer, value) => writer.u16(value),
};
/** Four bytes, big-endian. */
export const u32: Field<number> = {
  read: reader => reader.u32(),
  write: (writer, value) => writer.u32(value),
};
/** Eight bytes, big-endian. */
export const u64: Field<bigint> = {
  read: reader => reader.u64(),
  write: (writer, value) => writer.u64(value),
};

/** So many bytes, no more and no less. */
export function fixedBytes(length: number): Field<Uint8Array> {
  return {
    read: reader => reader.copy(length),
    write(writer, value) {
      assert(value.length === length, `a field of ${length} bytes`);
      writer.bytes(value);
    },
  };
}

/** Bytes behind their length. */
export function sizedBytes(size: Field<number>, lengthMax = 65_535): Field<Uint8Array> {
  return {
    read(reader) {
      const length = size.read(reader);
      if (length === undefined || length > lengthMax) return undefined;
      return reader.copy(length);
    },
    write(writer, value) {
      assert(value.length <= lengthMax, `at most ${lengthMax} bytes`);
      size.write(writer, value.length);
      writer.bytes(value);
    },
  };
}

/** All bytes that are left. */
export const restBytes: Field<Uint8Array> = {
  read: reader => reader.copy(reader.remaining),
  write: (writer, value) => writer.bytes(value),
};

/** A list behind its count. */
export function countedList<T>(count: Field<number>, item: Field<T>): Field<readonly T[]> {
  return {
    read(reader) {
      const length = count.read(reader);
      return length === undefined ? undefined : readItems(reader, item, seen => seen < length);
    },
    write(writer, value) {
      count.write(writer, value.length);
      for (const each of value) item.write(writer, each);
    },
  };
}

/** A list that reaches to the end. */
export function restList<T>(item: Field<T>): Field<readonly T[]> {
  return {
    read: reader => readItems(reader, item, () => reader.remaining > 0),
    write(writer, value) {
      for (const each of value) item.write(writer, each);
    },
  };
}

/** Stops at the first missing byte, so that a large count in a short message costs nothing. */
function readItems<T>(
  reader: ByteReader,
  item: Field<T>,
  goOn: (seen: number) => boolean,
): readonly T[] | undefined {
  const items: T[] = [];
  while (goOn(items.length)) {
    const each = item.read(reader);
    if (each === undefined || reader.short) return undefined;
    items.push(each);
  }
  return items;
}

/** The named fields in the order of their declaration. */
export function struct<F extends Fields>(fields: F): Struct<Values<F>> {
  const names = Object.keys(fields);
  const each = Object.values(fields);
  /** Most messages of a kind have one length. */
  let lastBytes = 64;
  const read = (reader: ByteReader): Values<F> | undefined => {
    const values: Record<string, unknown> = {};
    for (let i = 0; i < names.length; i++) {
      const value = each[i].read(reader);
      if (value === undefined || reader.short) return undefined;
      values[names[i]] = value;
    }
    return values as Values<F>;
  };
  const write = (writer: ByteWriter, value: Values<F>): void => {
    for (let i = 0; i < names.length; i++) each[i].write(writer, value[names[i]]);
  };
  return {
    read,
    write,
    encode(value) {
      const writer = new ByteWriter(lastBytes);
      write(writer, value);
      lastBytes = writer.length;
      return writer.finish();
    },
    decode(bytes) {
      const reader = new ByteReader(bytes);
      const value = read(reader);
      return value !== undefined && reader.exhausted ? value : undefined;
    },
    decodePadded: bytes => read(new ByteReader(bytes)),
  };
}
