// Tells what a project found: a page where the one who opened it looks, a program on its output.

export function tell(work) {
  const told = work().then(
    (told) => ({ told }),
    (error) => ({ error: String(error?.stack ?? error), cause: String(error?.cause ?? "") }),
  );
  if (globalThis.document) globalThis.told = told;
  else told.then((told) => process.stdout.write(`${JSON.stringify(told)}\n`));
}
