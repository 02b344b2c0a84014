//! Which messages a session has had: each once, and each sender's in order, is what it is owed.

use std::collections::VecDeque;

/// A set of numbers that mostly come in order: whatever is whole at its beginning takes no memory.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// All numbers below 64 times this one are in it.
    whole: u64,
    /// The others, a bit each.
    words: VecDeque<u64>,
}

/// What a message is to a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sight {
    /// It is new, and none that its sender wrote later was here before.
    InOrder,
    /// It is new, and its sender's next one was here before.
    Overtaken,
    /// It was here.
    Again,
}

impl Seen {
    /// Adds message `number`; its sender's next one has the number `next`.
    pub(super) fn add(&mut self, number: u64, next: u64) -> Sight {
        if self.has(number) {
            return Sight::Again;
        }
        let place = usize::try_from(number / 64 - self.whole).unwrap_or(usize::MAX);
        if place >= self.words.len() {
            self.words.resize(place + 1, 0);
        }
        self.words[place] |= 1 << (number % 64);
        while self.words.front() == Some(&u64::MAX) {
            self.words.pop_front();
            self.whole += 1;
        }
        if self.has(next) { Sight::Overtaken } else { Sight::InOrder }
    }

    fn has(&self, number: u64) -> bool {
        let Some(place) = (number / 64).checked_sub(self.whole) else { return true };
        let word = usize::try_from(place).ok().and_then(|place| self.words.get(place));
        word.is_some_and(|word| word & (1 << (number % 64)) != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::{Seen, Sight};

    #[test]
    fn each_number_is_new_once_however_they_come() {
        let mut seen = Seen::default();
        let mut numbers: Vec<u64> = (0..1_000).collect();
        fastrand::Rng::with_seed(1).shuffle(&mut numbers);
        for number in &numbers {
            assert_ne!(seen.add(*number, u64::MAX), Sight::Again);
        }
        for number in &numbers {
            assert_eq!(seen.add(*number, u64::MAX), Sight::Again);
        }
        assert_eq!(seen.words.len(), 1, "what is whole takes no memory");
    }

    #[test]
    fn a_message_that_its_senders_next_one_overtook_is_told() {
        let mut seen = Seen::default();
        let two_senders = [(0, Sight::InOrder), (3, Sight::InOrder), (2, Sight::InOrder), (1, Sight::Overtaken)];
        for (number, sight) in two_senders {
            assert_eq!(seen.add(number, number + 2), sight, "{number}");
        }
    }
}
