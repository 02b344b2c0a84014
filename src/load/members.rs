//! The members of the run's conversations, added through the server's HTTP API before the first session is opened.

use super::{
    LoadFault,
    fault::UNLIMITED,
    options::{Kind, Load},
    progress::Progress,
    rooms::Rooms,
};
use futures_util::{StreamExt, stream};
use reqwest::{Client, Method, StatusCode};
use serde::Deserialize;
use std::{collections::BTreeSet, error::Error, time::Duration};
use url::Url;

/// Conversations that are seen to at a time.
const AT_ONCE: usize = 32;

/// How long the server has for an answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// Members of a page, at most.
const PAGE: usize = 1_000;

/// The server's API, as the application's backend uses it.
struct Backend<'a> {
    client: Client,
    server: &'a Url,
    key: &'a str,
    kind: &'static str,
}

#[derive(Deserialize)]
struct Members {
    members: Vec<Member>,
    has_more: bool,
}

#[derive(Deserialize)]
struct Member {
    user_id: u64,
    role: String,
    state: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Refused {
    error: Reason,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Reason {
    message: String,
}

/// Gives each conversation the members that it shall have, where it shall have any.
pub(super) async fn set_up(load: &Load, server: &Url, progress: &mut Progress) -> Result<(), LoadFault> {
    let (Some(conversations), Some(key)) = (load.conversations, &load.key) else { return Ok(()) };
    let kind = match load.kind {
        Kind::Chat => "chats",
        Kind::Support => "support-chats",
    };
    let backend = &Backend { client: Client::new(), server, key, kind };
    let rooms = &Rooms::of(load);
    let user = |session: u32| u64::from(load.first_user) + u64::from(session);
    let mut settled = stream::iter(1..=conversations)
        .map(|conversation| async move {
            let wanted = rooms.members(conversation).map(user).collect();
            let settled = backend.settle(conversation, wanted).await;
            settled.map_err(|problem| LoadFault::Members { conversation, problem })
        })
        .buffer_unordered(AT_ONCE);
    let mut done = 0;
    while let Some(settled) = settled.next().await {
        settled?;
        done += 1;
        progress.adding_members(done, conversations);
    }
    Ok(())
}

impl Backend<'_> {
    /// Adds those who are missing. Who else is a member, or is one in another way, is left alone, for they may be real people: they
    /// end the run.
    async fn settle(&self, conversation: u32, mut wanted: BTreeSet<u64>) -> Result<(), String> {
        let mut after = String::new();
        loop {
            let path = format!("/api/v1/{}/{conversation}/members", self.kind);
            let page = self.ask(Method::GET, &path, &format!("limit={PAGE}{after}"), None).await;
            let Members { members, has_more } =
                serde_json::from_str(&page?).map_err(|error| format!("is this Natter? {error}"))?;
            for Member { user_id, role, state } in &members {
                if !wanted.contains(user_id) {
                    return Err(format!(
                        "user {user_id} is a member, and not of this run: use a database of its own for each size"
                    ));
                }
                if role != "member" || state != "active" {
                    return Err(format!(
                        "user {user_id} is a member ({role}, {state}), and not one that a run adds: use a database of its own"
                    ));
                }
                wanted.remove(user_id);
                after = format!("&after={user_id}");
            }
            if !has_more {
                break;
            }
        }
        for user in wanted {
            let path = format!("/api/v1/{}/{conversation}/members/{user}", self.kind);
            self.ask(Method::PUT, &path, "", Some(r#"{"role":"member","state":"active"}"#)).await?;
        }
        Ok(())
    }

    /// The body of the answer, or what to do about it.
    async fn ask(&self, method: Method, path: &str, query: &str, body: Option<&'static str>) -> Result<String, String> {
        let mut url = self.server.clone();
        // Its scheme is ws, for which http may be put.
        let _ = url.set_scheme("http");
        url.set_path(path);
        url.set_query(Some(query).filter(|query| !query.is_empty()));
        let request = self.client.request(method, url).bearer_auth(self.key).timeout(PATIENCE).body(body.unwrap_or_default());
        let answer = request.send().await.map_err(|error| root(&error))?;
        let status = answer.status();
        let text = answer.text().await.map_err(|error| root(&error))?;
        if status.is_success() { Ok(text) } else { Err(refusal(status, &text)) }
    }
}

fn refusal(status: StatusCode, body: &str) -> String {
    let Refused { error: Reason { message } } = serde_json::from_str(body).unwrap_or_default();
    let advice = match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => "; --key wants one of the server's api.keys",
        StatusCode::TOO_MANY_REQUESTS => "; the server's limits are on",
        StatusCode::NOT_FOUND => "; is it Natter?",
        _ => "",
    };
    let unlimited = if status == StatusCode::TOO_MANY_REQUESTS { format!(": {UNLIMITED}") } else { String::new() };
    format!("HTTP {} ({message}){advice}{unlimited}", status.as_u16())
}

/// What is behind it all: the client says no more than that it could not send.
fn root(error: &dyn Error) -> String {
    let mut root = error;
    while let Some(source) = root.source() {
        root = source;
    }
    root.to_string()
}
