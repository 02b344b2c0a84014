// Headless Chromium, the one of the system.

import { execFileSync } from "node:child_process";
import { chromium } from "playwright-core";

function path() {
  for (const name of ["chromium", "chromium-browser"]) {
    try {
      return execFileSync("which", [name], { encoding: "utf8" }).trim();
    } catch {
      // The other name may be there.
    }
  }
  throw new Error("no Chromium here: run scripts/setup");
}

/** Without its sandbox, which root may not use, and without the traffic of its own that it starts with. */
const ARGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Opens `url` in a new browser, hands the page to `visit`, and closes the browser whatever happens. What the browser says of requests
 * that are refused is a complaint, unless it is what `isExpected`. */
export async function inChromium(url, visit, options = {}, isExpected = () => false) {
  const browser = await chromium.launch({ executablePath: path(), args: ARGS });
  try {
    const page = await browser.newPage(options);
    const complaints = [];
    page.on("console", (message) => ["error", "warning"].includes(message.type()) && !isExpected(message.text()) && complaints.push(message.text()));
    page.on("pageerror", (error) => complaints.push(String(error)));
    await page.goto(url);
    await visit(page);
    if (complaints.length > 0) throw new Error(`the browser complained: ${complaints.join("; ")}`);
  } finally {
    await browser.close();
  }
}
