// A pipe as frames: a length (u32, little endian) and that many bytes.

import { once } from "node:events";

export async function* frames(stream) {
  let chunks = [];
  let held = 0;
  let wanted = null;
  for await (const chunk of stream) {
    chunks.push(chunk);
    held += chunk.length;
    while (held >= (wanted ?? 4)) {
      const bytes = chunks.length === 1 ? chunks[0] : Buffer.concat(chunks);
      const size = wanted ?? 4;
      chunks = [bytes.subarray(size)];
      held -= size;
      if (wanted === null) {
        wanted = bytes.readUInt32LE(0);
      } else {
        wanted = null;
        yield bytes.subarray(0, size);
      }
    }
  }
}

export async function send(bytes) {
  const head = Buffer.alloc(4);
  head.writeUInt32LE(bytes.length);
  process.stdout.write(head);
  if (!process.stdout.write(bytes)) {
    await once(process.stdout, "drain");
  }
}
