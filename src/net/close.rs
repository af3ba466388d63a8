//! Why a socket is closed, as numbers that the Centrifuge protocol and its SDKs already understand.
//!
//! Promise: a client may come back exactly when `reconnect` says so. SDKs derive the same from the number alone:
//! 3500-3999, 4500-4999 and 1009 are final (who sends the same again would be closed again), every other code means "try
//! again", and below 3000 it is the WebSocket's own.

use crate::actors::contract::CloseReason;

/// A close code with its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Close {
    /// The number in the Close frame.
    pub code: u16,
    /// The text in the Close frame; stable, for people and logs.
    pub reason: &'static str,
}

macro_rules! closes {
    ($( $(#[$doc:meta])* $name:ident = $code:literal $reason:literal ; )*) => {
        impl Close {
            $( $(#[$doc])* pub const $name: Self = Self { code: $code, reason: $reason }; )*
        }
        /// Every close code that this server sends.
        pub const CLOSES: &[Close] = &[ $( Close::$name, )* ];
    };
}

closes! {
    /// The peer broke the WebSocket protocol.
    PROTOCOL_ERROR = 1002 "protocol error";
    /// A binary frame on the JSON form, or a text frame on the Protobuf form.
    UNSUPPORTED_DATA = 1003 "wrong kind of frame";
    /// Text that is not UTF-8.
    INVALID_TEXT = 1007 "invalid utf-8";
    /// A message that was begun and is not whole after the deadline.
    UNFINISHED = 1008 "message unfinished";
    /// A message or frame over the limit, or one in too many pieces.
    TOO_BIG = 1009 "message too big";

    /// The node goes away; another one, or its successor, is ready.
    SHUTDOWN = 3001 "shutdown";
    /// A fault of ours; the log knows more.
    SERVER_ERROR = 3004 "internal server error";
    /// The token ran out and was not refreshed in time.
    EXPIRED = 3005 "connection expired";
    /// The client does not read what it is sent.
    SLOW = 3008 "slow";
    /// No message came after a ping.
    NO_PONG = 3012 "no pong";
    /// The client went on although it was told to slow down.
    TOO_MANY_REQUESTS = 3013 "too many requests";

    /// The token is no good and will not become so.
    INVALID_TOKEN = 3500 "invalid token";
    /// The client does not speak the protocol.
    BAD_REQUEST = 3501 "bad request";
    /// No connect command came in time.
    STALE = 3502 "stale";

    /// A newer connection of the same player has taken over.
    REPLACED = 4501 "replaced";
    /// An operator has revoked the token; another one is welcome.
    REVOKED = 4502 "revoked";
}

impl Close {
    /// Whether the client should come back.
    pub const fn reconnect(self) -> bool {
        !matches!(self.code, 1009 | 3500..=3999 | 4500..=4999)
    }
}

impl From<CloseReason> for Close {
    fn from(reason: CloseReason) -> Self {
        match reason {
            CloseReason::Replaced => Self::REPLACED,
            CloseReason::Revoked => Self::REVOKED,
            CloseReason::Draining => Self::SHUTDOWN,
            CloseReason::Failed => Self::SERVER_ERROR,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_rising_and_fit_a_close_frame() {
        assert!(CLOSES.windows(2).all(|pair| pair[0].code < pair[1].code));
        assert!(CLOSES.iter().all(|close| close.reason.len() <= 123));
    }

    #[test]
    fn only_replaced_and_what_cannot_mend_is_final() {
        for (close, reconnect) in [
            (Close::PROTOCOL_ERROR, true),
            (Close::TOO_BIG, false),
            (Close::SHUTDOWN, true),
            (Close::SLOW, true),
            (Close::NO_PONG, true),
            (Close::EXPIRED, true),
            (Close::INVALID_TOKEN, false),
            (Close::BAD_REQUEST, false),
            (Close::STALE, false),
            (Close::REPLACED, false),
        ] {
            assert_eq!(close.reconnect(), reconnect, "{close:?}");
        }
    }
}
