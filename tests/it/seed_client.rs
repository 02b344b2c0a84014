//! W7: the sample client of the server that Natter replaces, unmodified, in Node and in a browser.

use crate::{
    harness::{Backend, Client, TestDatabase},
    programs::{ServerOn3001, client, json_lines, output, query},
};
use rstest::rstest;
use serde_json::json;

#[rstest]
#[case::node("run-seed-client.mjs")]
#[case::browser("seed-client-browser.mjs")]
#[tokio::test]
async fn the_seeds_sample_client_goes_on_working(
    #[case] script: &str,
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let database = TestDatabase::new(backend).await;
    let running = ServerOn3001::start(&database).await;
    let mut other = Client::classic(&running.server, 456).await;

    let logged = json_lines(&output(&mut client(script).await).await);

    let chat = other.expect("MESSAGE").await["payload"].clone();
    let support = other.expect("SUPPORT_MESSAGE").await["payload"].clone();
    assert_eq!((&chat["content"], &chat["chat_id"]), (&json!("Hello world!"), &json!(1)));
    assert_eq!((&support["content"], &support["support_chat_id"]), (&json!("I need help!"), &json!(1)));
    assert_eq!(logged, [json!(["New chat message:", chat]), json!(["New support message:", support])]);

    let messages = "SELECT id, chat_id, sender_id, content, file_type, file_paths, selected_chat_id FROM messages";
    assert_eq!(query(&database, messages).await, "1|1|123|Hello world!|||\n");
    let support_messages = "SELECT id, support_chat_id, sender_id, content, file_type, file_paths FROM support_messages";
    assert_eq!(query(&database, support_messages).await, "1|1|123|I need help!||\n");
}
