// What people do on the built-in page, step by step; each fails where the page does not show what it should.

/** A red dot. */
const PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==";

/** The frames that came, as objects, the last first. */
const framesIn = async (page) => (await page.locator("#frames li.in code").allTextContents()).map((text) => JSON.parse(text));

/** Sends a message, and sees it come back as it was. */
export async function sendAndSee(page, { kind, type, fields }) {
  await page.getByLabel("Kind").selectOption(kind);
  for (const [label, value] of Object.entries(fields)) await page.getByLabel(label, { exact: true }).fill(value);
  await page.getByRole("button", { name: "Send" }).click();
  await page.locator("#frames li.in code", { hasText: `"type":"${type}"` }).first().waitFor();
  const payload = (await framesIn(page)).find((frame) => frame.type === type).payload;
  for (const [label, value] of Object.entries(fields)) {
    if (String(payload[label]) !== value) throw new Error(`${type} came back with another ${label}: ${JSON.stringify(payload)}`);
  }
}

export async function connect(page, user) {
  await page.getByRole("button", { name: "Connect", exact: true }).click();
  await page.getByText(`connected as user ${user}`).waitFor();
}

/** Uploads a picture and sees it in the message that brings it, small, and as a file to fetch. */
export async function sendAFile(page, dialect) {
  await page.getByRole("button", { name: "Clear" }).click();
  await page.getByLabel("Dialect").selectOption(dialect);
  await connect(page, 7);
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

export async function disconnect(page) {
  await page.getByRole("button", { name: "Disconnect" }).click();
  await page.getByText("closed with 1000").first().waitFor();
  await page.locator("#state", { hasText: "not connected" }).waitFor();
}
