// Opens the built-in page on a server that does not let it connect: node page-not-allowed.mjs http://127.0.0.1:PORT/ TOKEN
//
// The page says which setting lets it.

import { inChromium } from "./chromium.mjs";

const [url, token] = process.argv.slice(2);

await inChromium(
  url,
  async (page) => {
    await page.getByLabel("Token").fill(token);
    await page.getByLabel("Dialect").selectOption("natter.v1");
    await page.getByRole("button", { name: "Connect", exact: true }).click();
    await page.getByRole("alert").getByText(`NATTER_AUTH__ALLOWED_ORIGINS='["${new URL(url).origin}"]'`).waitFor();
  },
  {},
  (complaint) => complaint.includes("403"),
);
