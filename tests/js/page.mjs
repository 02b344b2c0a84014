// Uses the built-in page as a person would: node page.mjs http://127.0.0.1:PORT/ [SCREENSHOT.png]
//
// User 7 connects, sends a message of each kind with files, sees both come back and one of them in the history, sees itself among those who are connected, is told why
// a frame is refused, and sends a picture in both dialects, which is shown and can be fetched. Fails where any of it does not happen, or the browser complains (a violated policy does, too).

import { inChromium } from "./chromium.mjs";
import { connect, disconnect, sendAFile, sendAndSee } from "./page-steps.mjs";

const [url, screenshot] = process.argv.slice(2);

async function converse(page) {
  await page.getByLabel("User id").fill("7");
  await connect(page, 7);

  const files = { file_type: "image/png", file_paths: '["a.png","b.png"]' };
  const content = "<b>Hello</b> 🙂";
  const chat = { chat_id: "12", content, ...files, selected_chat_id: "13" };
  await sendAndSee(page, { kind: "chat", type: "MESSAGE", fields: chat });
  await sendAndSee(page, { kind: "support", type: "SUPPORT_MESSAGE", fields: { support_chat_id: "14", content, ...files } });

  await page.getByRole("list", { name: "Connected users" }).getByText("user 7", { exact: true }).waitFor();

  await page.getByRole("button", { name: "Clear" }).click();
  await page.getByRole("button", { name: "Show history" }).click();
  await page.locator("#frames li.in code", { hasText: '"support_chat_id":14' }).waitFor();

  await page.getByLabel("sender_id", { exact: true }).fill("8");
  await page.getByLabel("content", { exact: true }).fill("not mine");
  await page.getByRole("button", { name: "Send" }).click();
  await page.getByRole("alert").getByText("sender_mismatch").waitFor();
}

await inChromium(url, async (page) => {
  await converse(page);
  if (screenshot) await page.screenshot({ path: screenshot, fullPage: true });
  await disconnect(page);
  for (const dialect of ["", "natter.v1"]) await sendAFile(page, dialect);
});
