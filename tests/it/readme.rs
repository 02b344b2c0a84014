//! What the README shows, done as it says.

use crate::{
    harness::{Backend, Client, Server, TestDatabase, server::Start, upload::picture},
    programs::{ServerOn3001, json_lines, node, output},
};
use image::ImageFormat;
use natter::http::Route;
use serde_json::Value;
use std::collections::BTreeSet;
use tokio::process::Command;

const README: &str = include_str!("../../README.md");

#[tokio::test]
async fn the_first_conversation_prints_what_the_readme_shows() {
    let (_, section) = README.split_once("\n## A first conversation\n").expect("the section");
    let (_, section) = section.split_once("\n```js\n").expect("its code");
    let (code, section) = section.split_once("\n```\n").expect("the end of its code");
    let (section, _) = section.split_once("\n## ").expect("the next section");
    let shown: Vec<&str> = section.lines().filter_map(|line| line.strip_prefix("    {")).collect();
    assert_eq!(shown.len(), 2, "the README shows the two frames that are printed");

    let database = TestDatabase::new(Backend::Sqlite).await;
    let script = database.folder.path().join("first.mjs");
    std::fs::write(&script, code).expect("the code is written");
    let _running = ServerOn3001::start(&database).await;
    let printed = output(&mut node(&script).await).await;

    let shown = shown.iter().map(|line| format!("{{{line}")).collect::<Vec<_>>().join("\n");
    assert_eq!(undated(&printed), undated(&shown));
}

#[tokio::test]
async fn a_file_is_uploaded_by_the_command_and_attached_by_the_frames_that_the_readme_shows() {
    let (_, section) = README.split_once("\n## A first file\n").expect("the section");
    let (section, _) = section.split_once("\n## ").expect("the next section");
    let command = section.lines().find_map(|line| line.strip_prefix("    curl ")).expect("the command");
    let frames: Vec<&str> = section.lines().filter(|line| line.starts_with("    {")).map(str::trim).collect();
    let database = TestDatabase::new(Backend::Sqlite).await;
    std::fs::write(database.folder.path().join("photo.jpg"), picture(40, 30, ImageFormat::Jpeg)).expect("a picture");
    let running = ServerOn3001::start(&database).await;
    assert_eq!(frames.len(), 2);
    for (is_classic, frame) in [false, true].into_iter().zip(frames) {
        let server = &running.server;
        let mut client = if is_classic { Client::classic(server, 123).await } else { Client::natter_v1(server, 123).await.0 };
        let mut curl = Command::new("sh");
        curl.arg("-c").arg(format!("curl -s {command}")).current_dir(database.folder.path());
        let upload: Value = serde_json::from_str(&output(&mut curl).await).expect("JSON");
        let id = upload["id"].as_str().expect("an id");
        client.send(&serde_json::from_str(&frame.replace("9f3b0c1e-5d55-4c0e-9b5b-0a1c7a0f2d11", id)).expect("JSON")).await;
        let message = client.expect("MESSAGE").await;
        assert_eq!((&message["payload"]["file_paths"], &upload["type"]), (&upload["url"], &"image/jpeg".into()));
    }
}

/// The frames that were printed, but for when their messages were created.
fn undated(printed: &str) -> Vec<Value> {
    let mut frames = json_lines(printed);
    for frame in &mut frames {
        let created_at = frame["payload"].as_object_mut().and_then(|payload| payload.remove("created_at"));
        assert!(created_at.is_some_and(|created_at| created_at.is_string()), "{frame}");
    }
    frames
}

/// The text between a headline and the next one.
fn section(headline: &str) -> &'static str {
    let (_, section) = README.split_once(&format!("\n## {headline}\n")).expect("the section");
    section.split_once("\n## ").map_or(section, |(section, _)| section)
}

#[test]
fn every_route_stands_among_the_endpoints_and_no_other() {
    let rows = section("Endpoints").lines().filter_map(|line| line.strip_prefix("| `")?.split(" | ").next());
    let shown: BTreeSet<String> = rows.flat_map(|row| row.split(", ")).map(|route| route.replace('`', "")).collect();
    let mut there: BTreeSet<String> = Route::ALL.iter().map(|route| format!("{} {}", route.method(), route.path())).collect();
    there.insert("GET /ws".to_owned());
    assert_eq!(shown, there);
}

#[tokio::test]
async fn what_is_logged_at_the_start_and_at_the_end_is_what_the_readme_shows() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let mut server = Server::start(&database).await;
    server.terminate();
    assert_eq!(server.ended().await, Some(0));
    server.logged("] stopped").await;
    let log = server.log().replace(&server.address, "127.0.0.1:3001").replace(&database.url, "sqlite://data/natter.db?mode=rwc");
    let log = log.replace(" 0 to say goodbye to", " 1 to say goodbye to");
    let logged: Vec<&str> = log.lines().filter_map(|line| line.split_once("] ")).map(|(_, text)| text).collect();
    let shown = section("What the log shows").lines().filter_map(|line| line.strip_prefix("    "));
    let shown: Vec<&str> = shown.take_while(|line| !line.starts_with('✅')).collect();
    assert_eq!(logged, shown);
}

#[tokio::test]
async fn what_is_masked_is_what_the_readme_says() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let start = Start::on(&database).arg("check-config").env("NATTER_AUTH__HS256_SECRET", "s").env("NATTER_API__KEYS", "[\"s\"]");
    let start = start.env("NATTER_UPLOADS__LINK_SECRET", "a secret of sixteen bytes and some more");
    let (code, settings, log) = start.env("DATABASE_URL", "postgres://me:s@localhost/app").finished().await;
    assert_eq!(code, Some(0), "{log}");
    let mut current = "";
    let mut masked = BTreeSet::new();
    for line in settings.lines() {
        if let Some(name) = line.strip_prefix('[') {
            current = name.trim_end_matches(']');
        } else if let Some((key, _)) = line.split_once(" = ").filter(|(_, value)| value.contains("***")) {
            masked.insert(format!("`{current}.{key}`"));
        }
    }
    let (_, text) = README.split_once("prints the settings in force, with ").expect("the sentence");
    let (text, _) = text.split_once(" masked").expect("its end");
    let told: BTreeSet<String> = text.split('`').skip(1).step_by(2).map(|key| format!("`{key}`")).collect();
    assert_eq!(masked, told);
}
