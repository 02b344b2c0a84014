// Fills a database by `natter demo`, serves it, and prints what scripts/measure-history promises, as rows of a table.
import { execFileSync, spawn } from "node:child_process";
import { readFileSync, statSync } from "node:fs";
import { createServer } from "node:net";

const [natter, url] = process.argv.slice(2);
const MESSAGES = Number(process.env.MESSAGES ?? 1_000_000);
const CONVERSATIONS = Number(process.env.CONVERSATIONS ?? 1_000);
const PAGES = 2_000;
const RESUMES = 200;
const LONG = Math.min(100_000, MESSAGES);

const port = await new Promise((resolve) => {
  const server = createServer().listen(0, "127.0.0.1", () => {
    const { port } = server.address();
    server.close(() => resolve(port));
  });
});
const env = {
  ...process.env, DATABASE_URL: url, HOST: "127.0.0.1", PORT: String(port), RUST_LOG: "warn", NATTER_LIMITS__ENABLED: "false",
};

// The same sequence of places at every run: Lehmer's generator.
let state = 42;
const below = (bound) => (state = (state * 48_271) % 2_147_483_647) % bound;

const row = (what, figure) => console.log(`| ${what} | ${figure} |`);
const ms = (value) => `${value.toFixed(value < 10 ? 2 : 0)} ms`;
const mib = (kib) => `${(kib / 1024).toFixed(1)} MiB`;
const quantiles = (times) => {
  const sorted = times.toSorted((a, b) => a - b);
  const at = (part) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))];
  return `p50 ${ms(at(0.5))}, p99 ${ms(at(0.99))}, longest ${ms(sorted.at(-1))}`;
};

class Client {
  static async connect(user, query = "") {
    const client = new Client();
    client.frames = [];
    client.socket = new WebSocket(`ws://127.0.0.1:${port}/ws?userId=${user}${query}`, "natter.v1");
    client.socket.onmessage = (event) => {
      client.frames.push(event.data);
      client.wake?.();
    };
    client.socket.onclose = ({ code }) => (client.closed = code);
    client.welcome = JSON.parse(await client.next());
    return client;
  }
  async next() {
    while (this.frames.length === 0) {
      if (this.closed) throw new Error(`closed with ${this.closed}`);
      await new Promise((resolve) => (this.wake = resolve));
    }
    return this.frames.shift();
  }
  async ask(frame) {
    const begun = performance.now();
    this.socket.send(JSON.stringify(frame));
    const answer = await this.next();
    const took = performance.now() - begun;
    return { took, answer };
  }
}

const filled = performance.now();
const options = ["--messages", MESSAGES, "--conversations", CONVERSATIONS, "--users", 5_000].map(String);
execFileSync(natter, ["demo", ...options], { env, stdio: ["ignore", "ignore", "inherit"] });
row(`filling with ${MESSAGES} messages`, `${Math.round((MESSAGES / (performance.now() - filled)) * 1_000)} messages a second`);

const started = performance.now();
const server = spawn(natter, { env, stdio: ["ignore", "inherit", "inherit"] });
process.on("exit", () => server.kill("SIGKILL"));
const rss = () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${server.pid}/status`, "utf8"))[1]);
while (!(await fetch(`http://127.0.0.1:${port}/readyz`).then((answer) => answer.ok, () => false))) {
  if (server.exitCode !== null) throw new Error("natter ended");
  await new Promise((resolve) => setTimeout(resolve, 1));
}
row("start-up until /readyz", ms(performance.now() - started));
row("RSS after it", mib(rss()));

const reader = await Client.connect(1);
const { log_id: log, seq: head } = reader.welcome.payload;
for (const place of ["before", "around"]) {
  const times = [];
  for (let number = 0; number < PAGES; number++) {
    const kind = below(4) === 0 ? "support_chat_id" : "chat_id";
    const conversations = Math.ceil((CONVERSATIONS / 4) * (kind === "chat_id" ? 3 : 1));
    const id = 1 + below(Math.ceil((MESSAGES / 4) * (kind === "chat_id" ? 3 : 1)));
    const { took, answer } = await reader.ask({ type: "GET_HISTORY", [kind]: 1 + below(conversations), [place]: id, limit: 50 });
    if (!answer.startsWith('{"type":"HISTORY"')) throw new Error(answer);
    times.push(took);
  }
  row(`a page of 50, \`${place}\` anywhere`, quantiles(times));
}

const resume = async (events) => {
  const begun = performance.now();
  const client = await Client.connect(2, `&since=${Math.max(0, head - events)}&log=${log}`);
  let told = 0;
  for (;;) {
    const frame = await client.next();
    if (frame.startsWith('{"type":"RESUMED"')) break;
    if (frame.startsWith('{"type":"RESET"')) throw new Error(frame);
    told++;
  }
  const took = performance.now() - begun;
  if (told !== Math.min(events, head)) throw new Error(`${told} events were told`);
  client.socket.close();
  return took;
};
const times = [];
for (let number = 0; number < RESUMES; number++) times.push(await resume(1_000));
row("a resume of 1,000 events, from connecting to `RESUMED`", quantiles(times));
const before = rss();
row("RSS after these reads", mib(before));

let most = before;
let done = false;
const meanwhile = [];
const others = (async () => {
  while (!done) {
    meanwhile.push((await reader.ask({ type: "PING" })).took);
    meanwhile.push((await reader.ask({ type: "GET_HISTORY", chat_id: 1 + below(100), limit: 50 })).took);
    most = Math.max(most, rss());
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
})();
const long = await resume(LONG);
done = true;
await others;
row(`a resume of ${LONG} events`, `${ms(long)}; RSS grows by ${mib(most - before)}`);
row("a `PING` or a page of history for another client meanwhile", quantiles(meanwhile));

server.kill("SIGTERM");
await new Promise((resolve) => server.once("exit", resolve));
const size = url.startsWith("sqlite://")
  ? statSync(url.slice("sqlite://".length).split("?")[0]).size
  : Number(execFileSync("psql", ["-qAtc", "SELECT pg_database_size(current_database())", url]));
row("size on disk", `${Math.round(size / MESSAGES)} bytes a message`);
process.exit(0);
