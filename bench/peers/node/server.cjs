// The stack that Natter replaces: `ws` and Prisma, a row a message, and a send a client. Usage: node server.cjs PORT DATABASE
const { WebSocketServer } = require("ws");
const { PrismaBetterSqlite3 } = require("@prisma/adapter-better-sqlite3");
const { PrismaClient } = require("./generated");

const [port, file] = process.argv.slice(2);
const prisma = new PrismaClient({ adapter: new PrismaBetterSqlite3({ url: `file:${file}` }) });

const columns = {
  messages: "chat_id INTEGER NOT NULL, selected_chat_id INTEGER",
  support_messages: "support_chat_id INTEGER NOT NULL",
};

async function main() {
  for (const [table, own] of Object.entries(columns)) {
    await prisma.$executeRawUnsafe(
      `CREATE TABLE IF NOT EXISTS ${table} (id INTEGER PRIMARY KEY AUTOINCREMENT, sender_id INTEGER NOT NULL, content TEXT NOT NULL,
       file_type TEXT, file_paths TEXT, created_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP, ${own})`,
    );
  }
  const server = new WebSocketServer({ host: "127.0.0.1", port: Number(port), path: "/ws-online-status" });
  const tables = { NEW_MESSAGE: [prisma.messages, "MESSAGE"], NEW_SUPPORT_MESSAGE: [prisma.support_messages, "SUPPORT_MESSAGE"] };
  server.on("connection", (socket) => {
    socket.on("message", async (text) => {
      const { type, ...data } = JSON.parse(text);
      const [table, answer] = tables[type];
      const frame = JSON.stringify({ type: answer, payload: await table.create({ data }) });
      for (const client of server.clients) client.send(frame);
    });
  });
}

main();
