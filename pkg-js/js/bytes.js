/** The bytes of a value that is some, where they are; nothing for any other value. */
export function viewOf(value) {
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  return value instanceof ArrayBuffer ? new Uint8Array(value) : undefined;
}

/** The JSON text of a value: itself if it is a text already, else what `JSON.stringify` writes. */
export function textOf(value) {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  if (text === undefined) throw new TypeError(`\`JSON.stringify\` writes nothing for this ${typeof value}`);
  return text;
}
