// What every project does with the client, against the server in `server.mjs`, and tells.

import { ada, bad, failure, grace } from "./data.mjs";

export async function client(entry, gate, url) {
  const { Client } = entry;
  const told = {};
  const there = new Client({ url, key: "tgk_right", gates: { employee: gate } });
  told.sent = await there.send("employee", ada, { event: "promotion", actor: { name: "Ada" }, groupKey: "a&b" });
  told.rejected = await failure(entry, () => there.send("employee", bad));
  const lines = `${JSON.stringify(ada)}\n${JSON.stringify(grace)}\n`;
  told.bulk = await there.sendBulk("employee", lines, { maxRemovals: "20%" });
  told.removed = await there.remove("employee", ["1", "a,b"]);
  told.preview = await there.preview("employee", [ada, grace]);
  // The server is away for the first two requests of each such table.
  told.retried = await there.send(`unsteady-${Math.random().toString(36).slice(2)}`, ada);
  const unknown = new Client({ url, key: "tgk_wrong" });
  told.unauthorised = await failure(entry, () => unknown.manifest("employee"));
  told.redirected = await failure(entry, () => there.manifest("moved"));
  const nobody = new Client({ url: "http://127.0.0.1:1", key: "tgk_right", retries: 0 });
  told.unanswered = await failure(entry, () => nobody.manifest("employee"));
  return told;
}
