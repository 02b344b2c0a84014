//! The hub as a plain struct, through everything that may happen to it in any order, from seeds.

use super::*;
use crate::protocol::{
    Addressed, Audience, Change, Conversation, ConversationId, ConversationKind, Dialect, Event, MessageId, Role, Timestamp,
    UserId, Window, audience::Listed, delete::Deleted,
};

/// Seeds of a run; `NATTER_TEST_SEEDS` is how many, 10,000 in the figures of `docs/guarantees.md`.
fn seeds() -> u64 {
    std::env::var("NATTER_TEST_SEEDS").map_or(100, |text| text.parse().expect("a number"))
}

const STEPS: usize = 1_000;

/// Sessions that are registered at most.
const SESSIONS: usize = 12;

/// Users, each of whom may have any number of them.
const USERS: i64 = 5;

/// Keeps the `seq` of each event that it is sent, and what it is told.
struct Ear {
    caller: Caller,
    dialect: Dialect,
    heard: RefCell<Vec<i64>>,
    told: RefCell<Vec<u64>>,
    closed: Cell<Option<CloseCode>>,
}

impl Subscriber for Ear {
    fn caller(&self) -> Caller {
        self.caller
    }

    fn encoding(&self) -> Encoding {
        Encoding { dialect: self.dialect, deflate: None }
    }

    fn send(&self, frames: &Bytes) {
        self.heard.borrow_mut().extend(seqs(frames));
    }

    fn tell(&self, json: &[u8]) {
        self.told.borrow_mut().push(u64::from_le_bytes(json.try_into().expect("a number of ours")));
    }

    fn tell_page(&self, json: &[u8], _: &Share) {
        self.tell(json);
    }

    fn close(&self, code: CloseCode) {
        self.closed.set(Some(code));
    }

    fn tick(&self) {}

    fn review(&self, _: Timestamp, _: &Revocations) {}
}

/// The `seq` of each frame: a header of two bytes or four, then JSON that begins with the type.
fn seqs(mut frames: &[u8]) -> Vec<i64> {
    const KEY: &[u8] = br#","seq":"#;
    let mut seqs = Vec::new();
    while let [_, short, rest @ ..] = frames {
        let (length, rest) = match (*short, rest) {
            (126, [high, low, rest @ ..]) => (usize::from(u16::from_be_bytes([*high, *low])), rest),
            (short, rest) => (usize::from(short), rest),
        };
        let (json, rest) = rest.split_at(length);
        let at = json.windows(KEY.len()).position(|window| window == KEY).expect("a seq") + KEY.len();
        let digits = json[at..].iter().take_while(|byte| byte.is_ascii_digit());
        seqs.push(digits.fold(0, |seq, digit| seq * 10 + i64::from(digit - b'0')));
        frames = rest;
    }
    seqs
}

/// A session that is registered, with what it must have heard and been told.
struct Registered {
    ear: Rc<Ear>,
    registration: Registration,
    /// Since when it is live.
    live_after: Option<i64>,
    /// What its user is, for the events after this one.
    roles: Vec<(i64, Role)>,
    told: Vec<u64>,
}

impl Registered {
    /// Who it is when this event is handed out.
    fn caller_at(&self, seq: i64) -> Caller {
        let (_, role) = self.roles.iter().rev().find(|(head, _)| *head < seq).expect("a role from the beginning");
        Caller { role: *role, ..self.ear.caller }
    }
}

struct Model {
    random: fastrand::Rng,
    hub: Rc<Hub>,
    /// Who may see each event so far.
    audiences: Vec<Audience>,
    /// Those who may be.
    possible: Vec<Audience>,
    draining: bool,
    sessions: Vec<Registered>,
    /// Every address that is nobody's any more.
    gone: Vec<SessionKey>,
    replies: u64,
}

impl Model {
    fn new(seed: u64) -> Self {
        let hub = Rc::new(Hub::new());
        hub.take_place(3, Seq(0));
        let random = fastrand::Rng::with_seed(seed);
        let (audiences, sessions, gone) = (Vec::new(), Vec::new(), Vec::new());
        Self { random, hub, audiences, possible: possible_audiences(), draining: false, sessions, gone, replies: 0 }
    }

    fn head(&self) -> i64 {
        i64::try_from(self.audiences.len()).expect("a few")
    }

    fn step(&mut self) {
        match self.random.u8(..100) {
            0..20 => self.register(),
            20..35 => self.leave(),
            35..55 => self.go_live(),
            55..65 => self.change_role(),
            65..99 => self.deliver(),
            _ if self.random.u8(..10) == 0 => {
                self.hub.drain();
                self.draining = true;
            }
            _ => self.hub.for_each(|subscriber| subscriber.tick()),
        }
    }

    fn register(&mut self) {
        if self.sessions.len() == SESSIONS {
            return;
        }
        let dialect = if self.random.bool() { Dialect::NatterV1 } else { Dialect::Classic };
        let role = self.any_role();
        let caller = Caller { user: UserId(self.random.i64(1..=USERS)), role };
        let ear = Rc::new(Ear { caller, dialect, heard: RefCell::default(), told: RefCell::default(), closed: Cell::default() });
        let registration = self.hub.register(Rc::clone(&ear) as Rc<dyn Subscriber>);
        let key = registration.key();
        assert_eq!(key.hub, 3);
        assert!((key.slot as usize) < SESSIONS, "a free slot is used before a new one is made");
        assert!(!self.gone.contains(&key) && self.sessions.iter().all(|other| other.registration.key() != key), "{key:?} again");
        self.sessions.push(Registered { ear, registration, live_after: None, roles: vec![(0, role)], told: Vec::new() });
    }

