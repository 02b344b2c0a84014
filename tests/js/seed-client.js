// Connect to WebSocket
const ws = new WebSocket("ws://localhost:3001/ws-online-status?userId=123");

// Send chat message
ws.send(
  JSON.stringify({
    type: "NEW_MESSAGE",
    chat_id: 1,
    sender_id: 123,
    content: "Hello world!",
  }),
);

// Send support message
ws.send(
  JSON.stringify({
    type: "NEW_SUPPORT_MESSAGE",
    support_chat_id: 1,
    sender_id: 123,
    content: "I need help!",
  }),
);

// Listen for messages
ws.onmessage = (event) => {
  const message = JSON.parse(event.data);
  if (message.type === "MESSAGE") {
    console.log("New chat message:", message.payload);
  } else if (message.type === "SUPPORT_MESSAGE") {
    console.log("New support message:", message.payload);
  }
};
