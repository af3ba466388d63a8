//! Order, bounds and ends of what waits to be written.

use super::*;
use crate::quest::notice::{Notice, What};
use crate::units::Timestamp;
use proptest::strategy::Strategy as _;
use serde_json::json;
use std::sync::Arc;

fn outbound() -> Outbound {
    let outbound = Outbound::default();
    assert!(outbound.belongs_to(&PlayerId::new("ada").expect("valid")));
    assert!(!outbound.belongs_to(&PlayerId::new("eve").expect("valid")));
    outbound
}

fn opened() -> Outbound {
    let outbound = outbound();
    outbound.open("connect".into(), vec![], 0);
    assert_eq!(outbound.next(Instant::now()), Next::Frame("connect".into()));
    outbound
}

fn text(frame: &[u8]) -> &str {
    std::str::from_utf8(frame).expect("JSON")
}

fn notice(offset: u64) -> Push {
    let team = crate::ids::TeamId::new("kettu").expect("valid");
    let notice = Notice { at: Timestamp::from_millis(0), what: What::TeamLeft { team } };
    Push::Notice { offset, notice: Arc::new(notice) }
}

fn live(bytes: usize) -> Push {
    Push::Live { channel: "team:a".into(), data: Arc::new(json!("x".repeat(bytes))) }
}

fn written(outbound: &Outbound) -> (Vec<String>, Next) {
    let mut lines = Vec::new();
    loop {
        match outbound.next(Instant::now()) {
            Next::Frame(frame) => lines.extend(text(&frame).split('\n').map(str::to_owned)),
            end => return (lines, end),
        }
    }
}

#[test]
fn pushes_before_the_connect_reply_come_after_it_once() {
    let outbound = outbound();
    for offset in [4, 5, 6] {
        outbound.push(notice(offset));
    }
    assert_eq!(outbound.next(Instant::now()), Next::Nothing);
    outbound.open("connect".into(), vec!["missed".into()], 4);
    let (lines, _) = written(&outbound);
    assert_eq!(&lines[..2], ["connect", "missed"]);
    assert!(lines[2].contains("\"offset\":5") && lines[3].contains("\"offset\":6") && lines.len() == 4);
}

#[test]
fn lines_are_joined_into_frames_of_bounded_size() {
    let outbound = opened();
    outbound.reply("a".into());
    outbound.reply("b".into());
    assert_eq!(outbound.next(Instant::now()), Next::Frame("a\nb".into()));
    for _ in 0..3 {
        outbound.reply("x".repeat(10_000).into());
    }
    for _ in 0..3 {
        assert_eq!(outbound.next(Instant::now()), Next::Frame("x".repeat(10_000).into()));
    }
    assert_eq!(outbound.next(Instant::now()), Next::Nothing);
}

#[test]
fn frame_has_a_bounded_count_of_lines() {
    let outbound = opened();
    for _ in 0..600 {
        outbound.reply("{}".into());
    }
    let mut counts = Vec::new();
    while let Next::Frame(frame) = outbound.next(Instant::now()) {
        counts.push(text(&frame).split('\n').count());
    }
    assert_eq!(counts, [FRAME_LINES, FRAME_LINES, 600 - 2 * FRAME_LINES]);
}

proptest::proptest! {
    #[test]
    fn order_is_kept_in_both_forms_however_frames_are_cut(
        script in proptest::collection::vec(proptest::prop_oneof![
            (0..9_000_usize).prop_map(Some),
            proptest::strategy::Just(None),
        ], 1..60),
        protobuf: bool,
    ) {
        let form = if protobuf { Form::Protobuf } else { Form::Json };
        let outbound = Outbound::new(form);
        assert!(outbound.belongs_to(&PlayerId::new("ada").expect("valid")));
        outbound.open(form.ping(), vec![], 0);
        let (mut sent, mut bytes) = (form.ping(), Vec::new());
        let mut write = |outbound: &Outbound| while let Next::Frame(frame) = outbound.next(Instant::now()) {
            if !bytes.is_empty() {
                bytes.extend_from_slice(form.separator());
            }
            bytes.extend(frame);
        };
        for (id, step) in (0_u32..).zip(&script) {
            match step {
                // What would be slow is not asked here.
                None => write(&outbound),
                Some(_) if outbound.state().bytes > WAITING_BYTES_MAX / 2 => write(&outbound),
                Some(length) => {
                    let line = form.rpc_reply(id, &"x".repeat(*length));
                    sent.extend_from_slice(form.separator());
                    sent.extend_from_slice(&line);
                    outbound.reply(line);
                }
            }
        }
        write(&outbound);
        proptest::prop_assert!(bytes == sent, "other lines came, or in another order");
    }
}

#[test]
fn burst_of_500_notices_closes_nobody_that_reads() {
    let outbound = opened();
    let mut got = 0;
    for offset in 1..=500 {
        outbound.push(notice(offset));
        if offset % 250 == 0 {
            got += written(&outbound).0.len();
        }
    }
    assert_eq!(got, 500);
}

#[test]
fn full_queue_closes_as_slow_and_frees_its_memory() {
    let outbound = opened();
    for offset in 0..2000 {
        outbound.push(notice(offset));
    }
    assert_eq!(outbound.next(Instant::now()), Next::Close(Close::SLOW));
    assert_eq!(outbound.state().bytes, 0);
    outbound.push(notice(1));
    assert_eq!(outbound.next(Instant::now()), Next::Close(Close::SLOW), "nothing is queued after the end");
}

#[test]
fn live_pushes_give_way_and_notices_do_not() {
    let outbound = opened();
    for _ in 0..100 {
        outbound.push(live(1000));
    }
    outbound.push(notice(1));
    let (lines, end) = written(&outbound);
    assert!(lines.len() < 40, "{}", lines.len());
    assert!(lines.last().is_some_and(|line| line.contains("\"offset\":1")));
    assert_eq!(end, Next::Nothing);
}

#[test]
fn one_large_reply_passes_and_what_was_missed_does_not_count() {
    let outbound = outbound();
    outbound.open("x".repeat(100_000).into(), vec!["y".repeat(1000).into(); 100], 0);
    outbound.push(notice(1));
    outbound.reply("z".repeat(100_000).into());
    let (lines, end) = written(&outbound);
    assert_eq!((lines.len(), end), (103, Next::Nothing));
}

#[test]
fn what_waits_too_long_closes_as_slow() {
    let outbound = opened();
    outbound.push(notice(1));
    assert!(matches!(outbound.next(Instant::now() + AGE_MAX / 2), Next::Frame(_)));
    outbound.push(notice(2));
    assert_eq!(outbound.next(Instant::now() + AGE_MAX + Duration::from_millis(1)), Next::Close(Close::SLOW));
}

#[test]
fn end_writes_what_waits_and_keeps_the_first_reason() {
    let outbound = opened();
    outbound.push(notice(1));
    outbound.close(CloseReason::Replaced);
    outbound.close(CloseReason::Draining);
    let (lines, end) = written(&outbound);
    assert_eq!((lines.len(), end), (1, Next::Close(Close::REPLACED)));
}

#[test]
fn flood_before_the_connect_reply_is_bounded() {
    let outbound = outbound();
    for offset in 0..2000 {
        outbound.push(notice(offset));
    }
    assert_eq!(outbound.next(Instant::now()), Next::Close(Close::SLOW));
    let shown = format!("{outbound:?}");
    assert!(shown.contains("lines: 0"), "{shown}");
}
