//! Names for connections, for clients that log them: random, in the form of a UUID. Nothing here goes by them.

/// A new one.
pub(super) fn random() -> String {
    let hex = format!("{:032x}", rand::random::<u128>());
    format!("{}-{}-4{}-a{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_look_like_uuids_and_differ() {
        let id = random();
        assert_eq!((id.len(), id.matches('-').count()), (36, 4));
        assert_ne!(id, random());
    }
}
