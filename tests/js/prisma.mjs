// The application beside Natter: the real Prisma client on the two tables, as the old server used it.
//
//   DATABASE_URL=file:PATH | postgres://…  node prisma.mjs create          the tables, as Prisma's migration makes them
//                                          node prisma.mjs insert [COUNT]  COUNT rows of each kind, or as many as there is time
//                                                                          for until standard input ends; prints each pair
//                                          node prisma.mjs list            prints all rows

import { createRequire } from "node:module";
import { setImmediate } from "node:timers/promises";
import { tables } from "./prisma/tables.mjs";

/** How long a write waits for Natter's, in milliseconds; what better-sqlite3, Prisma's other SQLite driver, does by default. */
const BUSY_TIMEOUT = 5_000;

const require = createRequire(import.meta.url);

const url = process.env.DATABASE_URL ?? "";
const provider = url.startsWith("postgres") ? "postgresql" : "sqlite";

const print = (value) => console.log(JSON.stringify(value));

async function connect() {
  const { PrismaClient } = require(`./generated/${provider}`);
  if (provider === "postgresql") {
    const { PrismaPg } = await import("@prisma/adapter-pg");
    return new PrismaClient({ adapter: new PrismaPg({ connectionString: url }) });
  }
  const { PrismaLibSql } = await import("@prisma/adapter-libsql");
  return new PrismaClient({ adapter: new PrismaLibSql({ url, timeout: BUSY_TIMEOUT }) });
}

async function create(prisma) {
  for (const table of tables[provider]) await prisma.$executeRawUnsafe(table);
}

async function insert(prisma, count) {
  let inputEnded = false;
  if (count === undefined) process.stdin.resume().once("end", () => (inputEnded = true));
  for (let n = 1; n <= (count ?? Infinity) && !inputEnded; n++) {
    const common = { sender_id: n, content: `Prisma's row ${n}: naïve 🙂`, file_type: "image", file_paths: '["a.png"]' };
    print({
      messages: await prisma.messages.create({ data: { ...common, chat_id: 1, selected_chat_id: n } }),
      support_messages: await prisma.support_messages.create({ data: { ...common, support_chat_id: 1 } }),
    });
    // The SQLite driver answers without ever letting Node look at its streams.
    await setImmediate();
  }
}

async function list(prisma) {
  const orderBy = { id: "asc" };
  print({
    messages: await prisma.messages.findMany({ orderBy }),
    support_messages: await prisma.support_messages.findMany({ orderBy }),
  });
}

const [command, count] = process.argv.slice(2);
const commands = { create, insert, list };
const prisma = await connect();
try {
  await commands[command](prisma, count && Number(count));
} finally {
  await prisma.$disconnect();
}
