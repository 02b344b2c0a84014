//! Every route, with who may use it. A new one has its line in each of these, or does not compile.

use super::{
    Site, asyncapi, download, explain, health, history, members, metrics, observe, page, presence, problem::Problem, revocation,
    socket, upload,
};
use crate::{
    access::Action,
    protocol::{ConversationKind, Refusal},
    uploads::Rendition,
};
use ConversationKind::{Chat, Support};
use actix_web::{
    HttpRequest, HttpResponse, Resource, ResponseError, Route as Handler, guard,
    http::{
        Method, StatusCode,
        header::{ALLOW, HeaderValue},
    },
    web::{self, Data, Path, Payload},
};
use std::{collections::BTreeSet, future::ready};

/// The addresses of the WebSocket.
pub(super) const SOCKETS: [&str; 2] = ["/ws-online-status", "/ws"];

/// A route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Route {
    /// The upgrade to a WebSocket.
    Socket,
    /// The built-in page.
    Page,
    /// Every frame, described by a JSON Schema.
    Asyncapi,
    /// Whether the process lives.
    Healthz,
    /// Whether it takes work.
    Readyz,
    /// What the operator watches.
    Metrics,
    /// Who is connected.
    Presence,
    /// What someone may do, and why.
    Explain,
    /// Ends a user's sessions and tokens.
    Revoke,
    /// Uploads a file.
    Upload,
    /// A file, or the smaller image of it.
    Download(Rendition),
    /// A link to a file that needs nobody to say who they are.
    Link,
    /// A page of a conversation.
    History(ConversationKind),
    /// A conversation's members.
    Members(ConversationKind),
    /// Adds or changes a member.
    SetMember(ConversationKind),
    /// Removes a member.
    RemoveMember(ConversationKind),
}

/// Who may use a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Needs {
    /// Anyone at all.
    Nothing,
    /// A user. On the socket, who is none is told so there.
    User,
    /// A user or a server key.
    Caller,
    /// An administrator or a server key.
    ToRule,
    /// Its uploader until a message has it, then whoever may read that. A signed link is enough for the file itself.
    File,
    /// Whoever may do this in the conversation that the request names.
    To(Action),
}

impl Route {
    /// All of them.
    pub const ALL: [Self; 21] = [
        Self::Socket,
        Self::Page,
        Self::Asyncapi,
        Self::Healthz,
        Self::Readyz,
        Self::Metrics,
        Self::Presence,
        Self::Explain,
        Self::Revoke,
        Self::Upload,
        Self::Download(Rendition::File),
        Self::Download(Rendition::Thumbnail),
        Self::Link,
        Self::History(Chat),
        Self::History(Support),
        Self::Members(Chat),
        Self::Members(Support),
        Self::SetMember(Chat),
        Self::SetMember(Support),
        Self::RemoveMember(Chat),
        Self::RemoveMember(Support),
    ];

    /// Who may use it.
    #[must_use]
    pub fn needs(self) -> Needs {
        match self {
            Self::Page | Self::Asyncapi | Self::Healthz | Self::Readyz | Self::Metrics => Needs::Nothing,
            Self::Socket | Self::Upload => Needs::User,
            Self::Presence => Needs::Caller,
            Self::Download(_) | Self::Link => Needs::File,
            Self::Explain => Needs::To(Action::Explain),
            Self::Revoke => Needs::ToRule,
            Self::History(_) => Needs::To(Action::Read),
            Self::Members(_) => Needs::To(Action::ListMembers),
            Self::SetMember(_) | Self::RemoveMember(_) => Needs::To(Action::SetMember),
        }
    }

