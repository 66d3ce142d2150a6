// The check of a file that comes in pieces, for the worker.

import { Stream } from "./core.js";
import { SCHEMA, notAManifest, refusing } from "./gate.js";

export class FileCheck extends Stream {
  constructor(gate, options) {
    super(gate[SCHEMA](), options?.showValues === true);
  }

  finish(manifest) {
    return JSON.parse(refusing(notAManifest, () => super.finish(manifest)));
  }
}
