//! One hub a worker thread: the outboxes of that worker's sessions, and the actor that brings them what was committed.

use super::{Batch, Reply, ReplySort, addressees::Addressees};
use crate::{
    clock::Clock,
    metrics::{
        self, Sent,
        panics::{Place, caught},
    },
    protocol::{Caller, CloseCode, Encoding, Revocations, Seq, SessionKey, Share, Timestamp},
};
use actix::{Actor, ActorStreamExt, AsyncContext, Context, Handler, Message, ResponseFuture, fut::wrap_stream};
use bytes::Bytes;
use futures_util::{Stream, stream};
use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    sync::Arc,
    time::Duration,
};
use tokio::{sync::watch, task::yield_now};

/// How often a hub looks after its sessions' liveness and deadlines: one timer a worker, none a session.
pub const SWEEP: Duration = Duration::from_secs(1);

/// Batches that may wait for a hub. The sender waits for room, so the database's lane slows down and then refuses.
const MAILBOX: usize = 16;

/// How many sessions are looked at before the first of them is written to. What a session keeps has left the processor's cache since the
/// last commit, and so it waits for the memory of all of them at once, and not for that of one after the other.
const AHEAD: usize = 16;

/// A session, as its hub sees it. None of these calls waits, and none comes back to the hub.
pub trait Subscriber {
    /// Whose it is.
    fn caller(&self) -> Caller;

    /// How its frames are written.
    fn encoding(&self) -> Encoding;

    /// Looks at what [`Subscriber::send`] is going to look at first, and changes nothing.
    fn look_ahead(&self) {}

    /// The same for what lies behind the pointers that [`Subscriber::look_ahead`] has seen.
    fn look_further(&self) {}

    /// Takes whole frames; the subscriber bounds what it keeps.
    fn send(&self, frames: &Bytes);

    /// Takes one frame that is for this session alone, as JSON.
    fn tell(&self, json: &[u8]);

    /// Takes a page that this session asked for, as one frame of JSON, with its place among what the session has under way: it is
    /// given back when the page has left, so that a session has few pages at a time.
    fn tell_page(&self, json: &[u8], share: &Share);

    /// Ends the session, with a close frame after what was sent before.
    fn close(&self, code: CloseCode);

    /// One [`SWEEP`] has passed.
    fn tick(&self);

    /// Ends the session if who it is holds no more.
    fn review(&self, now: Timestamp, revocations: &Revocations);
}

/// The sessions of one worker.
pub struct Hub {
    /// Which worker's, once the server has given it a number.
    index: Cell<u16>,
    /// The last event that was handed to the sessions: whoever registers now gets what comes after.
    head: Cell<Seq>,
    /// Set once the server is going away: whoever registers now is told so.
    draining: Cell<bool>,
    slots: RefCell<Vec<Slot>>,
    /// Whose the slots are.
    addressees: RefCell<Addressees>,
    /// Slots to be used again.
    free: RefCell<Vec<u32>>,
}

#[derive(Default)]
struct Slot {
    generation: u32,
    subscriber: Option<Rc<dyn Subscriber>>,
    /// It gets the events after this one; `None` while it is still being told what it missed.
    live_after: Option<Seq>,
}

impl Slot {
    /// Sends a session that is live what it sees of a batch and does not have yet, being in these groups of it: how many frames.
    fn hand_out(&self, batch: &Batch, head: Seq, groups: &[usize]) -> usize {
        let (Some(subscriber), Some(after)) = (&self.subscriber, self.live_after) else { return 0 };
        let mut sent = 0;
        if after < head {
            isolated(&**subscriber, || {
                let frames = batch.frames_after(after, groups, subscriber.encoding());
                if frames.count > 0 {
                    subscriber.send(&frames.bytes);
                    sent = frames.count;
                }
            });
        }
        sent
    }
}

