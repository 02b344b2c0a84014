//! How what waits becomes transactions, steps and statements, as pure functions: from seeds, and as snapshots to read.

use super::{
    Draft, Intent,
    batch::bucketed,
    commit::{Step, plan},
    lane::Pieces,
    post::Posting,
};
use crate::protocol::{
    Caller, Conversation, ConversationId, ConversationKind, MessageId, Origin, Principal, Role, SessionKey, UserId, Window,
    delete::DeleteMessage,
    edit::EditMessage,
    member::{SetMember, Wanted},
    post::NewMessage,
};
use std::{fmt::Write, sync::Arc};

/// Seeds of a run; `NATTER_TEST_SEEDS` is how many, 10,000 in the figures of `docs/guarantees.md`.
fn seeds() -> u64 {
    std::env::var("NATTER_TEST_SEEDS").map_or(100, |text| text.parse().expect("a number"))
}

const DRAFTS: u32 = 1_000;

/// A draft, known by its number: p posts, e edits, d deletes, m changes a member.
fn draft(number: u32, kind: ConversationKind, what: char, content: usize) -> Draft {
    let conversation = Conversation { kind, id: ConversationId(1) };
    let (user, message_id, content) = (UserId(1), MessageId(1), "x".repeat(content));
    let by = Caller { user, role: Role::User };
    let intent = match what {
        'p' => {
            let (file_type, file_paths, selected_chat_id, client_id) = (None, None, None, None);
            let sender_id = user;
            let message = NewMessage {
                conversation,
                sender_id,
                content,
                file_type,
                file_paths,
                selected_chat_id,
                client_id,
                attachments: Vec::new(),
            };
            Intent::Post(by, message)
        }
        'e' => Intent::Edit(by, EditMessage { conversation, message_id, content }),
        'd' => Intent::Delete(by, DeleteMessage { conversation, message_id }),
        _ => Intent::SetMember(Principal::ServerKey, SetMember { conversation, user, to: Wanted::Removed }),
    };
    let session = SessionKey { hub: 0, slot: number, generation: 0 };
    Draft::new(Origin::Session { session, request_id: None, share: Arc::new(Window::default()).take(0) }, intent)
}

fn drafts(seed: u64) -> (Vec<Draft>, usize) {
    let mut random = fastrand::Rng::with_seed(seed);
    let kinds = [ConversationKind::Chat, ConversationKind::Support];
    // Some queues hold posts alone, some are all changes, most are mixed.
    let posts = random.u8(0..=10);
    let longest = [1, 100, 2_000][random.usize(..3)];
    let one = |number| {
        let what = if random.u8(..10) < posts { 'p' } else { ['e', 'd', 'm'][random.usize(..3)] };
        draft(number, kinds[random.usize(..2)], what, random.usize(1..=longest))
    };
    let drafts = (0..DRAFTS).map(one).collect();
    (drafts, random.usize(1..300_000))
}

fn number(origin: &Origin) -> u32 {
    match origin {
        Origin::Session { session, .. } => session.slot,
        Origin::Http(_) => panic!("these come from sessions"),
    }
}

/// The drafts of a step.
fn numbers(step: &Step<'_>) -> Vec<u32> {
    match step {
        Step::Posts(postings) => postings.iter().map(|posting| number(posting.origin)).collect(),
        Step::Edit(origin, ..) | Step::Delete(origin, ..) | Step::SetMember(origin, ..) => vec![number(origin)],
    }
}

#[test]
fn what_waits_is_carried_out_once_in_order_and_within_the_bounds() {
    for seed in 0..seeds() {
        let (drafts, bound) = drafts(seed);
        let mut done = Vec::new();
        let mut pieces = Pieces::of(&drafts, bound);
        while let Some(piece) = pieces.next() {
            let weight: usize = piece.iter().map(Draft::weight).sum();
            assert!(weight <= bound || piece.len() == 1, "seed {seed}: {weight} of {bound}");
            done.extend(carried_out(piece));
            let next = drafts.get(done.len());
            assert!(next.is_none_or(|next| weight + next.weight() > bound), "seed {seed}: a transaction ends before it must");
        }
        assert!(done.into_iter().eq(0..DRAFTS), "seed {seed}: another order");
    }
}

