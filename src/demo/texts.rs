//! What people write: mostly a sentence, sometimes a few, seldom a page.

use fastrand::Rng;

/// How somebody talks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Voice {
    /// Among friends and colleagues.
    Friend,
    /// Asks for help.
    Customer,
    /// Gives it.
    Agent,
}

const FRIEND: [&str; 20] = [
    "Did anyone look at {thing} yet?",
    "I'm running ten minutes late, start without me",
    "ok 👍",
    "Thanks, that helped a lot!",
    "Let's talk about {thing} {when}.",
    "Can somebody send me {thing} again? I can't find it",
    "haha yes 😂",
    "No idea, but I'll ask {when}.",
    "The new version of {thing} looks great.",
    "Wer kommt morgen mit zum Mittagessen? Schöne Grüße aus Köln!",
    "I moved {thing} to the shared folder",
    "+1",
    "We should really finish {thing} {when}, the customer is waiting",
    "Good morning ☀️",
    "Where did we leave {thing}?",
    "すみません、少し遅れます。",
    "Sounds good to me",
    "Can you review {thing} {when}?",
    "I changed two lines in {thing}, nothing dramatic",
    "See you {when}!",
];

const CUSTOMER: [&str; 12] = [
    "Hello, I have a problem with {thing}.",
    "It worked yesterday, and since {when} it doesn't any more",
    "I tried to restart, but nothing changed.",
    "Where can I find {thing}?",
    "Is there any news about {thing}?",
    "The page says \"something went wrong\" and nothing else :(",
    "How do I change {thing}?",
    "I was charged twice for {thing}. Please look into it {when}.",
    "Yes, that's my address.",
    "Great, it works now. Thank you very much!",
    "No, it is still the same",
    "Muchas gracias, ahora funciona.",
];

const AGENT: [&str; 10] = [
    "Hi, thanks for writing to us! Let me have a look at {thing}.",
    "Could you tell me which version you use?",
    "I've found {thing}, one moment please",
    "We'll have it repaired {when}.",
    "Please open the settings and choose {thing}.",
    "Did that help?",
    "I'm sorry about that. I've passed it on to my colleagues, they will answer {when}.",
    "Your refund is on its way, it arrives {when}",
    "Is there anything else that I can do for you?",
    "Have a nice day!",
];

const THINGS: [&str; 16] = [
    "the invoice",
    "the release",
    "my order",
    "the login page",
    "the report",
    "the draft",
    "the delivery",
    "the password",
    "the photos from Friday",
    "the subscription",
    "the contract",
    "the second slide",
    "the build",
    "the meeting room",
    "the address",
    "the app on my phone",
];

const WHEN: [&str; 8] =
    ["today", "tomorrow", "on Monday", "next week", "this afternoon", "after lunch", "in an hour", "before the weekend"];

/// Something to say.
pub(super) fn text(voice: Voice, rng: &mut Rng) -> String {
    let sentences = match rng.u32(..100) {
        0..70 => 1,
        70..94 => rng.usize(2..=4),
        94..99 => rng.usize(6..=15),
        _ => rng.usize(30..=120),
    };
    let sentences: Vec<String> = (0..sentences).map(|_| sentence(voice, rng)).collect();
    sentences.join(" ")
}

fn sentence(voice: Voice, rng: &mut Rng) -> String {
    let pattern = match voice {
        Voice::Friend => one_of(&FRIEND, rng),
        Voice::Customer => one_of(&CUSTOMER, rng),
        Voice::Agent => one_of(&AGENT, rng),
    };
    pattern.replace("{thing}", one_of(&THINGS, rng)).replace("{when}", one_of(&WHEN, rng))
}

fn one_of<'a>(texts: &[&'a str], rng: &mut Rng) -> &'a str {
    texts[rng.usize(..texts.len())]
}
