//! U1: many uploads at once, and those who go on sending or go away, take nothing from the others.

use crate::harness::{
    Backend, PATIENCE, RawSocket, Scrape, Server, TestDatabase,
    scrape::becomes,
    server::Start,
    upload::{being_received, form, picture, png_of, request_head},
};
use futures_util::future::{join, join_all};
use image::ImageFormat;
use rstest::rstest;
use std::{
    cell::Cell,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{sleep, timeout},
};

/// Waits until so many images are redrawn or wait for it.
async fn redraws(server: &Server, images: u64) {
    let begun = Instant::now();
    while Scrape::of(server).await.count("natter_redraw_queue_images") < images {
        assert!(begun.elapsed() < PATIENCE, "fewer images wait");
    }
}

#[tokio::test]
async fn nobody_waits_behind_all_images_of_another() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = Server::unlimited(&database).await;
    let large = png_of(6_000, 4_000, 4_000);
    let done = Cell::new(0);
    let of_one = join_all((0..4).map(|_| async {
        assert_eq!(server.upload(1, "large.png", &large).await.0, 201);
        done.set(done.get() + 1);
    }));
    let of_another = async {
        redraws(&server, 4).await;
        assert_eq!(server.upload(2, "small.png", &picture(10, 10, ImageFormat::Png)).await.0, 201);
        assert!(done.get() <= 2, "{} of another user's images came first", done.get());
    };
    join(of_one, of_another).await;
    becomes(&server, "natter_redraw_queue_images", 0).await;
}

#[tokio::test]
async fn an_image_that_would_wait_too_long_is_refused_and_other_files_do_not_wait() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = Start::on(&database).unlimited().env("NATTER_UPLOADS__REDRAW_WAIT_SECONDS", "1").listening().await;
    let large = png_of(6_000, 4_000, 4_000);
    let images = join_all((1..=12).map(|user| server.upload(user, "large.png", &large)));
    let text = async {
        redraws(&server, 4).await;
        assert_eq!(server.upload(99, "a.txt", b"x").await.0, 201);
    };
    let (answers, ()) = join(images, text).await;
    let (kept, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|(status, _)| *status == 201);
    assert!(!kept.is_empty() && !refused.is_empty(), "{} kept, {} refused", kept.len(), refused.len());
    for (status, body) in refused {
        assert_eq!((status, body["error"]["code"].as_str()), (503, Some("unavailable")), "{body}");
        assert_eq!(body["error"]["message"], "too many images wait to be redrawn: try again");
        assert_eq!(body["error"]["retry_after_ms"], 1_000);
    }
    assert_eq!(database.kept_files().len(), kept.len() * 2 + 1);
    let scrape = Scrape::of(&server).await;
    let stored = ["image", "text"].map(|kind| scrape.count(&format!("natter_uploads_stored_total{{kind=\"{kind}\"}}")));
    let images = kept.len() as u64;
    assert_eq!(stored, [images, 1]);
    assert_eq!(scrape.count("natter_uploads_refused_total{code=\"unavailable\"}"), 12 - images);
    assert_eq!(scrape.count("natter_redraw_duration_seconds_count"), images);
    assert_eq!(scrape.count("natter_uploads_received_bytes_total"), large.len() as u64 * 12 + 1);
}

/// Chunks without end before the form's first part, and behind its last one.
#[rstest]
#[tokio::test]
async fn a_form_that_goes_on_and_on_beside_its_file_is_cut_off(#[values(true, false)] before: bool) {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = Start::on(&database).unlimited().env("NATTER_UPLOADS__MAX_BYTES", "1048576").listening().await;
    let mut socket = TcpStream::connect(&server.address).await.expect("a connection");
    socket.write_all(request_head(&server, 1, "Transfer-Encoding: chunked").as_bytes()).await.expect("sent");
    let (mut reading, mut writing) = socket.split();
    let chunk = |content: &[u8]| [format!("{:x}\r\n", content.len()).as_bytes(), content, b"\r\n"].concat();
    let sending = async {
        if !before {
            writing.write_all(&chunk(&form("a.txt", "text/plain", b"kept"))).await.expect("sent");
        }
        let more = chunk(&b"nobody reads this\r\n".repeat(3_000));
        while writing.write_all(&more).await.is_ok() {}
    };
    let mut answer = Vec::new();
    let heard = async {
        // However it ends, what counts is what came before.
        let _ = reading.read_to_end(&mut answer).await;
    };
    timeout(PATIENCE, join(heard, sending)).await.expect("the connection ends");
    let expected = if before { "HTTP/1.1 413" } else { "HTTP/1.1 201" };
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.starts_with(expected), "{answer}");
    assert!(answer.contains("connection: close"), "{answer}");
    assert_eq!(database.kept_files().len(), usize::from(!before));
    assert_eq!(server.upload(1, "a.txt", b"x").await.0, 201, "its place is free again");
}

#[tokio::test]
async fn uploads_follow_one_another_on_one_connection() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = Server::unlimited(&database).await;
    let mut socket = RawSocket::open(&server).await;
    let form = form("a.txt", "text/plain", b"x");
    let chunks = [format!("{:x}\r\n", form.len()).as_bytes(), &form, b"\r\n0\r\n\r\n"].concat();
    let length = format!("Content-Length: {}", form.len());
    for (length, body) in [(length.as_str(), &form), ("Transfer-Encoding: chunked", &chunks), (length.as_str(), &form)] {
        socket.write(&[request_head(&server, 1, length).as_bytes(), body].concat()).await;
        let head = socket.read_head().await.to_lowercase();
        assert!(head.starts_with("http/1.1 201"), "{head}");
        assert!(!head.contains("connection: close"), "{head}");
        socket.read_body(&head).await;
    }
}

#[tokio::test]
async fn uploads_that_are_broken_off_after_their_last_byte_give_all_places_back() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = Server::unlimited(&database).await;
    let content = form("gone.png", "image/png", &picture(1_000, 1_000, ImageFormat::Png));
    let head = request_head(&server, 1, &format!("Content-Length: {}", content.len()));
    let received = || async { Scrape::of(&server).await.count("natter_uploads_received_bytes_total") };
    for _ in 0..12 {
        let before = received().await;
        let mut socket = TcpStream::connect(&server.address).await.expect("a connection");
        socket.write_all(&[head.as_bytes(), &content].concat()).await.expect("sent");
        let begun = Instant::now();
        // One that is refused because the ones before are not stored yet is asked for again.
        while received().await == before && begun.elapsed() < Duration::from_secs(1) {}
        drop(socket);
    }
    becomes(&server, "natter_redraw_queue_images", 0).await;
    let begun = Instant::now();
    let head = request_head(&server, 1, "Content-Length: 100000");
    let start = form("slow", "text/plain", &b"never comes ".repeat(100));
    let mut slow = Vec::new();
    while being_received(&server) < 4 {
        assert!(begun.elapsed() < PATIENCE, "{} places came back", being_received(&server));
        let mut socket = TcpStream::connect(&server.address).await.expect("a connection");
        socket.write_all(&[head.as_bytes(), &start[..500]].concat()).await.expect("sent");
        slow.push(socket);
        sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(server.upload(1, "a.txt", b"x").await.0, 429, "and no more than there were");
}