    fn any_role(&mut self) -> Role {
        [Role::User, Role::User, Role::Agent, Role::Admin][self.random.usize(..4)]
    }

    /// A session goes on under a newer token.
    fn change_role(&mut self) {
        let (role, head) = (self.any_role(), self.head());
        if let Some(session) = self.random.choice(&mut self.sessions) {
            session.registration.set_role(Caller { role, ..session.ear.caller });
            session.roles.push((head, role));
        }
    }

    fn leave(&mut self) {
        if self.sessions.is_empty() {
            return;
        }
        let session = self.sessions.swap_remove(self.random.usize(..self.sessions.len()));
        self.check(&session);
        self.gone.push(session.registration.key());
        let ear = session.ear;
        drop(session.registration);
        assert_eq!(Rc::strong_count(&ear), 1, "the hub has forgotten it");
    }

    /// Some read further in the log than the hub was handed.
    fn go_live(&mut self) {
        let after = self.head() + self.random.i64(0..4);
        if let Some(session) = self.sessions.iter_mut().find(|session| session.live_after.is_none()) {
            session.registration.go_live(Seq(after));
            session.live_after = Some(after);
        }
    }

    /// A commit of some events, or of none, with answers for some who are there and some who are gone.
    fn deliver(&mut self) {
        let mut events = Vec::new();
        for _ in 0..self.random.usize(..5) {
            let audience = self.possible[self.random.usize(..self.possible.len())].clone();
            self.audiences.push(audience.clone());
            events.push(Addressed { event: event(self.head()), audience });
        }
        let page = self.random.bool().then(|| Arc::new(Window::default()).take(1));
        let sort = page.map_or(ReplySort::Answer, ReplySort::Page);
        let mut replies = Vec::new();
        for session in &mut self.sessions {
            if self.random.u8(..4) == 0 {
                self.replies += 1;
                session.told.push(self.replies);
                replies.push(Reply {
                    session: session.registration.key(),
                    json: self.replies.to_le_bytes().to_vec(),
                    sort: sort.clone(),
                });
            }
        }
        if let Some(gone) = self.random.choice(&self.gone) {
            let late = Reply { session: *gone, json: u64::MAX.to_le_bytes().to_vec(), sort };
            replies.insert(self.random.usize(..=replies.len()), late);
        }
        self.hub.deliver(&Batch::new(events), &replies);
        assert_eq!(self.hub.head(), Seq(self.head()));
    }

    fn seen_after(&self, after: i64, session: &Registered) -> Vec<i64> {
        let may_see = |seq: i64, audience: &Audience| match audience {
            Audience::Everyone => true,
            Audience::Some(listed) => {
                let caller = session.caller_at(seq);
                listed.names(caller.user) || listed.has_by_role(caller)
            }
        };
        (1..).zip(&self.audiences).filter(|(seq, audience)| *seq > after && may_see(*seq, audience)).map(|(seq, _)| seq).collect()
    }

    fn check(&self, session: &Registered) {
        let due: Vec<i64> = match (session.ear.dialect, session.live_after) {
            (Dialect::NatterV1, Some(after)) => self.seen_after(after, session),
            // It has no words for a deletion.
            (Dialect::Classic, Some(_)) | (_, None) => Vec::new(),
        };
        assert_eq!(*session.ear.heard.borrow(), due, "live after {:?}", session.live_after);
        assert_eq!(*session.ear.told.borrow(), session.told);
        assert_eq!(session.ear.closed.get().is_some(), self.draining);
    }
}

/// Mostly everyone, as it is by default; and lists that have users in common.
fn possible_audiences() -> Vec<Audience> {
    let users = |users: &[i64]| users.iter().copied().map(UserId).collect::<Vec<_>>();
    let lists = [(users(&[1, 2]), false, users(&[])), (users(&[2, 3]), true, users(&[4])), (users(&[]), true, users(&[1, 2, 3]))];
    let listed = lists.map(|(users, agents, banned)| Audience::Some(Arc::new(Listed { users, agents, banned })));
    [vec![Audience::Everyone; 4], listed.to_vec()].concat()
}

fn event(seq: i64) -> Event {
    let conversation = Conversation { kind: ConversationKind::Chat, id: ConversationId(1) };
    let at = Timestamp::from_unix_ms(0).expect("1970");
    let deleted = Deleted { conversation, message_id: MessageId(1), version: 2, at, by: UserId(1) };
    Event { seq: Seq(seq), change: Change::Deleted(deleted) }
}

#[test]
fn each_live_session_hears_every_event_once_in_order_and_each_answer_finds_its_own() {
    for seed in 0..seeds() {
        let mut model = Model::new(seed);
        for _ in 0..STEPS {
            model.step();
        }
        model.sessions.iter().for_each(|session| model.check(session));
    }
}
