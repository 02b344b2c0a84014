//! `ChatServer`: takes the sessions' commands to the rules, and what was committed to the hubs. No feature's name stands here.

use super::announce::announce;
use crate::{
    chat::{Chat, Outcome},
    delivery::{Batch, Deliver, Reply, ReplySort, Roster},
    metrics::{
        self,
        panics::{Panicked, Place, caught, caught_in},
    },
    protocol::{
        Addressed, Answer, CloseCode, Committed, Origin, Refusal, Seq, SessionKey, Share, UserId, command::Request, frame,
    },
    session::{Connect, Disconnect, Submit},
};
use actix::{
    Actor, ActorFutureExt, AsyncContext, Context, Handler, Message, MessageResult, Recipient, ResponseFuture, WrapFuture,
    dev::SendError,
};
use futures_util::{
    FutureExt,
    future::{LocalBoxFuture, join_all},
};
use std::{collections::BTreeSet, sync::Arc};
use tokio::sync::oneshot;

/// Messages that may wait for the server, each with the commands of one read, at most 64 KiB of them; a session whose message finds no
/// room is told `unavailable`.
const MAILBOX: usize = 1_024;

/// Pages that may be read at once; one more is refused with `unavailable`.
const READS: usize = 256;

/// The server's state; the actor is a shell round it.
pub struct ChatServer {
    chat: Chat,
    roster: Roster,
    /// One a worker; a session's key says which is its own.
    hubs: Vec<Recipient<Deliver>>,
    /// The last event that was published.
    published: Seq,
    /// Pages that are being read.
    reading: usize,
    /// Dropped with the server, however it ends: whoever has the other end hears of it.
    _life: oneshot::Sender<()>,
}

impl ChatServer {
    /// A server that carries out commands by `chat`, where everything up to `head` counts as published. It keeps `life` as long as it
    /// lives.
    #[must_use]
    pub fn new(chat: Chat, head: Seq, life: oneshot::Sender<()>) -> Self {
        Self { chat, roster: Roster::default(), hubs: Vec::new(), published: head, reading: 0, _life: life }
    }

    /// Carries out what one session asked for; what is told at once is returned.
    fn run(&mut self, submit: Submit, ctx: &mut Context<Self>) -> Vec<Reply> {
        let Submit { session, caller, requests, share } = submit;
        let mut replies = Vec::new();
        for Request { request_id, command } in requests {
            let origin = Origin::Session { session, request_id, share: share.clone() };
            match caught(Place::Command, || self.chat.run(caller, origin.clone(), command)) {
                Err(Panicked) => {
                    replies.push(last_words(session, &origin));
                    break;
                }
                Ok(outcome) => replies.extend(self.answer(session, &share, origin, outcome, ctx)),
            }
        }
        replies
    }

    /// What is told at once of a command's outcome.
    fn answer(
        &mut self,
        session: SessionKey,
        share: &Share,
        origin: Origin,
        outcome: Outcome,
        ctx: &mut Context<Self>,
    ) -> Option<Reply> {
        match outcome {
            Outcome::Queued => None,
            Outcome::Refused(answer) => reply_to(&answer),
            Outcome::Told(json) => Some(Reply { session, json, sort: ReplySort::Answer }),
            Outcome::Reading(_) if self.reading >= READS => {
                let refusal = Refusal::unavailable("the server is busy reading: try again");
                reply_to(&Answer { to: origin, outcome: Err(refusal) })
            }
            Outcome::Reading(reading) => {
                self.read(session, share.clone(), origin, reading, ctx);
                None
            }
        }
    }

    /// Waits for a page and sends it.
    fn read(
        &mut self,
        session: SessionKey,
        share: Share,
        origin: Origin,
        reading: LocalBoxFuture<'static, Vec<u8>>,
        ctx: &mut Context<Self>,
    ) {
        self.reading += 1;
        ctx.spawn(caught_in(Place::Command, reading).into_actor(self).map(move |page, server, ctx| {
            server.reading -= 1;
            let reply = match page {
                Ok(json) => Reply { session, json, sort: ReplySort::Page(share) },
                Err(Panicked) => last_words(session, &origin),
            };
            server.reply(reply.session, vec![reply], ctx);
        }));
    }