/// Hands out to these slots, each with its groups of the batch: how many frames.
fn hand_out_to<'a>(mut slots: impl Iterator<Item = (&'a Slot, &'a [usize])>, batch: &Batch, head: Seq) -> usize {
    let (mut sent, mut step) = (0, Vec::with_capacity(AHEAD));
    loop {
        step.extend(slots.by_ref().take(AHEAD));
        if step.is_empty() {
            return sent;
        }
        let subscribers = || step.iter().filter_map(|(slot, _)| slot.subscriber.as_deref());
        subscribers().for_each(|subscriber| isolated(subscriber, || subscriber.look_ahead()));
        subscribers().for_each(|subscriber| isolated(subscriber, || subscriber.look_further()));
        sent += step.drain(..).map(|(slot, groups)| slot.hand_out(batch, head, groups)).sum::<usize>();
    }
}

impl Default for Hub {
    fn default() -> Self {
        Self::new()
    }
}

impl Hub {
    /// A hub without sessions and without a place yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            index: Cell::new(0),
            head: Cell::new(Seq(0)),
            draining: Cell::new(false),
            slots: RefCell::default(),
            addressees: RefCell::default(),
            free: RefCell::default(),
        }
    }

    /// Takes the place that the server gave it: its number, and the last event that was published before it was there. A batch
    /// may have come in between.
    pub fn take_place(&self, index: u16, head: Seq) {
        self.index.set(index);
        self.head.set(self.head.get().max(head));
    }

    /// Registers a session until the registration is dropped. It gets answers at once, and events once it is made live.
    #[expect(clippy::cast_possible_truncation, reason = "a worker has fewer sessions than a u32 counts")]
    pub fn register(self: &Rc<Self>, subscriber: Rc<dyn Subscriber>) -> Registration {
        let mut slots = self.slots.borrow_mut();
        let slot = self.free.borrow_mut().pop().unwrap_or_else(|| {
            slots.push(Slot::default());
            slots.len() as u32 - 1
        });
        if self.draining.get() {
            subscriber.close(CloseCode::GoingAway);
        }
        self.addressees.borrow_mut().add(subscriber.caller(), slot);
        let entry = &mut slots[slot as usize];
        entry.subscriber = Some(subscriber);
        entry.live_after = None;
        let key = SessionKey { hub: self.index.get(), slot, generation: entry.generation };
        Registration { hub: Rc::clone(self), key }
    }

    /// The last event that the registered sessions were handed.
    #[must_use]
    pub fn head(&self) -> Seq {
        self.head.get()
    }

    /// Hands out a commit: its events to those who may see them, then the answers to those who wait for one. What only some may see
    /// costs no more than they are, however many sessions there are.
    pub fn deliver(&self, batch: &Batch, replies: &[Reply]) {
        let slots = self.slots.borrow();
        if let Some(head) = batch.head() {
            let groups = self.addressees.borrow().groups_by_slot(batch);
            let sent = if batch.is_public() {
                let groups_of = |place: u32| groups.get(&place).map_or(&[][..], Vec::as_slice);
                hand_out_to(slots.iter().zip((0..).map(groups_of)), batch, head)
            } else {
                let addressed = groups.iter().map(|(place, groups)| (&slots[*place as usize], groups.as_slice()));
                hand_out_to(addressed, batch, head)
            };
            metrics::frames_sent(Sent::Event, sent);
            self.head.set(self.head.get().max(head));
        }
        for Reply { session, json, sort } in replies {
            let addressee = slots.get(session.slot as usize).filter(|slot| slot.generation == session.generation);
            if let Some(subscriber) = addressee.and_then(|slot| slot.subscriber.as_ref()) {
                isolated(&**subscriber, || match sort {
                    ReplySort::Answer => subscriber.tell(json),
                    ReplySort::Page(share) => subscriber.tell_page(json, share),
                    ReplySort::Last(code) => {
                        subscriber.tell(json);
                        subscriber.close(*code);
                    }
                });
            }
        }
    }

    fn drain(&self) {
        self.draining.set(true);
        self.for_each(|subscriber| subscriber.close(CloseCode::GoingAway));
    }

    fn for_each(&self, act: impl Fn(&dyn Subscriber)) {
        self.slots
            .borrow()
            .iter()
            .filter_map(|slot| slot.subscriber.as_deref())
            .for_each(|subscriber| isolated(subscriber, || act(subscriber)));
    }

    fn leave(&self, key: SessionKey) {
        let slot = &mut self.slots.borrow_mut()[key.slot as usize];
        if let Some(subscriber) = slot.subscriber.take() {
            self.addressees.borrow_mut().remove(subscriber.caller(), key.slot);
        }
        slot.generation = slot.generation.wrapping_add(1);
        self.free.borrow_mut().push(key.slot);
    }
}

