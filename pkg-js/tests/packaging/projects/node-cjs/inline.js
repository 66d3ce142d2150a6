const tidegate = require("tidegate/inline");

Promise.all([import("./shared/exercise.mjs"), import("./shared/tell.mjs")]).then(([{ exercise }, { tell }]) =>
  tell(async () => ({ exercise: await exercise(tidegate, () => tidegate.init()) })),
);
