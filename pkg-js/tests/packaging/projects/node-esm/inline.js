import * as tidegate from "tidegate/inline";
import { exercise } from "./shared/exercise.mjs";
import { tell } from "./shared/tell.mjs";

tell(async () => ({ exercise: await exercise(tidegate, () => tidegate.init()) }));
