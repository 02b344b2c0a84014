//! A way to PostgreSQL that breaks exactly where a test wants it: at a COMMIT.

use super::TestDatabase;
use std::sync::{
    Arc,
    atomic::{AtomicU8, Ordering},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// What becomes of the next COMMIT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Break {
    /// It arrives, and the connection breaks before its answer.
    Answer = 1,
    /// It never arrives: the connection breaks.
    Commit = 2,
    /// It arrives, and nothing is heard any more on a connection that stays open.
    Silence = 3,
}

/// The proxy; gone with the test's runtime.
pub(crate) struct Proxy {
    pub(crate) url: String,
    /// A [`Break`], or 0 for none. Taken by the COMMIT that it strikes.
    next: Arc<AtomicU8>,
}

/// Beside a [`Break`]: it strikes no COMMIT but one with which the next batch begins.
const WITH_MORE_TO_COME: u8 = 1 << 7;

impl Proxy {
    pub(crate) async fn to(database: &TestDatabase) -> Self {
        let (user, rest) = database.url.split_once('@').expect("an address with a user");
        let (address, name) = rest.split_once('/').expect("an address with a database");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("{user}@{}/{name}", listener.local_addr().expect("its address"));
        let next = Arc::new(AtomicU8::new(0));
        let (address, armed) = (address.to_owned(), Arc::clone(&next));
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carry(client, address.clone(), Arc::clone(&armed)));
            }
        });
        Self { url, next }
    }

    /// Has the next COMMIT meet its fate.
    pub(crate) fn strike(&self, fate: Break) {
        self.next.store(fate as u8, Ordering::SeqCst);
    }

    /// Has the next COMMIT that begins another batch meet its fate.
    pub(crate) fn strike_with_more_to_come(&self, fate: Break) {
        self.next.store(fate as u8 | WITH_MORE_TO_COME, Ordering::SeqCst);
    }

    pub(crate) fn has_struck(&self) -> bool {
        self.next.load(Ordering::SeqCst) == 0
    }
}

/// One connection. A COMMIT is a message of its own, and short: it comes in one read.
async fn carry(mut client: TcpStream, address: String, next: Arc<AtomicU8>) {
    let Ok(mut database) = TcpStream::connect(address).await else { return };
    let (mut asked, mut answered) = (vec![0; 65_536], vec![0; 65_536]);
    loop {
        tokio::select! {
            Ok(count) = client.read(&mut asked) => {
                let has = |text: &[u8]| asked[..count].windows(text.len()).any(|bytes| bytes == text);
                let strikes = match next.load(Ordering::SeqCst) & WITH_MORE_TO_COME {
                    0 => has(b"COMMIT\0") || has(b"COMMIT;"),
                    _ => has(b"COMMIT;"),
                };
                let fate = if strikes { next.swap(0, Ordering::SeqCst) & !WITH_MORE_TO_COME } else { 0 };
                if count == 0 || fate == Break::Commit as u8 || database.write_all(&asked[..count]).await.is_err() {
                    return;
                }
                if fate != 0 {
                    // Its answer has come: it is committed.
                    let _ = database.read(&mut answered).await;
                    if fate == Break::Silence as u8 {
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
