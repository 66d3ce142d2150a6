// The check of a file that comes in pieces, for the worker.

import { Stream } from "./core.js";
import { SCHEMA, notAManifest, refusing } from "./gate.js";

export class FileCheck {
  #stream;

  constructor(gate, options) {
    this.#stream = new Stream(gate[SCHEMA](), options?.showValues === true);
  }

  push(bytes) {
    this.#stream.push(bytes);
  }

  get itemCount() {
    return this.#stream.items;
  }

  get invalidItems() {
    return this.#stream.invalidItems;
  }

  get isOver() {
    return this.#stream.isOver;
  }

  finish(manifest) {
    return JSON.parse(refusing(notAManifest, () => this.#stream.finish(manifest)));
  }

  free() {
    this.#stream.free();
  }
}
