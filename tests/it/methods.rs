//! Every path by every method: one that is not for it is told which are.

use crate::harness::{Backend, Server, TestDatabase};
use natter::http::Route;
use reqwest::Method;
use serde_json::Value;
use std::collections::BTreeSet;

/// What is asked for is not there, and who asks is nobody: the method is what is tested.
fn address(server: &Server, path: &str) -> String {
    format!("http://{}{}", server.address, path.replace("{id}", "1").replace("{user_id}", "1"))
}

/// The methods of a path.
fn methods(path: &str) -> Vec<String> {
    let routes = Route::ALL.into_iter().filter(|route| route.path() == path);
    routes.flat_map(Route::methods).map(|method| method.to_string()).collect()
}

#[tokio::test]
async fn a_method_that_is_not_for_a_path_is_answered_405_with_those_that_are() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = Server::start(&database).await;
    let asked = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"];
    let paths: BTreeSet<&str> = Route::ALL.into_iter().map(Route::path).chain(["/ws"]).collect();
    for path in paths {
        let methods = if path == "/ws" { vec!["GET".to_owned()] } else { methods(path) };
        for method in asked {
            let named = Method::from_bytes(method.as_bytes()).expect("a method");
            let request = reqwest::Client::new().request(named, address(&server, path));
            let answer = request.send().await.expect("an answer");
            if methods.iter().any(|allowed| allowed == method) {
                assert_ne!(answer.status(), 405, "{method} {path}");
                continue;
            }
            assert_eq!(answer.status(), 405, "{method} {path}");
            let allow: Vec<&str> = answer.headers()["allow"].to_str().expect("text").split(", ").collect();
            assert_eq!(allow, methods, "{method} {path}");
            if method != "HEAD" {
                let body: Value = answer.json().await.expect("JSON");
                assert_eq!((&body["error"]["code"], &body["error"]["field"]), (&"invalid_field".into(), &"method".into()));
            }
        }
    }
    assert_eq!(reqwest::get(address(&server, "/nowhere")).await.expect("an answer").status(), 404);
}
