//! History: pages by message ids, the same over the socket and over HTTP.

use crate::harness::{Backend, Client, Kind, Server, TestDatabase};
use rstest::rstest;
use serde_json::{Value, json};

const MESSAGES: i64 = 25;

/// A conversation of 25 messages among those of another, and where its ids are.
async fn conversation(server: &Server, kind: Kind) -> (Client, Vec<i64>) {
    let (mut client, _) = Client::natter_v1(server, 1).await;
    let mut ids = Vec::new();
    for number in 1..=MESSAGES {
        client.post(kind, 8, "elsewhere").await;
        client.expect(kind.frame()).await;
        client.post(kind, 7, &number.to_string()).await;
        ids.push(client.expect(kind.frame()).await["payload"]["id"].as_i64().expect("an id"));
    }
    (client, ids)
}

fn ids_of(page: &Value) -> Vec<i64> {
    page["messages"].as_array().expect("a list").iter().map(|message| message["id"].as_i64().expect("an id")).collect()
}

#[rstest]
#[tokio::test]
async fn a_page_is_the_same_over_the_socket_and_over_http(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[values(Kind::Chat, Kind::Support)] kind: Kind,
) {
    let database = TestDatabase::new(backend).await;
    let server = Server::start(&database).await;
    let (mut client, ids) = conversation(&server, kind).await;
    let path = match kind {
        Kind::Chat => "chats",
        Kind::Support => "support-chats",
    };
    let cases = [
        (json!({}), &ids[..], false),
        (json!({ "limit": 10 }), &ids[15..], true),
        (json!({ "before": ids[15], "limit": 10 }), &ids[5..15], true),
        (json!({ "before": ids[5], "limit": 10 }), &ids[..5], false),
        (json!({ "before": ids[0] }), &ids[..0], false),
        (json!({ "before": ids[10], "limit": 10 }), &ids[..10], false),
        (json!({ "after": ids[4], "limit": 10 }), &ids[5..15], true),
        (json!({ "after": ids[14], "limit": 10 }), &ids[15..], false),
        (json!({ "after": ids[24] }), &ids[..0], false),
        (json!({ "around": ids[12], "limit": 5 }), &ids[10..15], true),
        (json!({ "around": ids[12], "limit": 200 }), &ids[..], false),
        (json!({ "around": ids[0], "limit": 5 }), &ids[..3], true),
        (json!({ "around": ids[12], "limit": 1 }), &ids[12..13], true),
    ];
    for (fields, expected, has_more) in cases {
        let mut command = fields.clone();
        command["type"] = json!("GET_HISTORY");
        command[kind.id_field()] = json!(7);
        let answer = client.request(command).await;
        assert_eq!(answer["type"], "HISTORY", "{answer}");
        let page = &answer["payload"];
        assert_eq!((ids_of(page).as_slice(), &page["has_more"]), (expected, &json!(has_more)), "{fields}");
        let query: Vec<String> =
            fields.as_object().expect("fields").iter().map(|(key, value)| format!("&{key}={value}")).collect();
        let (status, body) = server.get(&format!("/api/v1/{path}/7/messages?userId=1{}", query.concat())).await;
        assert_eq!(status, 200, "{body}");
        assert_eq!(&serde_json::from_str::<Value>(&body).expect("JSON"), page);
    }
}

#[rstest]
#[tokio::test]
async fn history_tells_what_is_now(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[values(Kind::Chat, Kind::Support)] kind: Kind,
) {
    let database = TestDatabase::new(backend).await;
    let server = Server::start(&database).await;
    let (mut client, _) = Client::natter_v1(&server, 1).await;
    for content in ["kept", "edited", "deleted"] {
        client.post(kind, 7, content).await;
    }
    let change = |r#type: &str, id: i64| json!({ "type": r#type, kind.id_field(): 7, "message_id": id, "content": "new" });
    client.request(change("EDIT_MESSAGE", 2)).await;
    client.request(change("DELETE_MESSAGE", 3)).await;
    let page = client.request(json!({ "type": "GET_HISTORY", kind.id_field(): 7 })).await["payload"].clone();
    let told: Vec<(&Value, &Value)> =
        page["messages"].as_array().expect("a list").iter().map(|message| (&message["content"], &message["version"])).collect();
    assert_eq!(told, [(&json!("kept"), &json!(1)), (&json!("new"), &json!(2)), (&json!(""), &json!(2))]);
    assert!(page["messages"][1]["edited_at"].is_string());
    assert!(page["messages"][2]["deleted_at"].is_string());
    let nothing = client.request(json!({ "type": "GET_HISTORY", kind.id_field(): 99 })).await;
    assert_eq!(nothing["payload"], json!({ "messages": [], "has_more": false }));
}

#[tokio::test]
async fn a_faulty_page_is_refused_with_its_field() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = Server::start(&database).await;
    let (mut client, _) = Client::natter_v1(&server, 1).await;
    let faulty = [
        (json!({ "chat_id": 1, "before": 1, "after": 2 }), "before"),
        (json!({ "chat_id": 1, "before": 0 }), "before"),
        (json!({ "chat_id": 1, "around": "x" }), "around"),
        (json!({ "chat_id": 1, "limit": 0 }), "limit"),
        (json!({ "chat_id": 1, "limit": 201 }), "limit"),
        (json!({}), "chat_id"),
    ];
    for (mut command, field) in faulty {
        command["type"] = json!("GET_HISTORY");
        let payload = client.request(command).await["payload"].clone();
        assert_eq!((&payload["code"], &payload["field"]), (&json!("invalid_field"), &json!(field)));
    }
    for (path, status) in [
        ("/api/v1/chats/1/messages", 401),
        ("/api/v1/chats/0/messages?userId=1", 400),
        ("/api/v1/chats/x/messages?userId=1", 400),
        ("/api/v1/chats/1/messages?userId=1&limit=201", 400),
        ("/api/v1/support-chats/1/messages?userId=1&before=1&after=1", 400),
        ("/api/v1/support-chats/1/messages?userId=1&before=-1", 400),
        ("/api/v1/elsewhere/1/messages?userId=1", 404),
    ] {
        let (answer, body) = server.get(path).await;
        assert_eq!(answer, status, "{path}: {body}");
    }
}
