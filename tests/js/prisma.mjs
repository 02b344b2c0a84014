// The application beside Natter: the real Prisma client on the two tables, as the old server used it.
//
//   DATABASE_URL=file:PATH | postgres://…  node prisma.mjs create          the tables, as Prisma's migration makes them
//                                          node prisma.mjs insert COUNT    COUNT rows of each kind; prints them as JSON
//                                          node prisma.mjs list            prints all rows as JSON

import { createRequire } from "node:module";
import { tables } from "./prisma/tables.mjs";

/** How long a write waits for Natter's, in milliseconds; what better-sqlite3, Prisma's other SQLite driver, does by default. */
const BUSY_TIMEOUT = 5_000;

const require = createRequire(import.meta.url);

const url = process.env.DATABASE_URL ?? "";
const provider = url.startsWith("postgres") ? "postgresql" : "sqlite";

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
  const rows = { messages: [], support_messages: [] };
  for (let n = 1; n <= count; n++) {
    const common = { sender_id: n, content: `Prisma's row ${n}: naïve 🙂`, file_type: "image", file_paths: '["a.png"]' };
    rows.messages.push(await prisma.messages.create({ data: { ...common, chat_id: 1, selected_chat_id: n } }));
    rows.support_messages.push(await prisma.support_messages.create({ data: { ...common, support_chat_id: 1 } }));
  }
  return rows;
}

async function list(prisma) {
  const orderBy = { id: "asc" };
  return {
    messages: await prisma.messages.findMany({ orderBy }),
    support_messages: await prisma.support_messages.findMany({ orderBy }),
  };
}

const [command, argument] = process.argv.slice(2);
const commands = { create, insert: (prisma) => insert(prisma, Number(argument)), list };
const prisma = await connect();
try {
  const printed = await commands[command](prisma);
  if (printed) console.log(JSON.stringify(printed));
} finally {
  await prisma.$disconnect();
}
