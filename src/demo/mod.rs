//! `natter demo`: an empty database is filled with conversations that look lived in, the same for the same seed.

mod calendar;
mod cast;
mod progress;
mod texts;

use crate::{
    clock::Clock,
    protocol::{Message, Timestamp, post::NewMessage},
    store::{Amendment, DatabaseUrl, OpenError, Store, StoreError},
};
use calendar::Calendar;
use cast::Cast;
use fastrand::Rng;
use progress::Progress;
use texts::text;
use uuid::Builder;

/// Messages that one transaction stores at most: what is fsynced is mostly pages of indexes, which few large transactions share.
const BATCH: u64 = 20_000;

/// Of so many messages, about one is edited, and one deleted.
const EDITED: u64 = 100;
const DELETED: u64 = 250;

/// Of so many messages, about one has a file.
const WITH_FILE: u64 = 30;

/// How much of what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::Args)]
pub struct Demo {
    /// Messages in all; a few are edited or deleted later
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    pub messages: u64,
    /// Conversations: three chats to one support chat. A few are busy, most are not
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub conversations: u64,
    /// Users, from id 1 on; the first of every twenty answer in support chats
    #[arg(long, default_value_t = 25, value_parser = clap::value_parser!(u64).range(2..=10_000_000))]
    pub users: u64,
    /// The same seed gives the same conversations; their times end now
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

/// Why the database was not filled.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// Somebody's messages stand there.
    #[error("the database {0} has messages already: the demo fills an empty one only; give it a DATABASE_URL of its own")]
    NotEmpty(String),
    /// Ctrl-C.
    #[error("interrupted: {0} messages are stored, and the database is sound; remove it to begin anew")]
    Interrupted(u64),
    /// The database is in use, or can't be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A statement failed; what was stored before stays.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Fills the database at `url`, a transaction at a time, until all is stored or `interrupted` resolves.
///
/// # Errors
/// Where it has messages already, is being served, or fails.
pub async fn fill(url: &DatabaseUrl, demo: Demo, clock: Clock, interrupted: impl Future<Output = ()>) -> Result<(), DemoError> {
    let store = Store::open(url, 1).await?;
    let filler = store.filler(url).await?.ok_or_else(|| DemoError::NotEmpty(url.to_string()))?;
    let mut interrupted = std::pin::pin!(interrupted);
    let mut script = Script::new(demo, clock.now());
    let mut progress = Progress::begin(demo.messages);
    let mut before = Vec::new();
    while script.written < demo.messages {
        let posts = script.posts();
        let amendments = script.amendments(&before, posts.last().map(|(_, at)| *at));
        // A transaction that was begun is finished: it is whole, or not there.
        before = filler.store(&posts, &amendments).await?;
        progress.at(script.written);
        if futures_util::FutureExt::now_or_never(&mut interrupted).is_some() && script.written < demo.messages {
            filler.close().await?;
            return Err(DemoError::Interrupted(script.written));
        }
    }
    progress.end();
    filler.close().await?;
    Ok(store.close().await?)
}

/// Who says what when: all chance comes from the seed.
struct Script {
    demo: Demo,
    rng: Rng,
    cast: Cast,
    calendar: Calendar,
    /// Messages so far.
    written: u64,
}

impl Script {
    fn new(demo: Demo, now: Timestamp) -> Self {
        let mut rng = Rng::with_seed(demo.seed);
        let cast = Cast::new(demo.conversations, demo.users, &mut rng);
        Self { demo, rng, cast, calendar: Calendar::until(now, demo.messages), written: 0 }
    }

    /// The next messages, at most a tenth of all, so that what is changed later lies among others.
    fn posts(&mut self) -> Vec<(NewMessage, Timestamp)> {
        let batch = (self.demo.messages / 10).clamp(1, BATCH).min(self.demo.messages - self.written);
        (0..batch).map(|_| self.post()).collect()
    }

    fn post(&mut self) -> (NewMessage, Timestamp) {
        let at = self.calendar.moment(self.written, &mut self.rng);
        self.written += 1;
        let line = self.cast.next(&mut self.rng);
        let file = (self.rng.u64(..WITH_FILE) == 0).then(|| self.rng.u64(..));
        let message = NewMessage {
            conversation: line.conversation,
            sender_id: line.sender,
            content: text(line.voice, &mut self.rng),
            file_type: file.map(|_| "image/png".to_owned()),
            file_paths: file.map(|number| format!("uploads/{number:016x}.png")),
            selected_chat_id: None,
            client_id: Some(Builder::from_random_bytes(self.rng.u128(..).to_le_bytes()).into_uuid()),
            attachments: Vec::new(),
        };
        (message, at)
    }

    /// Changes of messages that were stored before, all at one moment.
    fn amendments(&mut self, before: &[Message], at: Option<Timestamp>) -> Vec<Amendment> {
        let Some(at) = at else { return Vec::new() };
        before.iter().filter_map(|message| self.amendment(message, at)).collect()
    }

    fn amendment(&mut self, message: &Message, at: Timestamp) -> Option<Amendment> {
        let content = if self.rng.u64(..EDITED) == 0 {
            Some(format!("{} (edited)", message.content))
        } else if self.rng.u64(..DELETED) == 0 {
            None
        } else {
            return None;
        };
        let (conversation, message_id, by) = (message.conversation, message.id, message.sender_id);
        Some(Amendment { conversation, message_id, by, at, content })
    }
}
