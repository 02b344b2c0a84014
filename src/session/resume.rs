//! Coming back: the session is told what it missed, page by page as fast as it reads, and then goes live without a seam.

use super::{
    outbox::Outbox,
    port::{Port, Unreadable},
};
use crate::{
    delivery::{Registration, Subscriber, deflate},
    metrics::{
        self, Sent,
        panics::{Panicked, Place, caught_in},
    },
    protocol::{
        Caller, CloseCode, Deflate, Dialect, Event, Seq, frame,
        resume::{Cursor, Reset, ResetReason, Resumed},
        websocket::Opcode,
    },
};
use std::rc::Rc;

/// Tells a session what it missed since its cursor, and makes it live.
pub(super) async fn resume(outbox: Rc<Outbox>, registration: Rc<Registration>, cursor: Cursor, port: Rc<Port>) {
    match caught_in(Place::Session, catch_up(&outbox, &registration, cursor, &port)).await {
        // It is gone, or was too slow, and will come back.
        Ok(Ok(Ok(_))) if outbox.is_closing() => {}
        Ok(Ok(Ok(to))) => {
            metrics::resumed(to.0 - cursor.since.0);
            outbox.tell(&frame::resumed(Resumed { from: cursor.since, to }));
        }
        Ok(Ok(Err(reason))) => {
            metrics::reset(reason);
            let seq = port.hub.head();
            registration.go_live(seq);
            outbox.tell(&frame::reset(Reset { seq, reason }));
        }
        Ok(Err(Unreadable)) => {
            metrics::resume_failed();
            outbox.close(CloseCode::TryAgainLater);
        }
        Err(Panicked) => outbox.close(CloseCode::Internal),
    }
}

/// Sends page after page until there is nothing between the session and what its hub hands out; then, in the same breath, makes it
/// live. Returns from where on it is live, or why it must begin afresh.
async fn catch_up(
    outbox: &Outbox,
    registration: &Registration,
    cursor: Cursor,
    port: &Port,
) -> Result<Result<Seq, ResetReason>, Unreadable> {
    let (head, caller) = (port.hub.head(), outbox.caller());
    if cursor.log_id != port.log_id || (cursor.since > head && !is_in_log(caller, cursor.since, port).await?) {
        return Ok(Err(ResetReason::OtherLog));
    }
    if is_too_much(caller, cursor.since, head, port).await? {
        return Ok(Err(ResetReason::TooMany));
    }
    let mut at = cursor.since;
    while at < port.hub.head() {
        // Asked anew: a newer token may have brought another role.
        let Some(missed) = port.log.after(outbox.caller(), at).await? else { return Ok(Err(ResetReason::Expired)) };
        at = missed.reaches;
        outbox.send_page(&encode(&missed.events, outbox.encoding().deflate));
        metrics::frames_sent(Sent::Event, missed.events.len());
        // Backpressure: the next page is read when this one has left.
        if !outbox.flushed().await {
            break;
        }
    }
    registration.go_live(at.max(port.hub.head()));
    Ok(Ok(at))
}

/// Another worker may have handed out an event that this one has not been given yet.
async fn is_in_log(caller: Caller, seq: Seq, port: &Port) -> Result<bool, Unreadable> {
    Ok(port.log.after(caller, Seq(seq.0 - 1)).await?.is_some())
}

/// How many times more events than it is told of a session may have missed: what is not for it has to be looked at all the same.
const LOOKED_AT: i64 = 4;

/// Whether a session missed more than it is told of. Only where others' events may make the difference, its own are counted.
async fn is_too_much(caller: Caller, since: Seq, head: Seq, port: &Port) -> Result<bool, Unreadable> {
    let (missed, max) = (head.0 - since.0, port.max_missed);
    if missed <= max {
        return Ok(false);
    }
    Ok(missed > max.saturating_mul(LOOKED_AT) || port.log.is_more_than(caller, since, head, max).await?)
}

fn encode(events: &[Event], deflate: Option<Deflate>) -> bytes::Bytes {
    let mut frames = Vec::new();
    let mut json = Vec::new();
    for event in events {
        json.clear();
        frame::event(event, Dialect::NatterV1, &mut json);
        deflate::write(&mut frames, Opcode::Text, &json, deflate);
    }
    frames.into()
}
