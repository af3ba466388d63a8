//! Frames.

use super::{Answer, Case, Who, case};
use crate::wire::frame;

const TEXT: u8 = 0x81;
const TEXT_FIRST: u8 = 0x01;
const MORE: u8 = 0x00;
const LAST: u8 = 0x80;
const CLOSE: u8 = 0x88;
const PING: u8 = 0x89;
const KIB_32: usize = 32 * 1024;

fn declared(length: u64) -> Vec<u8> {
    let mut bytes = vec![TEXT, 0x80 | 127];
    bytes.extend(length.to_be_bytes());
    bytes.extend([0; 4]);
    bytes
}

fn closing(code: u16, reason: &[u8]) -> Vec<u8> {
    frame(CLOSE, &[&code.to_be_bytes(), reason].concat())
}

pub fn cases() -> Vec<Case> {
    let unmasked = [TEXT, 2, b'{', b'}'];
    let half = frame(TEXT_FIRST, b"{");
    let halves = |first: &[u8], second: &[u8]| [frame(TEXT_FIRST, first), frame(LAST, second)].concat();
    let broken = [
        ("a binary frame", frame(0x82, b"{}"), 1003),
        ("an unmasked frame", unmasked.to_vec(), 1002),
        ("RSV1, as compression sets it", frame(TEXT | 0x40, b"{}"), 1002),
        ("RSV2", frame(TEXT | 0x20, b"{}"), 1002),
        ("RSV3", frame(TEXT | 0x10, b"{}"), 1002),
        ("opcode 3", frame(0x83, b""), 1002),
        ("opcode 11", frame(0x8b, b""), 1002),
        ("a ping in pieces", frame(0x09, b"a"), 1002),
        ("a ping of 126 bytes", frame(PING, &[0; 126]), 1002),
        ("a close in pieces", frame(0x08, b""), 1002),
        ("a rest without a beginning", frame(LAST, b"{}"), 1002),
        ("a text within a text", [half.clone(), frame(TEXT, b"{}")].concat(), 1002),
        ("32 KiB and one byte", frame(TEXT, &[b' '; KIB_32 + 1]), 1009),
        ("the same in two pieces", halves(&[b' '; KIB_32], b" "), 1009),
        ("2^63 bytes announced", declared(1 << 63), 1009),
        ("2^62 bytes announced", declared(1 << 62), 1009),
        ("text that is not UTF-8", frame(TEXT, b"\xff\xfe"), 1007),
        ("a surrogate", frame(TEXT, b"\xed\xa0\x80"), 1007),
        ("a letter that never ends", halves(b"\xe2\x82", b"x"), 1007),
        ("an endless letter in the last piece", halves(b"a", b"\xf0\x9f"), 1007),
        ("a close of one byte", frame(CLOSE, b"\x03"), 1002),
        ("a close with code 999", closing(999, b""), 1002),
        ("a close with code 1005", closing(1005, b""), 1002),
        ("a close with a reason that is not UTF-8", closing(1000, b"\xff"), 1007),
        // Good manners, for comparison: a close is answered by its echo.
        ("a close", closing(1000, b"bye"), 1000),
        ("a close of our own making", closing(4000, b""), 4000),
        ("a close without a code", frame(CLOSE, b""), 1005),
        // Large enough to be taken, too large to mean anything.
        ("32 KiB of nothing", frame(TEXT, &[b' '; KIB_32]), 3501),
        ("an empty frame", frame(TEXT, b""), 3501),
        ("pieces without content", [frame(TEXT_FIRST, b""), frame(MORE, b""), frame(LAST, b"")].concat(), 3501),
    ];
    let sockets = broken.iter().map(|(name, bytes, code)| {
        case(&format!("frames: {name}"), Who::Socket, bytes.clone(), Answer::Close(*code))
    });
    let clients = broken.iter().map(|(name, bytes, code)| {
        case(&format!("frames of a client: {name}"), Who::Stranger, bytes.clone(), Answer::Close(*code))
    });
    sockets.chain(clients).collect()
}
