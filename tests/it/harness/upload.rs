//! Uploads as a browser sends them, and files of all kinds to send.

use super::{PATIENCE, Server, TestDatabase};
use image::{DynamicImage, ImageFormat, RgbImage};
use serde_json::Value;
use std::{collections::BTreeSet, io::Cursor, path::PathBuf, time::Duration};
use tokio::time::{Instant, sleep};

const BOUNDARY: &str = "natter-test-boundary";

/// The body of a form with one file, and the `Content-Type` that goes with it.
pub(crate) fn form(name: &str, declared: &str, content: &[u8]) -> Vec<u8> {
    let disposition = format!("Content-Disposition: form-data; name=\"file\"; filename=\"{name}\"");
    part(&disposition, declared, content)
}

/// The same with a disposition of one's own.
pub(crate) fn part(disposition: &str, declared: &str, content: &[u8]) -> Vec<u8> {
    let head = format!("--{BOUNDARY}\r\n{disposition}\r\nContent-Type: {declared}\r\n\r\n");
    [head.as_bytes(), content, format!("\r\n--{BOUNDARY}--\r\n").as_bytes()].concat()
}

pub(crate) fn form_type() -> String {
    format!("multipart/form-data; boundary={BOUNDARY}")
}

/// The head of a request that uploads a body of this length.
pub(crate) fn request_head(server: &Server, user: i64, length: &str) -> String {
    format!(
        "POST /api/v1/uploads?userId={user} HTTP/1.1\r\nHost: {}\r\nContent-Type: {}\r\n{length}\r\n\r\n",
        server.address,
        form_type()
    )
}

/// Files without a name that the server has open.
pub(crate) fn being_received(server: &Server) -> usize {
    let open = std::fs::read_dir(format!("/proc/{}/fd", server.pid())).expect("its descriptors");
    let links = open.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
    links.filter(|link| link.to_string_lossy().ends_with("(deleted)")).count()
}

impl Server {
    /// Uploads a file as this user: status and body.
    pub(crate) async fn upload(&self, user: i64, name: &str, content: &[u8]) -> (u16, Value) {
        self.send_form(user, form(name, "application/octet-stream", content)).await
    }

    /// Sends a form as this user: status and body.
    pub(crate) async fn send_form(&self, user: i64, form: Vec<u8>) -> (u16, Value) {
        let url = format!("http://{}/api/v1/uploads?userId={user}", self.address);
        let request = reqwest::Client::new().post(url).header("content-type", form_type()).timeout(PATIENCE).body(form);
        let response = request.send().await.expect("an answer");
        let status = response.status().as_u16();
        (status, response.json().await.expect("JSON"))
    }

    /// Uploads a small file by this path, which says who asks, or by this key: status.
    pub(crate) async fn upload_as(&self, path: &str, key: Option<&str>) -> u16 {
        let request = reqwest::Client::new().post(format!("http://{}{path}", self.address)).header("content-type", form_type());
        let request = key.into_iter().fold(request, reqwest::RequestBuilder::bearer_auth);
        request.body(form("a.txt", "text/plain", b"x")).send().await.expect("an answer").status().as_u16()
    }

    /// Uploads a file that is taken.
    pub(crate) async fn uploaded(&self, user: i64, name: &str, content: &[u8]) -> Value {
        let (status, body) = self.upload(user, name, content).await;
        assert_eq!(status, 201, "{body}");
        body
    }

    /// `GET path` with these headers.
    pub(crate) async fn fetch(&self, path: &str, headers: &[(&'static str, &str)]) -> reqwest::Response {
        let request = reqwest::Client::new().get(format!("http://{}{path}", self.address));
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        request.send().await.expect("an answer")
    }

    /// What a user gets of an upload: status and bytes.
    pub(crate) async fn download(&self, user: i64, path: &str) -> (u16, Vec<u8>) {
        let response = self.fetch(&format!("{path}?userId={user}"), &[]).await;
        (response.status().as_u16(), response.bytes().await.expect("a body").to_vec())
    }
}

impl TestDatabase {
    /// The folder of the uploads, as it is by default.
    pub(crate) fn uploads(&self) -> PathBuf {
        let beside_the_file = self.folder.path().join("uploads");
        if beside_the_file.exists() { beside_the_file } else { self.folder.path().join("data/uploads") }
    }

    /// The names of the files that are kept.
    pub(crate) fn kept_files(&self) -> BTreeSet<String> {
        let entries = std::fs::read_dir(self.uploads()).expect("the folder of uploads");
        entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("a name")).collect()
    }

    /// Waits until no file is kept and none is listed.
    pub(crate) async fn has_no_uploads(&self) {
        let begun = Instant::now();
        loop {
            let (files, rows) = (self.kept_files(), self.number("SELECT count(*) FROM uploads").await);
            if files.is_empty() && rows == 0 {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "{files:?} and {rows} rows are left");
            sleep(Duration::from_millis(20)).await;
        }
    }
}

/// A picture of this size, encoded.
pub(crate) fn picture(width: u32, height: u32, format: ImageFormat) -> Vec<u8> {
    let pixel = |x: u32, y: u32| image::Rgb([x, y, x ^ y].map(|value| u8::try_from(value % 256).expect("a byte")));
    let image = DynamicImage::from(RgbImage::from_fn(width, height, pixel));
    let mut out = Cursor::new(Vec::new());
    image.write_to(&mut out, format).expect("the picture is encoded");
    out.into_inner()
}

/// A PNG that says that it is so large, with `rows` of it, all black.
pub(crate) fn png_of(width: u32, height: u32, rows: u32) -> Vec<u8> {
    let mut out = b"\x89PNG\r\n\x1a\n".to_vec();
    let header = [&width.to_be_bytes()[..], &height.to_be_bytes(), &[8, 2, 0, 0, 0]].concat();
    let row = vec![0; 1 + 3 * width as usize];
    let pixels: Vec<u8> = std::iter::repeat_n(row, rows as usize).flatten().collect();
    let data = miniz_oxide::deflate::compress_to_vec_zlib(&pixels, 9);
    for (name, content) in [(b"IHDR", header), (b"IDAT", data), (b"IEND", Vec::new())] {
        let body = [&name[..], &content].concat();
        out.extend(u32::try_from(content.len()).expect("short").to_be_bytes());
        out.extend(&body);
        out.extend(crc32(&body).to_be_bytes());
    }
    out
}

fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, byte: &u8| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 })
    };
    !bytes.iter().fold(!0, step)
}