    /// Sends frames to one session. Where its hub has no room, nothing else is taken until it has: the mailbox fills up, and refuses.
    fn reply(&self, session: SessionKey, replies: Vec<Reply>, ctx: &mut Context<Self>) {
        let Some(hub) = self.hubs.get(usize::from(session.hub)).filter(|_| !replies.is_empty()).cloned() else { return };
        let deliver = Deliver { batch: Arc::new(Batch::new(Vec::new())), replies };
        if let Err(SendError::Full(deliver)) = hub.try_send(deliver) {
            ctx.wait(hub.send(deliver).map(|_| ()).into_actor(self));
        }
    }

    /// Hands a batch to every hub, and each reply to its session's. Resolves when all of them have taken it, so that no hub falls
    /// behind by more than one batch.
    fn publish(&mut self, events: Vec<Addressed>, replies: Vec<Reply>) -> ResponseFuture<()> {
        if log::log_enabled!(log::Level::Info) {
            for event in &events {
                announce(&event.event, self.roster.count(&event.audience));
            }
        }
        let batch = Arc::new(Batch::new(events));
        self.published = batch.head().unwrap_or(self.published);
        let mut of_hub: Vec<Vec<Reply>> = self.hubs.iter().map(|_| Vec::new()).collect();
        for reply in replies {
            if let Some(replies) = of_hub.get_mut(usize::from(reply.session.hub)) {
                replies.push(reply);
            }
        }
        // A worker that was restarted has another hub; its old one is gone with its sessions.
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

/// The frame of an answer for a session; success is told only to those who named the request.
fn reply_to(answer: &Answer) -> Option<Reply> {
    let Answer { to, outcome } = answer;
    let (session, request_id) = match to {
        Origin::Session { session, request_id, .. } => (*session, request_id.as_ref()),
        Origin::Http(_) => return None,
    };
    let json = match (outcome, request_id) {
        (Ok(ack), Some(request_id)) => frame::ack(request_id, ack),
        (Ok(_), None) => return None,
        (Err(refusal), request_id) => {
            metrics::refused(refusal.code);
            frame::error(request_id, refusal)
        }
    };
    Some(Reply { session, json, sort: ReplySort::Answer })
}

/// What a session is told whose command panicked.
fn last_words(session: SessionKey, to: &Origin) -> Reply {
    let refusal = Refusal::internal();
    metrics::refused(refusal.code);
    Reply { session, json: frame::error(to.request_id(), &refusal), sort: ReplySort::Last(CloseCode::Internal) }
}

/// Answers those who wait over HTTP.
fn answer_over_http(answers: Vec<Answer>) {
    for Answer { to, outcome } in answers {
        match to {
            // There is room for the one answer; where nobody waits any more, it falls away.
            Origin::Http(waiting) => drop(waiting.try_send(outcome)),
            Origin::Session { .. } => {}
        }
    }
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

    fn handle(&mut self, submit: Submit, ctx: &mut Self::Context) {
        let session = submit.session;
        let replies = self.run(submit, ctx);
        self.reply(session, replies, ctx);
    }
}

/// What was committed, to be published. The answer comes when every hub has taken it.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Publish(pub Committed);

impl Handler<Publish> for ChatServer {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, Publish(committed): Publish, _: &mut Self::Context) -> Self::Result {
        let Committed { events, answers, .. } = committed;
        let published = self.publish(events, answers.iter().filter_map(reply_to).collect());
        // Last, so that whoever is told so and connects then, is told of nothing from before.
        Box::pin(published.map(move |()| answer_over_http(answers)))
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
#[derive(Clone, Debug, Message)]
#[rtype(result = "Inspection")]
pub enum Inspect {
    /// All who are.
    Everyone,
    /// Who is, of these.
    Of(BTreeSet<UserId>),
}

/// Who is connected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// Each user with the number of their sessions, by id.
    pub users: Vec<(UserId, u32)>,
}

impl Handler<Inspect> for ChatServer {
    type Result = MessageResult<Inspect>;

    fn handle(&mut self, whom: Inspect, _: &mut Self::Context) -> Self::Result {
        let users = match whom {
            Inspect::Everyone => self.roster.list(),
            Inspect::Of(users) => self.roster.of(&users),
        };
        MessageResult(Inspection { users })
    }
}
