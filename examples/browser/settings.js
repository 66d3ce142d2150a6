// Where to send, and as whom.

import { Client } from "tidegate/client";
import { byId } from "./dom.js";

/** What keeps a request from being made, in words. */
export class SettingsError extends Error {}

export function createSettings() {
  const [url, table, groupKey, key] = ["url", "table", "group-key", "key"].map(byId);
  const inputs = [url, table, groupKey, key];

  return {
    get table() {
      return table.value.trim();
    },

    get groupKey() {
      return groupKey.value;
    },

    get url() {
      return url.value.trim();
    },

    /** A client that checks with this gate what it sends. */
    client(gate) {
      if (!/^https?:\/\/./.test(this.url) || !URL.canParse(this.url)) {
        throw new SettingsError("The server's address is missing, or is none. It begins with http:// or https://.");
      }
      if (!this.table) throw new SettingsError("The name of the table is missing.");
      if (!key.value.trim()) {
        throw new SettingsError("The ingest key is missing. `cargo xtask run` prints one.");
      }
      // Somebody waits, so it gives up early.
      const patience = { retries: 2, maxRetryDelay: 2_000 };
      return new Client({ url: this.url, key: key.value, gates: { [this.table]: gate }, ...patience });
    },

    onChange(listener) {
      for (const input of inputs) input.addEventListener("input", listener);
    },
  };
}
