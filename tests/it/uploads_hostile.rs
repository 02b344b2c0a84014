//! U1: names, contents and ways of sending that mean harm.

use crate::harness::{
    Backend, PATIENCE, Server, TestDatabase,
    server::Start,
    upload::{being_received, form, part, picture, png_of, request_head},
};
use image::{
    AnimationDecoder, ExtendedColorType, ImageDecoder, ImageEncoder, ImageFormat, ImageReader,
    codecs::{gif::GifDecoder, jpeg::JpegEncoder},
};
use rstest::rstest;
use std::{io::Cursor, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use uuid::Uuid;

#[tokio::test]
async fn whatever_a_file_is_called_it_is_stored_under_a_uuid() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = Server::unlimited(&database).await;
    let long = format!("{}.txt", "x".repeat(4_096));
    let names = [
        ("../../../../tmp/escaped.txt", Some("escaped.txt")),
        ("..\\\\..\\\\escaped.txt", Some("escaped.txt")),
        ("/etc/passwd", Some("passwd")),
        ("..", Some("")),
        ("%2e%2e%2fescaped.txt", Some("%2e%2e%2fescaped.txt")),
        ("photo\u{202e}gpj.exe", Some("photogpj.exe")),
        ("\u{feff}\u{200b}a.txt", Some("a.txt")),
        ("gr\u{fc}n \u{1f600}.txt", Some("gr\u{fc}n \u{1f600}.txt")),
        (long.as_str(), Some(&long[long.len() - 255..])),
        // No header may have it.
        ("a\0b.txt", None),
    ];
    let mut kept = Vec::new();
    for (given, name) in names {
        let (status, body) = server.upload(1, given, b"content").await;
        let Some(name) = name else {
            assert_eq!((status, body["error"]["code"].as_str()), (400, Some("invalid_field")), "{given:?}");
            continue;
        };
        assert_eq!((status, body["name"].as_str()), (201, Some(name)), "{given:?}");
        kept.push(body["id"].as_str().expect("an id").to_owned());
        let disposition = server.fetch(&format!("{}?userId=1", body["url"].as_str().expect("a path")), &[]).await;
        let disposition = disposition.headers()["content-disposition"].to_str().expect("ASCII").to_owned();
        assert!(disposition.starts_with("attachment"), "{disposition}");
        assert!(!disposition.contains(['/', '\\']), "{disposition}");
    }
    kept.sort();
    assert_eq!(database.kept_files().into_iter().collect::<Vec<_>>(), kept);
    assert!(kept.iter().all(|name| Uuid::try_parse(name).is_ok_and(|id| id.get_version_num() == 4)));
}

#[tokio::test]
async fn a_form_is_one_file_or_is_refused() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = Server::unlimited(&database).await;
    let file = |disposition| part(disposition, "text/plain", b"x");
    let one = "Content-Disposition: form-data; name=\"file\"; filename=\"a\"";
    let two = String::from_utf8([file(one), file(one)].concat()).expect("text").replacen("--\r\n--", "\r\n--", 1);
    for form in [
        b"".to_vec(),
        b"no form at all".to_vec(),
        file("Content-Disposition: form-data; name=\"picture\"; filename=\"a\""),
        file("Content-Disposition: form-data"),
        file("X-Nothing: 1"),
        form("empty", "text/plain", b""),
        two.replace("natter-test-boundary--\r\n--", "natter-test-boundary\r\n--").into_bytes(),
        file(&format!("{one}\r\nX-Long: {}", "x".repeat(100_000))),
        form("cut", "text/plain", b"off")[..130].to_vec(),
    ] {
        let (status, body) = server.send_form(1, form.clone()).await;
        let shown = String::from_utf8_lossy(&form[..form.len().min(200)]).into_owned();
        assert_eq!((status, body["error"]["code"].as_str()), (400, Some("invalid_field")), "{shown}: {body}");
    }
    database.has_no_uploads().await;
}

