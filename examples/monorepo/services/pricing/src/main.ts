import { createServer } from "node:http";

import { run, sendJson } from "@bookshop/server";

import { parseLine, total } from "./basket.js";

const server = createServer((request, response) => {
  const url = new URL(request.url ?? "/", "http://pricing");
  if (url.pathname === "/healthz") {
    return sendJson(response, 200, { status: "ok", node: process.versions.node });
  }
  if (url.pathname !== "/total") {
    return sendJson(response, 404, { error: "not found" });
  }

  const lines = url.searchParams.getAll("line").map(parseLine);
  if (!lines.every((line) => line !== undefined)) {
    return sendJson(response, 400, { error: "a line is written as 12.50x2" });
  }
  return sendJson(response, 200, { total: total(lines) });
});

run("pricing", server, 3001);
