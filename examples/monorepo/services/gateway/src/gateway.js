import { Hono } from "hono";
import { proxy } from "hono/proxy";

/** Passes `/<name>/…` on to the upstream of that name. */
export function gateway(upstreams) {
  const app = new Hono();

  app.get("/", (c) => c.json({ services: Object.keys(upstreams) }));

  app.get("/healthz", (c) => c.json({ status: "ok", node: process.versions.node }));

  for (const [name, base] of Object.entries(upstreams)) {
    app.all(`/${name}/*`, async (c) => {
      const { pathname, search } = new URL(c.req.url);
      const target = new URL(pathname.slice(name.length + 1) + search, base);
      try {
        return await proxy(target, c.req);
      } catch {
        return c.json({ error: `${name} does not answer` }, 502);
      }
    });
  }

  return app;
}
