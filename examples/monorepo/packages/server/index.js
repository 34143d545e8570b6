const ALL_INTERFACES = "0.0.0.0";

/** Lets `server` listen on `$PORT`, and ends the process when it is told to. */
export function run(name, server, defaultPort) {
  const port = Number(process.env.PORT ?? defaultPort);
  server.listen(port, ALL_INTERFACES, () => {
    console.log(`${name}: listening on ${ALL_INTERFACES}:${server.address().port}`);
  });

  // As PID 1 a process has no default action for these signals: without a handler it could only be killed.
  for (const signal of ["SIGTERM", "SIGINT"]) {
    process.once(signal, () => {
      server.close();
      server.closeAllConnections();
    });
  }
}

/** Sends `value` as JSON. */
export function sendJson(response, status, value) {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(`${JSON.stringify(value)}\n`);
}
