//! What fuzzing calls beside `waystone::net::hostile`: each takes any bytes and panics when a promise is broken.

use waystone::content;

/// A quest file is published, and then a second time to the same, or reported with at least one fault that can be shown.
pub fn quest(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let publish = || content::publish(text, "hostile.yaml", 1, &|step| format!("code-{step}"));
    match publish() {
        Ok(first) => {
            let second = publish().unwrap_or_else(|_| panic!("published once, refused the second time"));
            assert_eq!(format!("{:?}", first.quest), format!("{:?}", second.quest));
        }
        Err(report) => {
            assert!(!report.render(false).trim().is_empty(), "a report without a word");
            let again = publish().err().map(|report| report.render(false));
            assert_eq!(again, Some(report.render(false)), "refused once, published the second time");
        }
    }
}
