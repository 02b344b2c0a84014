//! `ChatServer`: takes the sessions' commands to the rules, and what was committed to the hubs. No feature's name stands here.

use crate::{
    chat::{Chat, Outcome},
    delivery::{Batch, Deliver, Reply, Roster},
    protocol::{
        Answer, Change, Committed, ConversationKind, Event, Origin, Seq, SessionKey, UserId,
        command::Request,
        frame,
        websocket::{self, Opcode},
    },
    session::{Connect, Disconnect, Submit},
};
use actix::{
    Actor, AsyncContext, Context, Handler, Message, MessageResult, Recipient, ResponseFuture, WrapFuture, dev::SendError,
};
use futures_util::{FutureExt, future::join_all};
use std::sync::Arc;

/// Messages that may wait for the server; a session whose message finds no room is told `unavailable`.
const MAILBOX: usize = 4_096;

/// The server's state; the actor is a shell round it.
pub struct ChatServer {
    chat: Chat,
    roster: Roster,
    /// One a worker; a session's key says which is its own.
    hubs: Vec<Recipient<Deliver>>,
    /// The last event that was published.
    published: Seq,
}

impl ChatServer {
    /// A server that carries out commands by `chat`, where everything up to `head` counts as published.
    #[must_use]
    pub fn new(chat: Chat, head: Seq) -> Self {
        Self { chat, roster: Roster::default(), hubs: Vec::new(), published: head }
    }

    fn run(&self, submit: Submit) -> Vec<Reply> {
        let Submit { session, user, requests } = submit;
        let reply = |request: Request| {
            let origin = Origin { session, request_id: request.request_id };
            match self.chat.run(user, origin, request.command) {
                Outcome::Queued => None,
                Outcome::Refused(answer) => reply_to(&answer),
                Outcome::Told(json) => Some(text(session, &json)),
            }
        };
        requests.into_iter().filter_map(reply).collect()
    }

    /// Hands a batch to every hub, and each reply to its session's. Resolves when all of them have taken it, so that no hub falls
    /// behind by more than one batch.
    fn publish(&mut self, events: Vec<Event>, replies: Vec<Reply>) -> ResponseFuture<()> {
        for event in &events {
            log_event(event, self.roster.users());
        }
        let batch = Arc::new(Batch::new(events));
        self.published = batch.head().unwrap_or(self.published);
        let mut of_hub: Vec<Vec<Reply>> = self.hubs.iter().map(|_| Vec::new()).collect();
        for reply in replies {
            if let Some(replies) = of_hub.get_mut(usize::from(reply.session.hub)) {
                replies.push(reply);
            }
        }
        let deliveries = self.hubs.iter().zip(of_hub).filter(|(hub, _)| hub.connected());
        let deliveries: Vec<_> =
            deliveries.map(|(hub, replies)| hub.send(Deliver { batch: Arc::clone(&batch), replies })).collect();
        Box::pin(async move {
            for hub in join_all(deliveries).await {
                if let Err(error) = hub {
                    log::error!("a hub did not take a batch: {error}");
                }
            }
        })
    }
}

/// The frame of an answer; success is told only to those who named the request.
fn reply_to(answer: &Answer) -> Option<Reply> {
    let Answer { to, outcome } = answer;
    let json = match (outcome, &to.request_id) {
        (Ok(ack), Some(request_id)) => frame::ack(request_id, ack),
        (Ok(_), None) => return None,
        (Err(refusal), request_id) => frame::error(request_id.as_ref(), refusal),
    };
    Some(text(to.session, &json))
}

fn text(session: SessionKey, json: &[u8]) -> Reply {
    Reply { session, frame: websocket::frame(Opcode::Text, json) }
}

/// The lines that users of the Node server know. Never a message's content.
fn log_event(event: &Event, users: usize) {
    let Change::Posted(message) = &event.change;
    match message.conversation.kind {
        ConversationKind::Chat => log::info!("💬 WS: New message created with ID: {}", message.id),
        ConversationKind::Support => log::info!("🆘 WS: New support message created with ID: {}", message.id),
    }
    log::info!("📡 WS: Message broadcast sent to {users} users");
}

impl Actor for ChatServer {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
    }
}

impl Handler<Connect> for ChatServer {
    type Result = ();

    fn handle(&mut self, Connect { user }: Connect, _: &mut Self::Context) {
        self.roster.join(user);
        log::info!("✅ WS: User {user} connected, {} users online", self.roster.users());
    }
}

impl Handler<Disconnect> for ChatServer {
    type Result = ();

    fn handle(&mut self, Disconnect { user }: Disconnect, _: &mut Self::Context) {
        self.roster.leave(user);
        log::info!("❌ WS: User {user} disconnected, {} users online", self.roster.users());
    }
}

impl Handler<Submit> for ChatServer {
    type Result = ();

    /// Where the hub has no room for the replies, nothing else is taken until it has: the mailbox fills up, and refuses.
    fn handle(&mut self, submit: Submit, ctx: &mut Self::Context) {
        let Some(hub) = self.hubs.get(usize::from(submit.session.hub)).cloned() else { return };
        let replies = self.run(submit);
        if replies.is_empty() {
            return;
        }
        let deliver = Deliver { batch: Arc::new(Batch::new(Vec::new())), replies };
        if let Err(SendError::Full(deliver)) = hub.try_send(deliver) {
            ctx.wait(hub.send(deliver).map(|_| ()).into_actor(self));
        }
    }
}

/// What was committed, to be published. The answer comes when every hub has taken it.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Publish(pub Committed);

impl Handler<Publish> for ChatServer {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, Publish(committed): Publish, _: &mut Self::Context) -> Self::Result {
        let Committed { events, answers } = committed;
        self.publish(events, answers.iter().filter_map(reply_to).collect())
    }
}

/// A worker's hub wants to be told what is committed from now on.
#[derive(Message)]
#[rtype(result = "HubPlace")]
pub struct AddHub(pub Recipient<Deliver>);

/// A hub's place in the server.
#[derive(Clone, Copy, Debug, actix::MessageResponse)]
pub struct HubPlace {
    /// Its number.
    pub index: u16,
    /// The last event that was published before it came.
    pub head: Seq,
}

impl Handler<AddHub> for ChatServer {
    type Result = HubPlace;

    #[expect(clippy::cast_possible_truncation, reason = "there are as many hubs as workers")]
    fn handle(&mut self, AddHub(hub): AddHub, _: &mut Self::Context) -> HubPlace {
        self.hubs.push(hub);
        HubPlace { index: self.hubs.len() as u16 - 1, head: self.published }
    }
}

/// Asks who is connected.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Inspection")]
pub struct Inspect;

/// Who is connected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// Each user with the number of their sessions, by id.
    pub users: Vec<(UserId, u32)>,
}

impl Handler<Inspect> for ChatServer {
    type Result = MessageResult<Inspect>;

    fn handle(&mut self, _: Inspect, _: &mut Self::Context) -> Self::Result {
        MessageResult(Inspection { users: self.roster.list() })
    }
}
