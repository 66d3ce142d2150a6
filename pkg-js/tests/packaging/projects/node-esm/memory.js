// Started with little memory for WebAssembly.

import * as tidegate from "tidegate";
import { exhaustMemory } from "./shared/hostile.mjs";
import { tell } from "./shared/tell.mjs";

tell(async () => ({ memory: exhaustMemory(tidegate) }));
