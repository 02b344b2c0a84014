//! The model: what the conversations must say, from the commands, what their senders were answered, and the order that the log gave them.

use super::{
    command::{Command, Outcome, What},
    participant::{Copies, Copy},
};
use crate::harness::{Kind, checker::Seen};
use entity::EventKind;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// A message that must be there.
#[derive(Debug)]
struct Expected {
    conversation: i64,
    sender: i64,
    version: i64,
    /// More than one where it is not known which unanswered edit was carried out.
    may_say: BTreeSet<String>,
    deleted: bool,
}

/// The conversations of a case.
#[derive(Debug, Default)]
pub(super) struct State {
    messages: BTreeMap<(Kind, i64), Expected>,
    /// Unanswered commands that an event was found for.
    found: BTreeSet<usize>,
}

impl State {
    /// Carries out the commands in the order of the log, each of whose events must have come from exactly one of them.
    pub(super) fn of(log: &[(Seen, Value)], commands: &[Command]) -> Self {
        let mut state = Self::default();
        for (event, payload) in log {
            let acked = the_one_acked(event, commands);
            match event.event {
                EventKind::Message => state.post(event, payload, acked, commands),
                EventKind::MessageEdited | EventKind::MessageDeleted => state.change(event, acked, commands),
                EventKind::Member => panic!("nobody changed a member: {payload}"),
            }
        }
        state.every_answer_is_true(log, commands);
        state
    }

    fn post(&mut self, event: &Seen, payload: &Value, acked: Option<&Command>, commands: &[Command]) {
        let command = acked.unwrap_or_else(|| {
            let says = |command: &Command| matches!(&command.what, What::Post { content, .. } if payload["content"] == *content);
            self.unanswered(commands, |command| payload["sender_id"] == command.user && says(command))
                .unwrap_or_else(|| panic!("nobody posted this: {payload}"))
        });
        let What::Post { content, .. } = &command.what else { panic!("{command:?} is told as {payload}") };
        let (kind, conversation) = command.place;
        let expected = Expected {
            conversation,
            sender: command.user,
            version: 1,
            may_say: BTreeSet::from([content.clone()]),
            deleted: false,
        };
        assert_eq!(kind, event.kind);
        let before = self.messages.insert((kind, event.subject), expected);
        assert!(before.is_none(), "an id was given twice: {payload}");
    }

    fn change(&mut self, event: &Seen, acked: Option<&Command>, commands: &[Command]) {
        let sender = self.messages.get(&(event.kind, event.subject)).expect("it was posted before").sender;
        // Only its sender may change a message: another's unanswered command is not what this event came from.
        let is_it = |command: &Command| match (&command.what, event.event) {
            (What::Edit { message, .. }, EventKind::MessageEdited) | (What::Delete { message }, EventKind::MessageDeleted) => {
                (command.place.0, *message, command.user) == (event.kind, event.subject, sender)
            }
            _ => false,
        };
        let candidates: Vec<String> =
            commands.iter().filter(|command| command.outcome == Outcome::Unknown && is_it(command)).filter_map(content).collect();
        let command =
            acked.or_else(|| self.unanswered(commands, is_it)).unwrap_or_else(|| panic!("nobody asked for this: {event:?}"));
        assert!(is_it(command), "{command:?} is told as {event:?}");
        let message = self.messages.get_mut(&(event.kind, event.subject)).expect("it was posted before");
        assert!(!message.deleted, "{command:?} was carried out on {message:?}");
        message.version += 1;
        message.deleted = event.event == EventKind::MessageDeleted;
        message.may_say = if acked.is_some() { content(command).into_iter().collect() } else { candidates.into_iter().collect() };
    }

    /// An unanswered command that no other event was found for.
    fn unanswered<'a>(&mut self, commands: &'a [Command], is_it: impl Fn(&Command) -> bool) -> Option<&'a Command> {
        let open = |(number, command): &(usize, &Command)| {
            command.outcome == Outcome::Unknown && !self.found.contains(number) && is_it(command)
        };
        let (number, command) = commands.iter().enumerate().find(open)?;
        self.found.insert(number);
        Some(command)
    }

    fn every_answer_is_true(&self, log: &[(Seen, Value)], commands: &[Command]) {
        for command in commands {
            match &command.outcome {
                Outcome::Unknown => {}
                Outcome::Acked { seq, .. } => {
                    assert!(log.iter().any(|(event, _)| event.seq == *seq), "acknowledged, and not in the log: {command:?}");
                }
                Outcome::Refused { code } => assert_eq!(Some(code.as_str()), self.refusal(command), "{command:?}"),
            }
        }
    }

    /// Why a command must be refused, where it must at all.
    fn refusal(&self, command: &Command) -> Option<&'static str> {
        let id = match command.what {
            What::Post { .. } => return None,
            What::Edit { message, .. } | What::Delete { message } => message,
        };
        match self.messages.get(&(command.place.0, id)) {
            None => Some("not_found"),
            Some(message) if message.sender != command.user => Some("forbidden"),
            Some(message) if message.deleted => Some("conflict"),
            Some(_) => None,
        }
    }

    /// The server has these messages and no others, and they say what they must.
    pub(super) fn assert_is(&self, server: &Copies) {
        assert_eq!(self.messages.keys().collect::<Vec<_>>(), server.keys().collect::<Vec<_>>(), "other messages");
        for (id, Copy { conversation, version, content, deleted }) in server {
            let expected = &self.messages[id];
            assert_eq!(
                (*conversation, *version, *deleted),
                (expected.conversation, expected.version, expected.deleted),
                "{id:?}"
            );
            let is_said = if *deleted { content.is_empty() } else { expected.may_say.contains(content) };
            assert!(is_said, "{id:?} says {content:?}, and not {expected:?}");
        }
    }
}

fn content(command: &Command) -> Option<String> {
    match &command.what {
        What::Post { content, .. } | What::Edit { content, .. } => Some(content.clone()),
        What::Delete { .. } => None,
    }
}

/// The acknowledged command that this event came from. A repeated message has it in common with its repetitions, and with nothing else.
fn the_one_acked<'a>(event: &Seen, commands: &'a [Command]) -> Option<&'a Command> {
    let with_seq = |command: &&Command| matches!(command.outcome, Outcome::Acked { seq, .. } if seq == event.seq);
    let all: Vec<&Command> = commands.iter().filter(with_seq).collect();
    let first = *all.first()?;
    for command in &all {
        assert_eq!((command.user, command.place, &command.what), (first.user, first.place, &first.what), "one event for two");
        let Outcome::Acked { message, .. } = command.outcome else { unreachable!("it is acknowledged") };
        assert_eq!(message, event.subject, "{command:?}");
    }
    let originals = all.iter().filter(|command| matches!(command.outcome, Outcome::Acked { duplicate: false, .. })).count();
    assert!(originals <= 1, "two of these were told to be the first: {all:?}");
    Some(first)
}