    /// How it is asked for.
    #[must_use]
    pub fn method(self) -> Method {
        match self {
            Self::Socket
            | Self::Page
            | Self::Asyncapi
            | Self::Healthz
            | Self::Readyz
            | Self::Metrics
            | Self::Presence
            | Self::Explain
            | Self::Download(_)
            | Self::Link
            | Self::History(_)
            | Self::Members(_) => Method::GET,
            Self::Revoke | Self::Upload => Method::POST,
            Self::SetMember(_) => Method::PUT,
            Self::RemoveMember(_) => Method::DELETE,
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(self) -> &'static str {
        match self {
            Self::Socket => SOCKETS[0],
            Self::Page => "/",
            Self::Asyncapi => "/asyncapi.json",
            Self::Healthz => "/healthz",
            Self::Readyz => "/readyz",
            Self::Metrics => "/metrics",
            Self::Presence => "/api/v1/presence",
            Self::Explain => "/api/v1/explain",
            Self::Revoke => "/api/v1/users/{id}/revoke",
            Self::Upload => "/api/v1/uploads",
            Self::Download(Rendition::File) => "/api/v1/uploads/{id}",
            Self::Download(Rendition::Thumbnail) => "/api/v1/uploads/{id}/thumbnail",
            Self::Link => "/api/v1/uploads/{id}/link",
            Self::History(Chat) => "/api/v1/chats/{id}/messages",
            Self::History(Support) => "/api/v1/support-chats/{id}/messages",
            Self::Members(Chat) => "/api/v1/chats/{id}/members",
            Self::Members(Support) => "/api/v1/support-chats/{id}/members",
            Self::SetMember(Chat) | Self::RemoveMember(Chat) => "/api/v1/chats/{id}/members/{user_id}",
            Self::SetMember(Support) | Self::RemoveMember(Support) => "/api/v1/support-chats/{id}/members/{user_id}",
        }
    }

    /// The methods that it takes. Monitors and players ask with HEAD, too.
    #[must_use]
    pub fn methods(self) -> Vec<Method> {
        match self {
            Self::Healthz | Self::Readyz | Self::Download(_) => vec![Method::GET, Method::HEAD],
            Self::Socket
            | Self::Page
            | Self::Asyncapi
            | Self::Metrics
            | Self::Presence
            | Self::Explain
            | Self::Revoke
            | Self::Upload
            | Self::Link
            | Self::History(_)
            | Self::Members(_)
            | Self::SetMember(_)
            | Self::RemoveMember(_) => vec![self.method()],
        }
    }

    /// What answers it.
    fn handler(self) -> Handler {
        let methods = self.methods();
        let here = web::route().guard(guard::fn_guard(move |asked| methods.contains(&asked.head().method)));
        match self {
            Self::Socket => here.to(socket::upgrade),
            Self::Page => here.to(page::page),
            Self::Asyncapi => here.to(asyncapi::asyncapi),
            Self::Healthz => here.to(health::healthz),
            Self::Readyz => here.to(health::readyz),
            Self::Metrics => here.to(metrics::metrics),
            Self::Presence => here.to(presence::presence),
            Self::Explain => here.to(explain::explain),
            Self::Revoke => here.to(revocation::revoke),
            Self::Upload => here.to(upload::upload),
            Self::Download(rendition) => here
                .to(move |request: HttpRequest, id: Path<String>, site: Data<Site>| download::file(rendition, request, id, site)),
            Self::Link => here.to(download::link),
            Self::History(kind) => {
                here.to(move |request: HttpRequest, id: Path<String>, site: Data<Site>| history::page(kind, request, id, site))
            }
            Self::Members(kind) => {
                here.to(move |request: HttpRequest, id: Path<String>, site: Data<Site>| members::list(kind, request, id, site))
            }
            Self::SetMember(kind) => {
                here.to(move |request: HttpRequest, ids: Path<(String, String)>, site: Data<Site>, payload: Payload| {
                    members::set(kind, request, ids, site, payload)
                })
            }
            Self::RemoveMember(kind) => here.to(move |request: HttpRequest, ids: Path<(String, String)>, site: Data<Site>| {
                members::remove(kind, request, ids, site)
            }),
        }
    }
}

/// All that is at one path; another method than those is told which there are.
fn resource(path: &'static str) -> Resource {
    let here = Route::ALL.into_iter().filter(|route| route.path() == path);
    let methods: Vec<Method> = here.clone().flat_map(Route::methods).collect();
    let patterns = if path == SOCKETS[0] { SOCKETS.to_vec() } else { vec![path] };
    let resource = here.fold(web::resource(patterns), |resource, route| resource.route(route.handler()));
    resource.default_service(web::to(move || ready(not_allowed(&methods))))
}

/// RFC 9110, section 15.5.6: a 405 names the methods that there are.
fn not_allowed(methods: &[Method]) -> HttpResponse {
    let allow = methods.iter().map(Method::as_str).collect::<Vec<_>>().join(", ");
    let refusal = Refusal::field("method", format!("the method must be one of: {allow}"));
    let mut answer = Problem::new(StatusCode::METHOD_NOT_ALLOWED, refusal).error_response();
    if let Ok(allow) = HeaderValue::from_str(&allow) {
        answer.headers_mut().insert(ALLOW, allow);
    }
    answer
}

/// All routes.
pub fn routes(config: &mut web::ServiceConfig) {
    observe::declare();
    let paths: BTreeSet<&str> = Route::ALL.into_iter().map(Route::path).collect();
    for path in paths {
        config.service(resource(path));
    }
}
