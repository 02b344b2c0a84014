// Runs the seed's sample client (seed-client.js) in headless Chromium, and prints each line that it logs as JSON. Ends when it has
// logged both kinds.

import { inChromium } from "./chromium.mjs";
import { connect, listen, sendChat, sendSupport } from "./seed-parts.mjs";

/** How long the two messages may take to come back, in milliseconds. */
const PATIENCE = 20_000;

await inChromium("http://localhost:3001/", async (page) => {
  const { promise: both, resolve, reject } = withResolvers();
  let logged = 0;
  page.on("console", async (message) => {
    const line = await Promise.all(message.args().map((value) => value.jsonValue()));
    console.log(JSON.stringify(line));
    logged += 1;
    if (logged === 2) resolve();
  });
  // Each part as a <script> of its own: they share the sample's `ws`, as the scripts of a page do.
  const run = (content) => page.addScriptTag({ content });
  await run(connect);
  await run(listen);
  await page.evaluate("new Promise((resolve, reject) => { ws.addEventListener('open', resolve); ws.addEventListener('close', reject); if (ws.readyState === 1) resolve(); })");
  await run(sendChat);
  await run(sendSupport);
  const tooLate = setTimeout(() => reject(new Error(`${logged} of 2 messages came back`)), PATIENCE);
  await both;
  clearTimeout(tooLate);
});

/** Promise.withResolvers, which Node has from 22 on. */
function withResolvers() {
  const resolvers = {};
  resolvers.promise = new Promise((resolve, reject) => Object.assign(resolvers, { resolve, reject }));
  return resolvers;
}
