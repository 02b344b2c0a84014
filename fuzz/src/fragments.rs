//! Messages in fragments, with control frames between them, against a plain reading of RFC 6455, 5.4: the frames are right one by one,
//! and their order is what is fuzzed.

use super::decoder::{BOUNDS, Heard, Hearing, agree, hear};

const CONTINUATION: u8 = 0x0;
const TEXT: u8 = 0x1;
const PING: u8 = 0x9;

/// No Close, which ends everything.
const OPCODES: [u8; 8] = [CONTINUATION, CONTINUATION, CONTINUATION, TEXT, TEXT, 0x2, PING, 0xa];

struct Frame<'a> {
    opcode: u8,
    fin: bool,
    payload: &'a [u8],
}

pub fn run(input: &[u8]) {
    let Some((piece, rest)) = input.split_first() else { return };
    let frames = frames(rest);
    let bytes: Vec<u8> = frames.iter().flat_map(written).collect();
    agree(&hear(&bytes, BOUNDS, usize::from(*piece) + 1), &expected(&frames));
}

/// Two bytes of head, then the payload.
fn frames(mut input: &[u8]) -> Vec<Frame<'_>> {
    let mut frames = Vec::new();
    while let [head, length, rest @ ..] = input {
        let (payload, rest) = rest.split_at(usize::from(*length).min(rest.len()));
        frames.push(Frame { opcode: OPCODES[usize::from(head & 7)], fin: head & 8 != 0, payload });
        input = rest;
    }
    frames
}

fn written(frame: &Frame<'_>) -> Vec<u8> {
    const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
    const LONG: u8 = 126;
    let mut bytes = vec![frame.opcode | if frame.fin { 0x80 } else { 0 }];
    match u8::try_from(frame.payload.len()) {
        Ok(short @ 0..126) => bytes.push(0x80 | short),
        Ok(long) => bytes.extend([0x80 | LONG, 0, long]),
        Err(_) => unreachable!("a length is one byte"),
    }
    bytes.extend(MASK);
    bytes.extend(frame.payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

fn expected(frames: &[Frame<'_>]) -> Hearing {
    let mut heard = Vec::new();
    let mut message: Option<(bool, Vec<u8>, u32)> = None;
    for frame in frames {
        let is_control = frame.opcode >= 0x8;
        let next = match (is_control, frame.opcode, message.take()) {
            (true, ..) if !frame.fin || frame.payload.len() > 125 => return Hearing { heard, faulty: true },
            (true, opcode, before) => {
                heard.push(if opcode == PING { Heard::Ping(frame.payload.to_vec()) } else { Heard::Pong });
                message = before;
                continue;
            }
            (false, CONTINUATION, Some((text, data, count))) => (text, [&data, frame.payload].concat(), count + 1),
            (false, CONTINUATION, None) | (false, _, Some(_)) => return Hearing { heard, faulty: true },
            (false, opcode, None) => (opcode == TEXT, frame.payload.to_vec(), 1),
        };
        if next.1.len() > BOUNDS.message_bytes || next.2 > BOUNDS.fragments {
            return Hearing { heard, faulty: true };
        }
        match (frame.fin, next) {
            (false, next) => message = Some(next),
            (true, (false, data, _)) => heard.push(Heard::Binary(data)),
            (true, (true, data, _)) => match String::from_utf8(data) {
                Ok(text) => heard.push(Heard::Text(text)),
                Err(_) => return Hearing { heard, faulty: true },
            },
        }
    }
    // A text that began badly can't become right any more.
    let began_badly =
        matches!(&message, Some((true, data, _)) if std::str::from_utf8(data).is_err_and(|error| error.error_len().is_some()));
    Hearing { heard, faulty: began_badly }
}
