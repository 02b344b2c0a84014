//! The built-in page, used in a real browser.

use crate::{
    harness::{Backend, Server, TestDatabase},
    programs::{client, output},
};

#[tokio::test]
async fn a_person_can_try_the_service_on_its_page() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = Server::start(&database).await;
    output(client("page.mjs").await.arg(format!("http://{}/", server.address))).await;
}
