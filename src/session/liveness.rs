//! Whether a peer is still there, counted in the hub's sweeps rather than by a timer of its own.

/// How often the server pings, in sweeps of one second.
pub(super) const HEARTBEAT_TICKS: u16 = 25;

/// How long a peer has for its answer, in sweeps.
const PONG_TICKS: u16 = 10;

/// What is to be done now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pulse {
    Nothing,
    Ping,
    /// It did not answer: close with 4201.
    Dead,
}

/// One peer's signs of life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Liveness {
    since_ping: u16,
    /// Whether a ping waits for any sign of life.
    waiting: bool,
}

impl Liveness {
    /// Anything came from the peer.
    pub(super) fn heard(&mut self) {
        self.waiting = false;
    }

    /// A sweep has passed.
    pub(super) fn tick(&mut self) -> Pulse {
        self.since_ping += 1;
        if self.waiting && self.since_ping >= PONG_TICKS {
            return Pulse::Dead;
        }
        if self.since_ping < HEARTBEAT_TICKS {
            return Pulse::Nothing;
        }
        *self = Self { since_ping: 0, waiting: true };
        Pulse::Ping
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticks_until(liveness: &mut Liveness, pulse: Pulse) -> u16 {
        (1..1_000).find(|_| liveness.tick() == pulse).unwrap_or(u16::MAX)
    }

    #[test]
    fn a_peer_that_answers_is_pinged_every_heartbeat() {
        let mut liveness = Liveness::default();
        for _ in 0..3 {
            assert_eq!(ticks_until(&mut liveness, Pulse::Ping), HEARTBEAT_TICKS);
            liveness.heard();
        }
    }

    #[test]
    fn a_peer_that_does_not_answer_is_dead_after_the_time_for_a_pong() {
        let mut liveness = Liveness::default();
        assert_eq!(ticks_until(&mut liveness, Pulse::Ping), HEARTBEAT_TICKS);
        assert_eq!(ticks_until(&mut liveness, Pulse::Dead), PONG_TICKS);
    }
}
