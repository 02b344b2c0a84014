// The fastest that Node is known for: uWebSockets.js, and better-sqlite3 with one fsynced commit for all messages of a turn of the
// event loop. Usage: node server.cjs PORT DATABASE
const { App } = require("uwebsockets");
const Database = require("better-sqlite3");

const [port, file] = process.argv.slice(2);
const database = new Database(file);
database.pragma("journal_mode = WAL");
database.pragma("synchronous = FULL");

// The two kinds of conversation: table, columns that a client fills, and the type of the frame.
const kinds = {
  NEW_MESSAGE: kind("messages", ["chat_id", "sender_id", "content", "file_type", "file_paths", "selected_chat_id"], "MESSAGE"),
  NEW_SUPPORT_MESSAGE: kind(
    "support_messages",
    ["support_chat_id", "sender_id", "content", "file_type", "file_paths"],
    "SUPPORT_MESSAGE",
  ),
};

function kind(table, columns, type) {
  const all = [...columns, "created_at"];
  database.exec(`CREATE TABLE IF NOT EXISTS ${table} (id INTEGER PRIMARY KEY AUTOINCREMENT, ${all.join(", ")})`);
  const insert = database.prepare(`INSERT INTO ${table} (${all.join(", ")}) VALUES (${all.map(() => "?").join(", ")})`);
  return { columns, insert, type };
}

function store(message) {
  const { columns, insert, type } = kinds[message.type];
  const values = columns.map((column) => message[column] ?? null);
  const created_at = new Date().toISOString();
  const id = Number(insert.run(...values, created_at).lastInsertRowid);
  const payload = { id };
  columns.forEach((column, place) => (payload[column] = values[place]));
  payload.created_at = created_at;
  return JSON.stringify({ type, payload });
}

const commit = database.transaction((messages) => messages.map(store));
const app = App();
let waiting = [];

function flush() {
  const messages = waiting;
  waiting = [];
  for (const frame of commit(messages)) app.publish("all", frame);
}

app.ws("/ws-online-status", {
  compression: 0,
  maxBackpressure: 64 << 20,
  open: (socket) => socket.subscribe("all"),
  message: (_, data) => {
    const message = JSON.parse(Buffer.from(data).toString());
    if (!(message.type in kinds)) return;
    if (waiting.push(message) === 1) setImmediate(flush);
  },
});
app.listen("127.0.0.1", Number(port), (listening) => {
  if (!listening) process.exit(1);
});
