//! One case: its steps are taken, everyone comes back, and everything that is known must fit together.

use super::{
    command::{Command, Outcome, Place, What},
    participant::{Copies, Participant},
    state::State,
    step::{PLACES, Saying, Step, USER_OF_SESSION},
    world::World,
};
use crate::harness::checker::Seen;
use serde_json::Value;
use uuid::Uuid;

/// What is under way in a case.
pub(super) struct Case<'w> {
    world: &'w mut World,
    places: Vec<Place>,
    sessions: Vec<Participant>,
    commands: Vec<Command>,
}

/// Takes the steps, and judges.
pub(super) async fn run(world: &mut World, steps: &[Step]) {
    let mut case = Case::begin(world).await;
    for step in steps {
        case.take(*step).await;
    }
    case.judge().await;
}

impl<'w> Case<'w> {
    /// Conversations and users of its own, so that cases have nothing to do with each other.
    async fn begin(world: &'w mut World) -> Self {
        let number = world.cases;
        let places: Vec<Place> = PLACES.iter().map(|(kind, index)| (*kind, number * 2 + index + 1)).collect();
        let mut sessions: Vec<Participant> = USER_OF_SESSION.iter().map(|user| Participant::new(number * 3 + user + 1)).collect();
        for session in &mut sessions {
            session.begin(&world.server, &[]).await;
        }
        Self { world, places, sessions, commands: Vec::new() }
    }

    async fn take(&mut self, step: Step) {
        match step {
            Step::Say { session, saying, wait } => {
                if let Some((place, what)) = self.meant(saying)
                    && self.sessions[session].is_here()
                {
                    self.say(session, place, what).await;
                    if wait {
                        self.sessions[session].answered(&mut self.commands).await;
                    }
                }
            }
            Step::Leave { session } if self.sessions[session].is_here() => {
                self.world.ends(self.sessions[session].user);
                self.sessions[session].leave().await;
            }
            Step::Vanish { session } if self.sessions[session].is_here() => {
                self.world.ends(self.sessions[session].user);
                self.sessions[session].vanish();
            }
            Step::Return { session, afresh } if !self.sessions[session].is_here() => self.come_back(session, afresh).await,
            Step::Leave { .. } | Step::Vanish { .. } | Step::Return { .. } => {}
            Step::Kill => {
                self.world.kill().await;
                self.sessions.iter_mut().for_each(Participant::vanish);
            }
        }
    }

    async fn come_back(&mut self, session: usize, afresh: bool) {
        let (server, places) = (&self.world.server, &self.places);
        let session = &mut self.sessions[session];
        if afresh { session.begin(server, places).await } else { session.resume(server, places).await }
    }

    async fn say(&mut self, session: usize, place: Place, what: What) {
        let number = self.commands.len();
        let user = self.sessions[session].user;
        self.commands.push(Command { user, place, what, outcome: Outcome::Unknown });
        self.sessions[session].say(&self.commands, number).await;
    }

    /// The command that is meant, if there is such a message.
    fn meant(&self, saying: Saying) -> Option<(Place, What)> {
        const NOTHING: i64 = 1 << 52;
        let content = format!("c{}", self.commands.len());
        let pick = |number: usize, commands: Vec<&'_ Command>| {
            commands.get(number % commands.len().max(1)).map(|found| (*found).clone())
        };
        let keyed = || self.commands.iter().filter(|command| command.key().is_some()).collect();
        let message = |number| {
            let posted = pick(number, self.commands.iter().filter(|command| command.posted().is_some()).collect())?;
            Some((posted.place, posted.posted()?))
        };
        Some(match saying {
            Saying::Post { place, keyed } => (self.places[place], What::Post { key: keyed.then(Uuid::new_v4), content }),
            Saying::Repeat { post } => pick(post, keyed()).map(|command| (command.place, command.what))?,
            Saying::Edit { message: number } => {
                message(number).map(|(place, message)| (place, What::Edit { message, content }))?
            }
            Saying::Delete { message: number } => message(number).map(|(place, message)| (place, What::Delete { message }))?,
            Saying::EditNothing { place } => (self.places[place], What::Edit { message: NOTHING, content }),
        })
    }

    /// Everyone comes back, what has no answer and a key is tried again, and all read up to one last message.
    async fn settle(&mut self) -> i64 {
        for session in 0..self.sessions.len() {
            if !self.sessions[session].is_here() {
                self.come_back(session, false).await;
            }
            self.sessions[session].answered(&mut self.commands).await;
        }
        self.world.settled().await;
        let is_open = |command: &&Command| command.outcome == Outcome::Unknown && command.key().is_some();
        let open: Vec<Command> = self.commands.iter().filter(is_open).cloned().collect();
        for Command { user, place, what, .. } in open {
            let session = self.sessions.iter().position(|session| session.user == user).expect("a session of the user");
            self.say(session, place, what).await;
            self.sessions[session].answered(&mut self.commands).await;
        }
        let last = What::Post { key: Some(Uuid::new_v4()), content: "the last".to_owned() };
        self.say(0, self.places[0], last).await;
        self.sessions[0].answered(&mut self.commands).await;
        match self.commands.last().map(|command| &command.outcome) {
            Some(Outcome::Acked { seq, .. }) => *seq,
            other => panic!("the last message was answered by {other:?}"),
        }
    }

    async fn judge(mut self) {
        let last = self.settle().await;
        for session in &mut self.sessions {
            session.reaches(last).await;
        }
        let log = self.world.witnessed(last).await;
        let server: Copies = self.sessions[0].history(&self.places).await.into_iter().flatten().collect();
        State::of(&log, &self.commands).assert_is(&server);
        for session in &mut self.sessions {
            // Its hub may have handed out the end of the case before after this one began.
            session.copies.retain(|id, _| log.iter().any(|(event, _)| (event.kind, event.subject) == *id));
            assert_eq!(session.copies, server, "user {} has another state than the server", session.user);
            for (told, _) in &session.told {
                let is_the_same = |(event, _): &&(Seen, Value)| {
                    (event.seq, event.event, event.kind, event.subject) == (told.seq, told.event, told.kind, told.subject)
                };
                let is_of_this_case = log.first().is_some_and(|(first, _)| first.seq <= told.seq);
                assert!(!is_of_this_case || log.iter().any(|event| is_the_same(&event)), "the witness did not hear of {told:?}");
            }
        }
        self.world.judged(self.commands.iter().filter_map(Command::acked));
    }
}
