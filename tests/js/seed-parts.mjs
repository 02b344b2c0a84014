// The seed's sample client, cut where its own comments cut it.
//
// Run in one go, the sample sends before the socket is open, which every WebSocket refuses: it shows what to call, not when. So its
// parts are run as its user would: connect and listen, and the sends once the socket is open. No part's text is touched.

import { readFileSync } from "node:fs";

const text = readFileSync(new URL("./seed-client.js", import.meta.url), "utf8");

const parts = text.split(/^(?=\/\/ )/m);
if (parts.length !== 4 || parts.join("") !== text) throw new Error("seed-client.js is not the seed's sample: connect, two sends, listen");

export const [connect, sendChat, sendSupport, listen] = parts;
