// Records what the Node server would have sent: JSON.stringify of the rows below, one frame a line. The output is kept in
// tests/it/golden/classic.jsonl, and Natter's frames are compared with it byte for byte.
const at = "2024-01-01T12:00:00.000Z";
const contents = [
  "Hello world!",
  Array.from({ length: 32 }, (_, code) => String.fromCharCode(code)).join("").slice(1),
  "\u007f\u0080\u0085\u2028\u2029\ufeff",
  "👩‍👩‍👧‍👦 👍🏽 🏳️‍🌈",
  "quote \" backslash \\ slash / <script>&amp;</script>",
  "\u202etxt.exe",
  "",
];
let id = 0;
for (const content of contents) {
  for (const files of [[null, null], ["image/png", "uploads/image.png"]]) {
    for (const selected_chat_id of [null, 789]) {
      const payload = { id: ++id, chat_id: 123, sender_id: 456, content, file_type: files[0], file_paths: files[1], selected_chat_id, created_at: at };
      console.log(JSON.stringify({ type: "MESSAGE", payload }));
    }
    const payload = { id: ++id, support_chat_id: 123, sender_id: 456, content, file_type: files[0], file_paths: files[1], created_at: at };
    console.log(JSON.stringify({ type: "SUPPORT_MESSAGE", payload }));
  }
}
