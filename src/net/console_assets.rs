//! The console's files, in the binary.
//!
//! A plain table: adding a file to `src/net/console/` is adding a line here.

/// One file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asset {
    /// Its path under `/console/`.
    pub(super) path: &'static str,
    /// Its media type.
    pub(super) mime: &'static str,
    /// Its content.
    pub(super) bytes: &'static [u8],
}

/// A file of this folder.
macro_rules! asset {
    ($path:literal, $mime:expr) => {
        Asset { path: $path, mime: $mime, bytes: include_bytes!(concat!("console/", $path)) }
    };
}

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";

/// Every file.
pub(super) const ASSETS: &[Asset] = &[
    asset!("app.css", STYLE),
    asset!("ask.js", SCRIPT),
    asset!("basemap.js", SCRIPT),
    asset!("card.js", SCRIPT),
    asset!("chart.js", SCRIPT),
    asset!("dom.js", SCRIPT),
    asset!("events.js", SCRIPT),
    asset!("format.js", SCRIPT),
    asset!("geo.js", SCRIPT),
    asset!("icon.svg", "image/svg+xml"),
    asset!("index.html", HTML),
    asset!("labels.js", SCRIPT),
    asset!("live.js", SCRIPT),
    asset!("main.js", SCRIPT),
    asset!("map.css", STYLE),
    asset!("map.js", SCRIPT),
    asset!("panel.js", SCRIPT),
    asset!("phone.js", SCRIPT),
    asset!("player.js", SCRIPT),
    asset!("players.js", SCRIPT),
    asset!("regions.js", SCRIPT),
    asset!("session.js", SCRIPT),
    asset!("staff.js", SCRIPT),
    asset!("streets.js", SCRIPT),
    asset!("theme.js", SCRIPT),
    asset!("view.js", SCRIPT),
];

/// The file of a path; the empty path is the page itself.
pub(super) fn find(path: &str) -> Option<&'static Asset> {
    let path = if path.is_empty() { "index.html" } else { path };
    ASSETS.iter().find(|asset| asset.path == path)
}

/// A strong ETag: FNV-1a over the bytes tells our own files apart, and they are all that is compared.
pub(super) fn etag(bytes: &[u8]) -> String {
    let hash = bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    format!("\"{hash:016x}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_is_there_and_nothing_outside() {
        assert_eq!(find("").map(|asset| asset.path), Some("index.html"));
        for path in ["../Cargo.toml", "/etc/passwd", "index.htm", "INDEX.HTML"] {
            assert!(find(path).is_none(), "{path}");
        }
        assert_ne!(etag(b"a"), etag(b"b"));
    }
}
