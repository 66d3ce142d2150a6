// The core as a WebAssembly module, called as the npm package calls it: what is checked is copied
// into the module's memory at each call.

export async function load(bytes) {
  const { instance } = await WebAssembly.instantiate(bytes, {});
  const exports = instance.exports;

  // Made anew for each use: a memory that grows detaches the views of it.
  function view(at, length) {
    return new Uint8Array(exports.memory.buffer, at, length);
  }

  function put(bytes) {
    const at = exports.alloc(bytes.length) >>> 0;
    view(at, bytes.length).set(bytes);
    return at;
  }

  function prepare(schema) {
    const at = put(schema);
    const done = exports.kept_prepare(at, schema.length);
    exports.release(at, schema.length);
    if (done !== 1) {
      throw new Error("the schema was refused");
    }
  }

  function check(bytes, bulk) {
    const at = put(bytes);
    const passed = exports.kept_check(at, bytes.length, bulk);
    exports.release(at, bytes.length);
    return passed;
  }

  function validate(bytes) {
    const at = put(bytes);
    const passed = exports.kept_validate(at, bytes.length);
    exports.release(at, bytes.length);
    return passed;
  }

  const encoder = new TextEncoder();

  function checkText(text, bulk) {
    // Most texts are ASCII, and then this is all the room they need.
    let room = text.length;
    let at = exports.alloc(room) >>> 0;
    let { read, written } = encoder.encodeInto(text, view(at, room));
    if (read < text.length) {
      const rest = text.slice(read);
      const more = written + 3 * rest.length;
      const other = exports.alloc(more) >>> 0;
      view(other, written).set(view(at, written));
      exports.release(at, room);
      [at, room] = [other, more];
      written += encoder.encodeInto(rest, view(at + written, more - written)).written;
    }
    const passed = exports.kept_check(at, written, bulk);
    exports.release(at, room);
    return passed;
  }

  return { prepare, check, validate, checkText };
}
