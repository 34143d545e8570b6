import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { test } from "node:test";

import { run, sendJson } from "./index.js";

test("a server answers, and closes on SIGTERM", async () => {
  const server = createServer((_request, response) => sendJson(response, 200, { open: true }));
  process.env.PORT = "0";
  run("test", server, 8080);
  await once(server, "listening");

  const answer = await fetch(`http://127.0.0.1:${server.address().port}/`);
  assert.deepEqual(await answer.json(), { open: true });

  process.emit("SIGTERM");
  await once(server, "close");
});