/// Does something for one subscriber. A panic ends that one alone: it may have missed something, and is closed.
fn isolated(subscriber: &dyn Subscriber, act: impl FnOnce()) {
    if caught(Place::Delivery, act).is_err() {
        // Where even that fails, the hook has logged it, and there is nothing left to try.
        let _ = caught(Place::Delivery, || subscriber.close(CloseCode::Internal));
    }
}

/// A session's place in its hub, given back when this is dropped, however the session ends.
pub struct Registration {
    hub: Rc<Hub>,
    key: SessionKey,
}

impl Registration {
    /// The session's address.
    #[must_use]
    pub fn key(&self) -> SessionKey {
        self.key
    }

    /// From now on the session gets every event after `seq`, once each. It must have everything up to there, and `seq` may not lie
    /// before [`Hub::head`]: what was handed out is not kept.
    pub fn go_live(&self, seq: Seq) {
        debug_assert!(seq >= self.hub.head(), "what was handed out already would be missed");
        self.hub.slots.borrow_mut()[self.key.slot as usize].live_after = Some(seq);
    }

    /// The session goes on under another role: from the next commit on it is sent what that role sees.
    pub fn set_role(&self, caller: Caller) {
        self.hub.addressees.borrow_mut().set_role(caller, self.key.slot);
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.hub.leave(self.key);
    }
}

/// The actor round a [`Hub`].
pub struct HubActor {
    /// The sessions.
    pub hub: Rc<Hub>,
    /// Tells whose token has ended.
    pub clock: Clock,
    /// Whose tokens were revoked.
    pub revocations: watch::Receiver<Revocations>,
}

impl HubActor {
    fn sweep(&self) {
        self.hub.for_each(|subscriber| subscriber.tick());
        self.review();
    }

    fn review(&self) {
        let (now, revocations) = (self.clock.now(), self.revocations.borrow());
        self.hub.for_each(|subscriber| subscriber.review(now, &revocations));
    }

    /// Resolves with each revocation.
    fn revoked(&self) -> impl Stream<Item = ()> + use<> {
        stream::unfold(self.revocations.clone(), |mut revocations| async {
            revocations.changed().await.ok().map(|()| ((), revocations))
        })
    }
}

impl Actor for HubActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
        ctx.run_interval(SWEEP, |actor, _| actor.sweep());
        let reviews = wrap_stream(self.revoked()).map(|(), actor: &mut Self, _| actor.review());
        ctx.spawn(reviews.finish());
    }
}

/// What one commit brings to this hub. Its sender waits for the answer before it sends the next.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Deliver {
    /// The events, each for those who may see it.
    pub batch: Arc<Batch>,
    /// The answers, for sessions of this hub.
    pub replies: Vec<Reply>,
}

impl Handler<Deliver> for HubActor {
    type Result = ResponseFuture<()>;

    /// Answers when what the sessions' sockets hold by now is read, so that on SQLite the next commit has all that this one brought
    /// about in it, and not in two halves that take turns.
    fn handle(&mut self, deliver: Deliver, _: &mut Self::Context) -> Self::Result {
        self.hub.deliver(&deliver.batch, &deliver.replies);
        Box::pin(yield_now())
    }
}

/// The server is going away: every session is closed with 1001.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct Drain;

impl Handler<Drain> for HubActor {
    type Result = ();

    fn handle(&mut self, _: Drain, _: &mut Self::Context) {
        self.hub.drain();
    }
}

#[cfg(test)]
mod tests;
