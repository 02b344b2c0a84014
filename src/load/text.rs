//! The result as a table for people.

use super::report::{Asked, Deliveries, ENOUGH_SECONDS, Generator, Percentiles, Report, Server};
use std::fmt::Write;

impl Report {
    /// The table.
    #[must_use]
    pub fn to_text(&self) -> String {
        let Self { asked, connect, messages, deliveries, latency_ms, .. } = self;
        let mut text = String::new();
        let mut row = |name: &str, value: String| {
            // Writing to a string does not fail.
            let _ = writeln!(text, "{name:<20}{value}");
        };
        row("sessions", asked.to_text());
        row("opened in", format!("{:.2} s, {:.0} a second; {}", connect.seconds, connect.per_second, connect.ms.to_text()));
        let refused: u64 = messages.refused.values().sum();
        let (sent, accepted, unanswered) = (messages.sent, messages.accepted, messages.unanswered);
        row("messages", format!("{sent} sent, {accepted} accepted, {refused} refused, {unanswered} unanswered"));
        for (code, count) in &messages.refused {
            row("", format!("{count} × {code}"));
        }
        row("", format!("{:.1} a second", messages.per_second));
        let Deliveries { count, per_second, lost, duplicated, out_of_order, strayed } = deliveries;
        row(
            "deliveries",
            format!("{count}; {lost} lost, {duplicated} duplicated, {out_of_order} out of order{}", astray(*strayed)),
        );
        row("", format!("{per_second:.1} a second"));
        row("until delivered", latency_ms.delivery.to_text());
        row("until answered", latency_ms.answer.to_text());
        row(
            "server",
            self.server
                .as_ref()
                .map_or_else(|| "not known: give --pid, of the server itself, while it runs".to_owned(), Server::to_text),
        );
        let Generator { cores, waited_seconds, late_ms } = self.generator;
        row("generator", format!("{cores:.2} cores, {waited_seconds:.2} s without one, at most {late_ms:.1} ms late"));
        for (close, count) in &self.closed {
            row("closed by server", format!("{count} × {close}"));
        }
        text
    }
}

fn astray(strayed: u64) -> String {
    if strayed == 0 { String::new() } else { format!(", {strayed} to sessions that are not members") }
}

impl Asked {
    fn to_text(&self) -> String {
        let Self { sessions, dialect, senders, .. } = self;
        let write = match *senders {
            _ if self.rate == Some(0.0) => "nobody writes".to_owned(),
            1 => "1 of them writes".to_owned(),
            senders => format!("{senders} of them write"),
        };
        let members = self.conversations.zip(self.members);
        let rooms =
            members.map_or_else(String::new, |(rooms, members)| format!("; conversations: {rooms}, members of each: {members}"));
        format!("{sessions} by {dialect}, {write}{rooms}")
    }
}

impl Server {
    fn to_text(&self) -> String {
        let per = |what: &str, us: Option<f64>| us.map_or_else(String::new, |us| format!(", {us:.2} µs a {what}"));
        let (delivery, message) = (per("delivery", self.cpu_us_per_delivery), per("message", self.cpu_us_per_message));
        let (cpu, mib, each) = (self.cpu_seconds, self.rss_kib / 1_024.0, self.rss_kib_per_session);
        let waited = self.waited_seconds.map_or_else(String::new, |waited| format!(", {waited:.2} s without a core"));
        let used = if self.source == "pid" || cpu >= ENOUGH_SECONDS {
            format!("{cpu:.2} s of CPU{delivery}{message}{waited}")
        } else {
            format!(
                "less than {ENOUGH_SECONDS} s of CPU, too little to tell by the whole seconds of /metrics what each took: give --pid, on \
                 the server's machine, or more --seconds"
            )
        };
        // One that was loaded before has the memory already.
        let each = if each > 0.0 { format!(", {each:.2} KiB a session") } else { String::new() };
        format!("{used}; {mib:.1} MiB{each}")
    }
}

impl Percentiles {
    fn to_text(self) -> String {
        let Self { count, p50, p90, p99, p999, max, .. } = self;
        if count == 0 {
            return "nothing".to_owned();
        }
        format!("p50 {p50} ms, p90 {p90} ms, p99 {p99} ms, p99.9 {p999} ms, at most {max} ms")
    }
}

#[cfg(test)]
mod tests {
    use super::Server;

    #[test]
    fn what_is_too_little_to_be_counted_is_not_called_nothing() {
        let server = Server {
            source: "metrics",
            cpu_seconds: 0.0,
            cpu_us_per_delivery: None,
            cpu_us_per_message: None,
            waited_seconds: None,
            rss_kib_before: 1_000.0,
            rss_kib_connected: 1_020.0,
            rss_kib_per_session: 2.0,
            rss_kib: 1_024.0,
        };
        let text = server.to_text();
        assert!(text.starts_with("less than 10 s of CPU") && !text.contains("0.00"), "{text}");
        assert!(Server { cpu_seconds: 10.0, ..server.clone() }.to_text().starts_with("10.00 s of CPU; 1.0 MiB, 2.00 KiB"));
        assert!(Server { rss_kib_per_session: -3.0, ..server }.to_text().ends_with("1.0 MiB"));
    }
}
