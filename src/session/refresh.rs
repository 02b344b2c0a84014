//! `REFRESH_TOKEN`: a session goes on under a newer token of its user.

use super::{actor::Session, actor::refuse};
use crate::{
    delivery::Subscriber,
    protocol::{ErrorCode, Grant, Refusal, RequestId, Token, frame},
};
use actix::{ActorFutureExt, AsyncContext, Context, WrapFuture};

/// A newer token, with what the client calls its wish.
pub(super) struct Refresh {
    pub(super) request_id: Option<RequestId>,
    pub(super) token: Token,
}

/// The newer tokens that a session was given. One is checked at a time; more are refused.
#[derive(Default)]
pub(super) struct Refreshing {
    wanted: Vec<Refresh>,
    is_checking: bool,
}

impl Refreshing {
    /// Takes what came with one read.
    pub(super) fn want(&mut self, mut refreshes: Vec<Refresh>) {
        self.wanted.append(&mut refreshes);
    }
}

impl Session {
    /// Has the newer tokens checked that have come. The session goes on meanwhile, as who it is.
    pub(super) fn refresh(&mut self, ctx: &mut Context<Self>) {
        for Refresh { request_id, token } in std::mem::take(&mut self.refreshing.wanted) {
            if self.refreshing.is_checking {
                let busy = Refusal::new(ErrorCode::Conflict, "another token is being checked: wait for its answer");
                refuse(self.connection.outbox(), self.identity.caller.user, request_id.as_ref(), &busy);
                continue;
            }
            self.refreshing.is_checking = true;
            let checking = self.port.tokens.check(token).into_actor(self);
            ctx.spawn(checking.map(move |checked, session, _| session.refreshed(request_id.as_ref(), checked)));
        }
    }

    /// Takes over what the newer token grants, or says why not; then the older one holds as long as it does.
    fn refreshed(&mut self, request_id: Option<&RequestId>, checked: Result<Grant, Refusal>) {
        self.refreshing.is_checking = false;
        let user = self.identity.caller.user;
        let grant = match checked {
            Ok(grant) if grant.caller.user == user => grant,
            Ok(_) => return refuse(self.connection.outbox(), user, request_id, &another_user()),
            Err(refusal) => return refuse(self.connection.outbox(), user, request_id, &refusal),
        };
        self.identity.caller = grant.caller;
        self.connection.outbox().renew(grant);
        self.registration().set_role(grant.caller);
        if let Some(request_id) = request_id {
            self.connection.outbox().tell(&frame::refreshed(request_id, grant.validity.expires_at));
        }
    }
}

fn another_user() -> Refusal {
    let message = "the token is another user's: open another connection for them";
    Refusal { field: Some("token"), ..Refusal::new(ErrorCode::SenderMismatch, message) }
}
