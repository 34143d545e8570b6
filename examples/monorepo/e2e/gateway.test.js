import assert from "node:assert/strict";
import { test } from "node:test";

const gateway = process.env.GATEWAY_URL ?? "http://127.0.0.1:3000";

test("the gateway reaches the catalog", async () => {
  const answer = await fetch(new URL("/catalog/books", gateway));
  assert.equal(answer.status, 200);
  assert.notEqual((await answer.json()).length, 0);
});