/// Each with its type by content, or none where it is not taken.
fn contents() -> Vec<(&'static str, Vec<u8>, Option<&'static str>)> {
    const SCRIPT: &[u8] = b"<script>alert(1)</script>";
    let png = picture(20, 10, ImageFormat::Png);
    let jpeg = picture(20, 10, ImageFormat::Jpeg);
    let gif = picture(20, 10, ImageFormat::Gif);
    let webp = picture(20, 10, ImageFormat::WebP);
    let archive = [b"PK\x03\x04".to_vec(), vec![0; 100]].concat();
    vec![
        ("image/png", b"%PDF-1.7\nlies about itself".to_vec(), Some("application/pdf")),
        ("text/plain", png.clone(), Some("image/png")),
        ("application/pdf", gif.clone(), Some("image/gif")),
        ("image/png", webp, Some("image/jpeg")),
        ("text/html", b"plain text".to_vec(), Some("text/plain")),
        ("image/png", b"<!DOCTYPE html><script>alert(1)</script>".to_vec(), None),
        ("image/svg+xml", b"<svg xmlns=\"http://www.w3.org/2000/svg\" onload=\"alert(1)\"/>".to_vec(), None),
        ("image/svg+xml", b"<?xml version=\"1.0\"?><svg onload=\"alert(1)\"/>".to_vec(), None),
        ("image/png", b"\n\t <svg onload=\"alert(1)\"/>".to_vec(), None),
        ("text/plain", b"#!/bin/sh\nrm -rf /".to_vec(), None),
        ("image/png", b"MZ\x90\0 a program".to_vec(), None),
        ("image/png", b"\x7fELF\x02\x01\x01".to_vec(), None),
        ("application/octet-stream", vec![0xff; 1_000], None),
        // Polyglots: images with a page, an archive or a script behind them or within.
        ("text/html", [png, SCRIPT.to_vec()].concat(), Some("image/png")),
        ("application/zip", [jpeg, archive.clone()].concat(), Some("image/jpeg")),
        ("text/javascript", [gif, b"*/=1;alert(1)//".to_vec()].concat(), Some("image/gif")),
        ("image/jpeg", archive, Some("application/zip")),
    ]
}

#[tokio::test]
async fn a_file_is_what_its_content_is_and_nothing_but_a_drawn_image_is_shown() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = Server::unlimited(&database).await;
    for (declared, content, found) in contents() {
        let (status, body) = server.send_form(1, form("x", declared, &content)).await;
        let Some(found) = found else {
            assert_eq!((status, body["error"]["code"].as_str()), (415, Some("invalid_field")), "{content:?}");
            continue;
        };
        assert_eq!((status, body["type"].as_str()), (201, Some(found)), "{body}");
        let response = server.fetch(&format!("{}?userId=1", body["url"].as_str().expect("a path")), &[]).await;
        let header = |name: &str| response.headers()[name].to_str().expect("ASCII").to_owned();
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert_eq!(header("content-security-policy"), "sandbox; default-src 'none'");
        assert!(header("content-type").starts_with(found), "{}", header("content-type"));
        let is_image = found.starts_with("image/");
        assert!(header("content-disposition").starts_with(if is_image { "inline" } else { "attachment" }));
        let content = response.bytes().await.expect("a body");
        let hidden =
            [&b"script"[..], b"alert", b"PK\x03\x04"].into_iter().any(|text| content.windows(text.len()).any(|at| at == text));
        assert!(!is_image || !hidden, "{declared} {found}");
    }
}

/// A JPEG as a telephone makes it: lying on its side, with the place where it was taken.
fn photograph() -> Vec<u8> {
    let exif: Vec<u8> = [
        b"MM\0*\0\0\0\x08\0\x02".to_vec(),
        // Orientation 6: to be turned by 90 degrees.
        b"\x01\x12\0\x03\0\0\0\x01\0\x06\0\0".to_vec(),
        // The directory of the position.
        b"\x88\x25\0\x04\0\0\0\x01\0\0\0\x26".to_vec(),
        b"\0\0\0\0".to_vec(),
        b"\0\x01\0\x01\0\x02\0\0\0\x02N\0\0\0\0\0\0\0".to_vec(),
        b"GPS 47.3769 N 8.5417 E".to_vec(),
    ]
    .concat();
    let mut out = Vec::new();
    let mut encoder = JpegEncoder::new_with_quality(&mut out, 90);
    encoder.set_exif_metadata(exif).expect("the encoder takes it");
    encoder.write_image(&[128; 40 * 20 * 3], 40, 20, ExtendedColorType::Rgb8).expect("a picture");
    out
}

#[tokio::test]
async fn an_image_is_turned_upright_and_does_not_say_where_it_was_taken() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = Server::unlimited(&database).await;
    let photograph = photograph();
    let tells = |bytes: &[u8]| [&b"Exif"[..], b"GPS 47"].iter().any(|text| bytes.windows(text.len()).any(|at| at == *text));
    assert!(tells(&photograph));
    let upload = server.uploaded(1, "IMG_0001.JPG", &photograph).await;
    assert_eq!((upload["width"].as_u64(), upload["height"].as_u64()), (Some(20), Some(40)));
    for key in ["url", "thumbnail"] {
        let (status, bytes) = server.download(1, upload[key].as_str().expect("a path")).await;
        assert_eq!(status, 200);
        assert!(!tells(&bytes));
        let decoder = ImageReader::with_format(Cursor::new(bytes), ImageFormat::Jpeg).into_decoder();
        assert_eq!(decoder.expect("an image").exif_metadata().expect("read"), None);
    }
}

