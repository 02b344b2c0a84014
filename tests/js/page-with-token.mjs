// Uses the built-in page where auth.mode is "jwt": node page-with-token.mjs http://127.0.0.1:PORT/ TOKEN_OF_USER_7
//
// Without a token, and with a wrong one, the page says what is missing and how to make one. With the token, user 7 connects in both
// dialects, sends a picture, and sees it. The token stands in no address of the page, nor in the socket's, where natter.v1 is spoken.

import { inChromium } from "./chromium.mjs";
import { connect, sendAFile } from "./page-steps.mjs";

const [url, token] = process.argv.slice(2);

async function isToldHowToMakeOne(page, wrong) {
  await page.getByLabel("Token").fill(wrong);
  await page.getByRole("button", { name: "Connect", exact: true }).click();
  await page.getByRole("alert").getByText("natter token --user 7").waitFor();
  await page.getByRole("alert").getByText("4001").waitFor();
}

await inChromium(
  url,
  async (page) => {
    const sockets = [];
    page.on("websocket", (socket) => sockets.push(socket.url()));
    const requests = [];
    page.on("request", (request) => requests.push(request.url()));
    await page.getByLabel("User id").fill("7");
    for (const wrong of ["", "not.a.token"]) await isToldHowToMakeOne(page, wrong);

    await page.getByLabel("Token").fill(token);
    // Whose the token is, the server says.
    await page.getByLabel("User id").fill("8");
    await page.getByLabel("Dialect").selectOption("natter.v1");
    await connect(page, 7);
    if (sockets.at(-1).includes(token)) throw new Error(`the token is in the address: ${sockets.at(-1)}`);
    await page.getByRole("list", { name: "Connected users" }).getByText("user 7", { exact: true }).waitFor();
    await page.getByRole("button", { name: "Disconnect" }).click();
    for (const dialect of ["natter.v1", ""]) await sendAFile(page, dialect);
    if ([page.url(), ...requests].some((address) => address.includes(token))) throw new Error("the token is in an address");
  },
  {},
  (complaint) => complaint.includes("401"),
);
