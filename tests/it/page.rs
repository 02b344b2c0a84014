//! The built-in page, used in a real browser.

use crate::{
    harness::{
        Backend, Server, TestDatabase,
        tokens::{jwt_server, token},
    },
    programs::{client, output},
};
use std::net::TcpListener;

#[tokio::test]
async fn a_person_can_try_the_service_on_its_page() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = Server::start(&database).await;
    output(client("page.mjs").await.arg(format!("http://{}/", server.address))).await;
}

#[tokio::test]
async fn with_a_token_a_person_can_try_it_where_tokens_are_wanted() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    // Its own origin stands in its settings, so the port is chosen before.
    let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port").port();
    let origin = format!("http://127.0.0.1:{port}");
    let start = jwt_server(&database).env("PORT", &port.to_string());
    let server = start.env("NATTER_AUTH__ALLOWED_ORIGINS", &format!("[\"{origin}\"]")).listening().await;
    output(client("page-with-token.mjs").await.args([&format!("{origin}/"), &token(7, "user")])).await;
    assert!(!server.log().contains("eyJ"), "a token is in the log:\n{}", server.log());
}

#[tokio::test]
async fn a_page_that_may_not_connect_says_which_setting_lets_it() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = jwt_server(&database).listening().await;
    let url = format!("http://{}/", server.address);
    output(client("page-not-allowed.mjs").await.args([&url, &token(7, "user")])).await;
}
