//! Revocations and the audit log.

use super::Bench;
use crate::ids::{PlayerId, TokenId};
use crate::persist::{ASKED, AuditLine, ControlError, Journal, Revocation, Revoked};
use crate::units::Timestamp;
use std::time::Duration;

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
const HOUR: Duration = Duration::from_secs(3_600);

fn revocation(id: &str, at: Timestamp) -> Revocation {
    let player = PlayerId::new("ada").expect("an id");
    let what = match id {
        "token" => Revoked::Token { token: TokenId::new("a/b=\u{e9}").expect("short") },
        _ => Revoked::Player { player, until: at },
    };
    Revocation { id: id.to_owned(), at, ends: at + HOUR, by: "clerk".to_owned(), what }
}

fn line(n: u32) -> AuditLine {
    let text = |text: &str| text.to_owned();
    let at = NOW + Duration::from_secs(n.into());
    let (who, role, action, target) =
        (text("clerk"), text("operator"), text("review.approve"), format!("player/p{n}"));
    AuditLine { id: format!("{n:04}"), at, node: text("node-1"), who, role, action, target, outcome: text(ASKED) }
}

pub(super) async fn revocations_are_seen_by_all_until_they_end(mut bench: impl Bench) {
    let control = bench.journal().control();
    let none = control.revocations(None, NOW).await.expect("read").expect("unknown");
    assert!(none.all.is_empty());
    control.revoke(revocation("player", NOW), 10).await.expect("written");
    control.revoke(revocation("token", NOW), 10).await.expect("written");
    let rival = bench.rival().await;
    let seen = rival.control().revocations(Some(none.version), NOW).await.expect("read").expect("it has changed");
    let mut all = seen.all.clone();
    all.sort_by(|a, b| a.id.cmp(&b.id));
    assert_eq!(all, [revocation("player", NOW), revocation("token", NOW)]);
    assert_eq!(control.revocations(Some(seen.version), NOW).await.expect("read"), None, "nothing is new");
    rival.close().await;
    bench.reopen().await;
    let control = bench.journal().control();
    assert!(control.lift("player".to_owned()).await.expect("written"));
    assert!(!control.lift("player".to_owned()).await.expect("written"), "it is gone");
    let left = control.revocations(Some(seen.version), NOW).await.expect("read").expect("it has changed");
    assert_eq!(left.all, [revocation("token", NOW)]);
    assert!(
        control.revocations(None, NOW + HOUR).await.expect("read").expect("unknown").all.is_empty(),
        "it has ended"
    );
}

pub(super) async fn revocations_are_bounded(bench: impl Bench) {
    let control = bench.journal().control();
    for id in ["a", "b"] {
        control.revoke(revocation(id, NOW), 2).await.expect("room");
    }
    assert_eq!(control.revoke(revocation("c", NOW), 2).await, Err(ControlError::Full));
    let later = NOW + HOUR;
    control.revoke(revocation("c", later), 2).await.expect("those that have ended make room");
    let left = control.revocations(None, later).await.expect("read").expect("unknown");
    assert_eq!(left.all, [revocation("c", later)]);
}

pub(super) async fn the_audit_log_is_read_from_its_end_and_trimmed_at_its_beginning(mut bench: impl Bench) {
    let control = bench.journal().control();
    for n in 0..10 {
        control.record(line(n)).await.expect("written");
    }
    control.conclude("0009".to_owned(), "done".to_owned()).await.expect("written");
    control.conclude("0009".to_owned(), "undone".to_owned()).await.expect("it stays");
    bench.reopen().await;
    let control = bench.journal().control();
    let ids = |lines: &[AuditLine]| lines.iter().map(|line| line.id.clone()).collect::<Vec<_>>();
    let last = control.audit(None, 3).await.expect("read");
    assert_eq!(ids(&last), ["0009", "0008", "0007"]);
    assert_eq!(last[0], AuditLine { outcome: "done".to_owned(), ..line(9) });
    assert_eq!(last[1], line(8));
    let before = control.audit(Some("0007".to_owned()), 100).await.expect("read");
    assert_eq!(ids(&before), ["0006", "0005", "0004", "0003", "0002", "0001", "0000"]);
    control.trim(line(2).at, 100).await.expect("written");
    assert_eq!(ids(&control.audit(None, 100).await.expect("read")).last().map(String::as_str), Some("0002"));
    control.trim(NOW, 3).await.expect("written");
    assert_eq!(ids(&control.audit(None, 100).await.expect("read")), ["0009", "0008", "0007"]);
}
