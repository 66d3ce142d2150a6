// The worked example: what everything here is done with.

export const schema = {
  $schema: "https://json-schema.org/draft/2020-12/schema",
  title: "Employee",
  type: "object",
  required: ["employeeId"],
  properties: {
    employeeId: { type: "string", examples: ["18129"] },
    employee: {
      type: "object",
      properties: {
        name: { type: "string", default: "" },
        username: { type: "string", default: "" },
        email: { type: "string", format: "email" },
      },
    },
    salary: { type: "number", minimum: 0 },
    active: { type: "boolean", default: false },
  },
  resmo: { id: "employeeId", name: "$.employee.username", importantFields: ["employeeId", "active"] },
};

/** Two things are wrong with it, and all are told. */
export const badSchema = { type: "array", resmo: { id: "$..id" } };

export const ada = {
  employeeId: "1",
  employee: { name: "Ada Lovelace", username: "ada" },
  salary: 1500,
  active: true,
};
export const grace = { employeeId: "2", employee: { name: "Grace Hopper", username: "grace" }, salary: 2000 };
export const bad = { employeeId: "3", employee: { email: "ada at example" }, salry: 1400 };

/** NDJSON with that many resources, as bytes. */
export function lines(count, line = (index) => JSON.stringify({ ...ada, employeeId: String(index) })) {
  return new TextEncoder().encode(Array.from({ length: count }, (_, index) => `${line(index)}\n`).join(""));
}

/** What work throws: its name, whether it is an instance of the package's class of that name, and what it carries. */
export async function failure(classes, work) {
  try {
    await work();
  } catch (error) {
    const { name, problems, code } = error;
    const isOwn = error instanceof Error && (classes[name] === undefined || error instanceof classes[name]);
    return { name, isOwn, ...(problems && { problems: problems.map(({ code }) => code) }), ...(code && { code }) };
  }
  return "nothing";
}
