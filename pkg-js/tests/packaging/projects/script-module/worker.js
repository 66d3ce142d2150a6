// A worker has no import map.
import * as tidegate from "./node_modules/tidegate/dist/index.js";
import { exercise } from "./shared/exercise.mjs";
import { answer } from "./shared/own-worker.mjs";

answer(() => exercise(tidegate, () => tidegate.init()));