/// Two frames, the second one of which draws over a part of the first, each with colours of its own, and a word that nobody sees.
fn moving() -> Vec<u8> {
    let mut out = Vec::new();
    let mut encoder = gif::Encoder::new(&mut out, 400, 300, &[]).expect("a header");
    let whole: Vec<u8> = (0..400 * 300).map(|at: u32| u8::from(at.is_multiple_of(7))).collect();
    let mut first = gif::Frame::from_palette_pixels(400, 300, whole, &[255, 0, 0, 0, 0, 255][..], None);
    first.delay = 30;
    encoder.write_frame(&first).expect("a frame");
    encoder.write_raw_extension(gif::AnyExtension(0xfe), &[b"GPS 47.3769"]).expect("a comment");
    let mut second = gif::Frame::from_palette_pixels(20, 10, vec![1; 200], &[0, 0, 0, 0, 255, 0][..], Some(0));
    (second.left, second.top) = (30, 40);
    encoder.write_frame(&second).expect("a frame");
    drop(encoder);
    out
}

#[tokio::test]
async fn an_animation_moves_as_before_and_has_nothing_else() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = Server::unlimited(&database).await;
    let moving = moving();
    let upload = server.uploaded(1, "a.gif", &[&moving, &b"hidden behind"[..]].concat()).await;
    let (_, drawn) = server.download(1, upload["url"].as_str().expect("a path")).await;
    let frames = |bytes: &[u8]| -> Vec<_> {
        let frames = GifDecoder::new(Cursor::new(bytes.to_vec())).expect("a GIF").into_frames();
        frames.map(|frame| frame.expect("a frame")).map(|frame| (frame.delay(), frame.into_buffer())).collect()
    };
    assert_eq!(frames(&drawn), frames(&moving));
    let tells = |bytes: &[u8], text: &[u8]| bytes.windows(text.len()).any(|at| at == text);
    assert!(tells(&moving, b"GPS") && !tells(&drawn, b"GPS") && !tells(&drawn, b"hidden"));
    let (_, thumbnail) = server.download(1, upload["thumbnail"].as_str().expect("a path")).await;
    let thumbnail = image::load_from_memory_with_format(&thumbnail, ImageFormat::Png).expect("a PNG").into_rgb8();
    assert_eq!(thumbnail.dimensions(), (320, 240));
    assert!(thumbnail.get_pixel(0, 0)[0] > 100, "the colours of the first frame");
}

/// Frames that are small as a file, and large as pixels.
fn animation(frames: u32, side: u32) -> Vec<u8> {
    let mut out = Vec::new();
    let mut encoder = image::codecs::gif::GifEncoder::new_with_speed(&mut out, 30);
    for _ in 0..frames {
        encoder.encode(&vec![0; (side * side * 3) as usize], side, side, ExtendedColorType::Rgb8).expect("a frame");
    }
    drop(encoder);
    out
}

#[tokio::test]
async fn an_image_that_would_take_too_much_memory_is_not_decoded() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = Start::on(&database).unlimited().env("NATTER_UPLOADS__IMAGE_PIXELS", "1000000").listening().await;
    let bombs = [
        ("60,000 by 60,000", png_of(60_000, 60_000, 1)),
        ("more than there may be, all there", png_of(9_000, 9_000, 9_000)),
        ("one long row", png_of(2_000_000_000, 1, 0)),
        ("an animation", animation(6, 900)),
        ("an animation of a great many small frames", animation(250, 1)),
        ("a large GIF without pixels", b"GIF89a\xff\xff\xff\xff\0\0\0,\0\0\0\0\xff\xff\xff\xff\0\x02\x01\0\0;".to_vec()),
    ];
    for (what, bomb) in bombs {
        let (status, body) = server.upload(1, "bomb", &bomb).await;
        assert_eq!((status, body["error"]["code"].as_str()), (422, Some("too_large")), "{what}: {body}");
    }
    let small = picture(100, 100, ImageFormat::Png);
    let broken = [&small[..small.len() / 2], b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0 no picture"].map(<[u8]>::to_vec);
    for image in broken {
        let (status, body) = server.upload(1, "broken", &image).await;
        assert_eq!((status, body["error"]["code"].as_str()), (422, Some("invalid_field")), "{body}");
    }
    assert!(server.peak_rss_kib() < 400 * 1024, "{} KiB", server.peak_rss_kib());
    database.has_no_uploads().await;
}

