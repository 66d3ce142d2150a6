import { createServer as createHttpServer } from "node:http";
import { createServer } from "vite";

const server = createHttpServer();
const vite = await createServer({
  optimizeDeps: { exclude: process.argv[2] === "excluded" ? ["tidegate"] : [] },
  // Of its own, Vite takes no port that the system chooses.
  server: { middlewareMode: true, hmr: { server } },
  logLevel: "warn",
});
server.on("request", vite.middlewares);
server.listen(0, "127.0.0.1", () => console.log(`http://127.0.0.1:${server.address().port}/`));
