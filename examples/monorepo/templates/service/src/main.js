import { createServer } from "node:http";

import { run, sendJson } from "@bookshop/server";

const server = createServer((_request, response) => sendJson(response, 200, { status: "ok" }));

run("{{ name }}", server, {{ port }});
