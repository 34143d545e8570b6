import { run } from "@bookshop/server";
import { createAdaptorServer } from "@hono/node-server";

import { gateway } from "./gateway.js";

const upstreams = {
  catalog: process.env.CATALOG_URL ?? "http://catalog:8000",
  orders: process.env.ORDERS_URL ?? "http://orders:8080",
  pricing: process.env.PRICING_URL ?? "http://pricing:3001",
  search: process.env.SEARCH_URL ?? "http://search:8080",
};

run("gateway", createAdaptorServer({ fetch: gateway(upstreams).fetch }), 3000);