/// Where a row is at fault, the transaction is tried again in halves.
#[test]
fn halves_are_carried_out_in_the_same_order() {
    for seed in 0..seeds() {
        let (drafts, bound) = drafts(seed);
        let mut random = fastrand::Rng::with_seed(seed);
        let mut done = Vec::new();
        let mut pieces = Pieces::of(&drafts, bound);
        while let Some(piece) = pieces.next() {
            if piece.len() > 1 && random.u8(..3) == 0 {
                pieces.halve(piece);
            } else {
                done.extend(carried_out(piece));
            }
        }
        assert!(done.into_iter().eq(0..DRAFTS), "seed {seed}: another order");
    }
}

/// The drafts of a transaction in the order of its steps.
fn carried_out(piece: &[Draft]) -> Vec<u32> {
    let steps = plan(piece);
    assert!(!steps.windows(2).any(|pair| matches!(pair, [Step::Posts(_), Step::Posts(_)])), "two steps where one would do");
    for step in &steps {
        if let Step::Posts(postings) = step {
            check_statements(postings);
        }
    }
    steps.iter().flat_map(numbers).collect()
}

/// Each row is in one statement, in order.
fn check_statements(postings: &[Posting<'_>]) {
    let rows = bucketed(postings).flatten().map(|posting| number(posting.origin));
    assert!(rows.eq(postings.iter().map(|posting| number(posting.origin))));
}

#[test]
fn the_same_queue_is_always_planned_in_the_same_way() {
    for seed in 0..seeds() / 10 {
        assert_eq!(shown(seed), shown(seed));
    }
}

fn shown(seed: u64) -> String {
    let (drafts, bound) = drafts(seed);
    picture(&drafts, bound)
}

/// A line a transaction; in it, each step with its drafts, and how its rows are cut into statements.
fn picture(drafts: &[Draft], bound: usize) -> String {
    let mut picture = String::new();
    let mut pieces = Pieces::of(drafts, bound);
    while let Some(piece) = pieces.next() {
        let steps: Vec<String> = plan(piece).iter().map(shown_step).collect();
        // Writing into a String does not fail.
        let _ = writeln!(picture, "{}", steps.join(" | "));
    }
    picture
}

fn shown_step(step: &Step<'_>) -> String {
    let numbers = numbers(step);
    let (first, last) = (numbers[0], numbers[numbers.len() - 1]);
    match step {
        Step::Posts(postings) => {
            let statements: Vec<usize> = bucketed(postings).map(<[Posting<'_>]>::len).collect();
            format!("post {first}-{last} {statements:?}")
        }
        Step::Edit(..) => format!("edit {first}"),
        Step::Delete(..) => format!("delete {first}"),
        Step::SetMember(..) => format!("member {first}"),
    }
}

/// A queue in letters, in chats and support chats in turn.
fn queue(letters: &str) -> Vec<Draft> {
    let kinds = [ConversationKind::Chat, ConversationKind::Support].into_iter().cycle();
    letters.chars().zip(0..).zip(kinds).map(|((what, number), kind)| draft(number, kind, what, 100)).collect()
}

#[test]
fn plans_to_read() {
    let weight = queue("p")[0].weight();
    insta::assert_snapshot!("nothing", picture(&[], 262_144));
    insta::assert_snapshot!("a_burst_of_posts", picture(&queue(&"p".repeat(1_000)), 900 * weight));
    insta::assert_snapshot!("changes_cut_posts", picture(&queue("pppeppdpeemp"), 262_144));
    insta::assert_snapshot!("three_fit", picture(&queue("pppppppp"), 3 * weight));
    insta::assert_snapshot!("none_fits", picture(&queue("ppde"), 1));
}
