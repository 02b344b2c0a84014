//! A small web server of a test's own: it answers every request alike, and counts them.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// The server; gone with the test's runtime.
pub(crate) struct WebServer {
    pub(crate) url: String,
    answer: watch::Sender<String>,
    asked: Arc<AtomicUsize>,
}

impl WebServer {
    /// Answers 200 with `body`.
    pub(crate) async fn with(body: &str) -> Self {
        Self::answering(ok(body)).await
    }

    /// Answers with these bytes.
    pub(crate) async fn answering(answer: String) -> Self {
        Self::on("127.0.0.1:0", answer).await
    }

    pub(crate) async fn on(address: &str, answer: String) -> Self {
        let listener = TcpListener::bind(address).await.expect("a port");
        let url = format!("http://{}/keys", listener.local_addr().expect("its address"));
        let (answer, answers) = watch::channel(answer);
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(serve(client, answers.borrow().clone()));
            }
        });
        Self { url, answer, asked }
    }

    /// Answers 200 with `body` from now on.
    pub(crate) fn answer(&self, body: &str) {
        self.answer.send_replace(ok(body));
    }

    /// How often it was asked.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
}

async fn serve(mut client: TcpStream, answer: String) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match client.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let _ = client.write_all(answer.as_bytes()).await;
    let _ = client.shutdown().await;
}
