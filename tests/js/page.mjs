// Uses the built-in page as a person would: node page.mjs http://127.0.0.1:PORT/ [SCREENSHOT.png]
//
// User 7 connects, sends a message of each kind with files, sees both come back, sees itself among those who are connected, is told why
// a frame is refused, and sends a picture in both dialects, which is shown and can be fetched. Fails where any of it does not happen, or the browser complains (a violated policy does, too).

import { inChromium } from "./chromium.mjs";

/** A red dot. */
const PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==";

const [url, screenshot] = process.argv.slice(2);

/** The frames that came, as objects, the last first. */
const framesIn = async (page) => (await page.locator("#frames li.in code").allTextContents()).map((text) => JSON.parse(text));

async function sendAndSee(page, { kind, type, fields }) {
  await page.getByLabel("Kind").selectOption(kind);
  for (const [label, value] of Object.entries(fields)) await page.getByLabel(label, { exact: true }).fill(value);
  await page.getByRole("button", { name: "Send" }).click();
  await page.locator("#frames li.in code", { hasText: `"type":"${type}"` }).first().waitFor();
  const payload = (await framesIn(page)).find((frame) => frame.type === type).payload;
  for (const [label, value] of Object.entries(fields)) {
    if (String(payload[label]) !== value) throw new Error(`${type} came back with another ${label}: ${JSON.stringify(payload)}`);
  }
}

async function converse(page) {
  await page.getByLabel("User id").fill("7");
  await page.getByRole("button", { name: "Connect", exact: true }).click();
  await page.getByText("connected as user 7").waitFor();

  const files = { file_type: "image/png", file_paths: '["a.png","b.png"]' };
  const content = "<b>Hello</b> 🙂";
  const chat = { chat_id: "12", content, ...files, selected_chat_id: "13" };
  await sendAndSee(page, { kind: "chat", type: "MESSAGE", fields: chat });
  await sendAndSee(page, { kind: "support", type: "SUPPORT_MESSAGE", fields: { support_chat_id: "14", content, ...files } });

  await page.getByRole("list", { name: "Connected users" }).getByText("user 7", { exact: true }).waitFor();

  await page.getByLabel("sender_id", { exact: true }).fill("8");
  await page.getByLabel("content", { exact: true }).fill("not mine");
  await page.getByRole("button", { name: "Send" }).click();
  await page.getByRole("alert").getByText("sender_mismatch").waitFor();
}

/** Uploads a picture and sees it in the message that brings it, small, and as a file to fetch. */
async function sendAFile(page, dialect) {
  await page.getByRole("button", { name: "Clear" }).click();
  await page.getByLabel("Dialect").selectOption(dialect);
  await page.getByRole("button", { name: "Connect", exact: true }).click();
  await page.getByText("connected as user 7").waitFor();
  for (const label of ["file_type", "file_paths"]) await page.getByLabel(label, { exact: true }).fill("");
  await page.getByLabel("attach files").setInputFiles({ name: "dot.png", mimeType: "image/png", buffer: Buffer.from(PNG, "base64") });
  await page.getByRole("list", { name: "Attached files" }).getByText("dot.png").waitFor();
  await sendAndSee(page, { kind: "chat", type: "MESSAGE", fields: { content: `a picture, ${dialect}` } });
  const file = page.locator("#frames li.in", { hasText: `a picture, ${dialect}` }).first().locator(".files a");
  await file.locator("img").evaluate((image) => image.decode());
  const [download] = await Promise.all([page.waitForEvent("download"), file.click()]);
  if (await download.failure()) throw new Error(`the file was not fetched: ${await download.failure()}`);
  await disconnect(page);
}

async function disconnect(page) {
  await page.getByRole("button", { name: "Disconnect" }).click();
  await page.getByText("closed with 1000").first().waitFor();
  await page.locator("#state", { hasText: "not connected" }).waitFor();
}

await inChromium(url, async (page) => {
  await converse(page);
  if (screenshot) await page.screenshot({ path: screenshot, fullPage: true });
  await disconnect(page);
  for (const dialect of ["", "natter.v1"]) await sendAFile(page, dialect);
});
