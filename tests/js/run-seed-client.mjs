// Runs the seed's sample client (seed-client.js) under Node's own WebSocket, and prints each line that it logs as JSON. Ends when it
// has logged both kinds.

import vm from "node:vm";
import { connect, listen, sendChat, sendSupport } from "./seed-parts.mjs";

let logged = 0;
const log = (...line) => {
  console.log(JSON.stringify(line));
  logged += 1;
  if (logged === 2) vm.runInContext("ws.close()", page);
};

// What a page has of a browser, as far as the sample uses it.
const page = vm.createContext({ WebSocket, console: { log } });

vm.runInContext(connect, page);
vm.runInContext(listen, page);
const ws = vm.runInContext("ws", page);
ws.addEventListener("open", () => {
  vm.runInContext(sendChat, page);
  vm.runInContext(sendSupport, page);
});
ws.addEventListener("close", ({ code, reason }) => {
  if (logged === 2) return;
  console.error(`closed with ${code} ${reason} after ${logged} lines`);
  process.exitCode = 1;
});
