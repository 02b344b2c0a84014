//! Who may ask who is connected, and of whom.

use crate::harness::{
    Backend, Client, Server, TestDatabase,
    tokens::{jwt_server, token},
};
use reqwest::Method;
use serde_json::{Value, json};

const KEY: &str = "a key of the backend";

/// The ids of those who are told to be connected.
fn ids(body: &Value) -> Vec<i64> {
    let users = body["users"].as_array().unwrap_or_else(|| panic!("users: {body}"));
    users.iter().map(|user| user["user_id"].as_i64().expect("an id")).collect()
}

async fn with_three_users(database: &TestDatabase) -> (Server, Vec<Client>) {
    let server = jwt_server(database).env("NATTER_API__KEYS", &format!("[\"{KEY}\"]")).listening().await;
    let mut clients = Vec::new();
    for user in [7, 8, 9] {
        clients.push(Client::with_token(&server, user, &token(user, "user")).await);
        server.logged(&format!("User {user} connected")).await;
    }
    (server, clients)
}

#[tokio::test]
async fn a_user_asks_for_those_whom_they_can_name_and_not_for_everyone() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let (server, _clients) = with_three_users(&database).await;
    let ask = async |bearer: &str, query: &str| server.call(Method::GET, &format!("/api/v1/presence{query}"), bearer).await;
    for role in ["user", "agent"] {
        let asks = token(7, role);
        let (status, body) = ask(&asks, "").await;
        assert_eq!((status, &body["error"]["code"], &body["error"]["field"]), (403, &json!("forbidden"), &json!("user_ids")));
        let (status, body) = ask(&asks, "?user_ids=9,1000,8,9").await;
        assert_eq!((status, ids(&body)), (200, vec![8, 9]));
        assert_eq!(body["users"][0], json!({ "user_id": 8, "status": "online", "sessions": 1 }));
    }
    for asks in [token(1, "admin"), KEY.to_owned()] {
        let (status, body) = ask(&asks, "").await;
        assert_eq!((status, ids(&body)), (200, vec![7, 8, 9]));
        assert_eq!(ids(&ask(&asks, "?user_ids=9").await.1), [9]);
    }
}

#[tokio::test]
async fn those_who_are_named_are_two_hundred_ids_at_most() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let (server, _clients) = with_three_users(&database).await;
    let many = |count: i64| (1..=count).map(|id| id.to_string()).collect::<Vec<_>>().join(",");
    let ask = async |user_ids: &str| {
        let path = format!("/api/v1/presence?user_ids={user_ids}");
        server.call(Method::GET, &path, &token(7, "user")).await
    };
    assert_eq!(ids(&ask(&many(200)).await.1), [7, 8, 9]);
    for faulty in [many(201), String::new(), "0".to_owned(), "x".to_owned(), "7,,8".to_owned(), "7&user_ids=8".to_owned()] {
        let (status, body) = ask(&faulty).await;
        assert_eq!((status, &body["error"]["field"]), (400, &json!("user_ids")), "{faulty}: {body}");
    }
}

/// There everyone can be an administrator anyway, and the built-in page shows who is here.
#[tokio::test]
async fn in_the_mode_trusted_everyone_may_list_all() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = Server::start(&database).await;
    let _client = Client::natter_v1(&server, 8).await;
    server.logged("User 8 connected").await;
    for (query, online) in [("", vec![8]), ("&user_ids=8,9", vec![8]), ("&user_ids=9", vec![])] {
        let (_, body) = server.get(&format!("/api/v1/presence?userId=7{query}")).await;
        assert_eq!(ids(&serde_json::from_str(&body).expect("JSON")), online, "{query}");
    }
}
