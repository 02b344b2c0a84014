//! A way to PostgreSQL that breaks exactly where a test wants it: at a COMMIT.

use super::{Backend, TestDatabase};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// What becomes of the next COMMIT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Break {
    /// It arrives, and the connection breaks before its answer.
    Answer,
    /// It never arrives: the connection breaks.
    Commit,
    /// It arrives, and nothing is heard any more on a connection that stays open.
    Silence,
}

/// A COMMIT that is to be met by a [`Break`].
#[derive(Clone, Copy)]
struct Strike {
    fate: Break,
    /// Only one with which another batch begins.
    with_more_to_come: bool,
}

impl Strike {
    fn is_for(self, asked: &[u8]) -> bool {
        let has = |text: &[u8]| asked.windows(text.len()).any(|bytes| bytes == text);
        has(b"COMMIT;") || (has(b"COMMIT\0") && !self.with_more_to_come)
    }
}

/// The proxy; gone with the test's runtime.
pub(crate) struct Proxy {
    next: Armed,
}

/// Taken by the COMMIT that it strikes.
type Armed = watch::Sender<Option<Strike>>;

impl Proxy {
    /// A database of the test's own whose address is the proxy's.
    pub(crate) async fn with_database() -> (TestDatabase, Self) {
        let mut database = TestDatabase::new(Backend::Postgres).await;
        let (user, rest) = database.url.split_once('@').expect("an address with a user");
        let (address, name) = rest.split_once('/').expect("an address with a database");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("{user}@{}/{name}", listener.local_addr().expect("its address"));
        let next = Armed::default();
        let (address, armed) = (address.to_owned(), next.clone());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carry(client, address.clone(), armed.clone()));
            }
        });
        database.url = url;
        (database, Self { next })
    }

    /// Has the next COMMIT meet its fate.
    pub(crate) fn strike(&self, fate: Break) {
        self.arm(Strike { fate, with_more_to_come: false });
    }

    /// Has the next COMMIT that begins another batch meet its fate.
    pub(crate) fn strike_with_more_to_come(&self, fate: Break) {
        self.arm(Strike { fate, with_more_to_come: true });
    }

    fn arm(&self, strike: Strike) {
        self.next.send_replace(Some(strike));
    }

    /// Whether what it was told to strike is still to come.
    pub(crate) fn is_armed(&self) -> bool {
        self.next.borrow().is_some()
    }
}

/// One connection. A COMMIT is a message of its own, and short: it comes in one read.
async fn carry(mut client: TcpStream, address: String, next: Armed) {
    let Ok(mut database) = TcpStream::connect(address).await else { return };
    let (mut asked, mut answered) = (vec![0; 65_536], vec![0; 65_536]);
    loop {
        tokio::select! {
            Ok(count) = client.read(&mut asked) => {
                let mut struck = None;
                next.send_if_modified(|armed| {
                    struck = armed.take_if(|strike| strike.is_for(&asked[..count]));
                    struck.is_some()
                });
                let fate = struck.map(|strike| strike.fate);
                if count == 0 || fate == Some(Break::Commit) || database.write_all(&asked[..count]).await.is_err() {
                    return;
                }
                if let Some(fate) = fate {
                    // Its answer has come: it is committed.
                    let _ = database.read(&mut answered).await;
                    if fate == Break::Silence {
                        std::future::pending::<()>().await;
                    }
                    return;
                }
            }
            Ok(count) = database.read(&mut answered) => {
                if count == 0 || client.write_all(&answered[..count]).await.is_err() {
                    return;
                }
            }
            else => return,
        }
    }
}
