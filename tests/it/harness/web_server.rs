//! A small web server of a test's own: it answers every request alike, and counts them.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpListener,
    sync::watch,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    },
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

    /// Answers 200 with `body` over TLS, as `localhost`, by a certificate of [`CA`]. Only who gets that far is counted.
    pub(crate) async fn secure(body: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("https://localhost:{}/keys", listener.local_addr().expect("its address").port());
        let (answer, answers) = watch::channel(ok(body));
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&asked);
        let acceptor = acceptor();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if let Ok(client) = acceptor.accept(client).await {
                    counted.fetch_add(1, Ordering::SeqCst);
                    tokio::spawn(serve(client, answers.borrow().clone()));
                }
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

/// A certificate authority of these tests alone, whose key is gone.
pub(crate) const CA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/keys/ca.pem");

fn acceptor() -> TlsAcceptor {
    let certificate = CertificateDer::from_pem_slice(include_bytes!("../keys/localhost.pem")).expect("a certificate");
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("../keys/localhost.key.pem")).expect("a key");
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate], key);
    TlsAcceptor::from(Arc::new(config.expect("a key that fits")))
}

async fn serve(mut client: impl AsyncRead + AsyncWrite + Unpin, answer: String) {
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
