// Puts the page together.

import { init } from "tidegate";
import { createBulk } from "./bulk.js";
import { byId, say } from "./dom.js";
import { createForm } from "./form.js";
import { createSchema } from "./schema.js";
import { createSettings } from "./settings.js";

try {
  await init();
  const settings = createSettings();
  const form = createForm(settings);
  const bulk = createBulk(settings);
  await createSchema("data/employee.schema.json", (schema) => {
    form.use(schema);
    bulk.use(schema);
  });
} catch (error) {
  const broken = byId("broken");
  broken.hidden = false;
  say(broken, `The page cannot start: ${error.message}`);
}
