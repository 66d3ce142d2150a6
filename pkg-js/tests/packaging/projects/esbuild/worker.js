import * as tidegate from "tidegate";
import { exercise } from "./shared/exercise.mjs";
import { answer } from "./shared/own-worker.mjs";

answer(() => exercise(tidegate, () => tidegate.init()));