/// The largest that are taken, several at a time.
#[tokio::test]
async fn large_images_take_a_bounded_memory_together() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = Server::unlimited(&database).await;
    let image = png_of(6_000, 4_000, 4_000);
    let uploads = (1..=4).map(|user| server.upload(user, "large.png", &image));
    for (status, body) in futures_util::future::join_all(uploads).await {
        assert_eq!(status, 201, "{body}");
    }
    assert!(server.peak_rss_kib() < 400 * 1024, "{} KiB", server.peak_rss_kib());
}

/// What comes over a socket that was sent a request piece by piece.
async fn answer(socket: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    // The server may cut the rest off after its answer.
    let _ = timeout(PATIENCE, socket.read_to_end(&mut answer)).await.expect("an answer");
    String::from_utf8_lossy(&answer).into_owned()
}

#[rstest]
#[tokio::test]
async fn a_body_without_end_is_cut_off(#[values("Content-Length: 1000000000000", "Transfer-Encoding: chunked")] length: &str) {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = Start::on(&database).unlimited().env("NATTER_UPLOADS__MAX_BYTES", "1048576").listening().await;
    let mut socket = TcpStream::connect(&server.address).await.expect("a connection");
    socket.write_all(request_head(&server, 1, length).as_bytes()).await.expect("sent");
    let form = form("endless", "text/plain", &b"x".repeat(65_536));
    let piece = &form[..form.len() - 100];
    let (mut reading, mut writing) = socket.split();
    let sending = async {
        for number in 0.. {
            let content = if number == 0 { piece.to_vec() } else { vec![b'x'; 65_536] };
            let chunk = [format!("{:x}\r\n", content.len()).as_bytes(), &content, b"\r\n"].concat();
            if writing.write_all(if length.starts_with('T') { &chunk } else { &content }).await.is_err() {
                return;
            }
        }
    };
    let mut answer = Vec::new();
    let heard = async {
        // However it ends, what counts is what came before.
        let _ = reading.read_to_end(&mut answer).await;
    };
    timeout(PATIENCE, futures_util::future::join(heard, sending)).await.expect("the connection ends");
    assert!(answer.starts_with(b"HTTP/1.1 413"), "{}", String::from_utf8_lossy(&answer));
    database.has_no_uploads().await;
}

#[tokio::test]
async fn a_body_that_drips_is_given_up_and_holds_no_more_than_its_senders_places() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = Start::on(&database).unlimited().env("NATTER_UPLOADS__RECEIVE_SECONDS", "5").listening().await;
    let form = form("slow", "text/plain", &b"never comes ".repeat(100));
    let head = request_head(&server, 1, &format!("Content-Length: {}", form.len()));
    let mut dripping = Vec::new();
    for _ in 0..4 {
        let mut socket = TcpStream::connect(&server.address).await.expect("a connection");
        socket.write_all(&[head.as_bytes(), &form[..form.len() - 60]].concat()).await.expect("sent");
        dripping.push(socket);
    }
    // One more of this user would take the place of one that is still on its way.
    let begun = tokio::time::Instant::now();
    while being_received(&server) < 4 {
        assert!(begun.elapsed() < PATIENCE, "{} are being received", being_received(&server));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let (status, body) = server.upload(1, "a.txt", b"x").await;
    assert_eq!((status, &body["error"]["code"]), (429, &"rate_limited".into()));
    assert_eq!(server.upload(2, "a.txt", b"x").await.0, 201, "others are served");
    for socket in &mut dripping {
        let answer = answer(socket).await;
        assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
        assert!(answer.contains("\"unavailable\""), "{answer}");
    }
    assert_eq!(server.upload(1, "a.txt", b"x").await.0, 201, "and its places are free again");
}

#[tokio::test]
async fn a_thousand_uploads_that_are_broken_off_leave_nothing() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = Server::unlimited(&database).await;
    assert_eq!(server.upload(1, "a.txt", b"x").await.0, 201);
    let kept = database.kept_files();
    let descriptors = server.descriptors();
    let form = form("broken", "text/plain", &b"x".repeat(100_000));
    for number in 0..1_000 {
        let head = request_head(&server, 1 + number % 100, &format!("Content-Length: {}", form.len()));
        let sent = usize::try_from(number).expect("small") * form.len() / 1_000;
        let mut socket = TcpStream::connect(&server.address).await.expect("a connection");
        // The server may have refused it already: the one before may not be given up yet.
        let _ = socket.write_all(&[head.as_bytes(), &form[..sent]].concat()).await;
    }
    let begun = tokio::time::Instant::now();
    while server.descriptors() > descriptors {
        assert!(begun.elapsed() < PATIENCE, "{} descriptors, {descriptors} before", server.descriptors());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(database.kept_files(), kept);
    assert_eq!(database.number("SELECT count(*) FROM uploads").await, 1);
    assert_eq!(server.upload(1, "a.txt", b"x").await.0, 201);
}
