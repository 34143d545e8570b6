import type { Server, ServerResponse } from "node:http";

/** Lets `server` listen on `$PORT`, and ends the process when it is told to. */
export declare function run(name: string, server: Server, defaultPort: number): void;

/** Sends `value` as JSON. */
export declare function sendJson(response: ServerResponse, status: number, value: unknown): void;
