//! How a phone app is set up: a link that says all it needs, and the same as a picture for its camera.
//!
//! By the apps' own sources: Traccar Client reads its server and settings from one address, OwnTracks a whole
//! configuration from `owntracks:///config`, Overland from `overland://setup`. The settings are those of a game: a fix
//! each 10 m or 15 s, where the apps' defaults are made for parcels.

use crate::ids::PlayerId;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use qrcode::render::{svg, unicode};
use qrcode::types::QrError;
use qrcode::{EcLevel, QrCode};
use serde::Deserialize;
use serde_json::json;

/// An app that posts fixes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PhoneApp {
    /// Traccar Client, for Android and iOS.
    Traccar,
    /// OwnTracks, for Android and iOS.
    OwnTracks,
    /// Overland, for iOS.
    Overland,
}

/// What the app is to open: `server` is this server's address as the phone knows it, such as `https://play.example`.
pub fn link(app: PhoneApp, server: &str, player: &PlayerId, token: &str) -> String {
    let server = server.trim_end_matches('/');
    match app {
        PhoneApp::Traccar => format!(
            "{server}/in/traccar?id={token}&accuracy=highest&distance=10&interval=15&angle=30&heartbeat=60&buffer=true\
             &stop_detection=true"
        ),
        PhoneApp::OwnTracks => {
            // mode 3: HTTP; monitoring 2: while on the move.
            let settings = json!({
                "_type": "configuration", "mode": 3, "url": format!("{server}/in/owntracks"), "auth": true,
                "username": player, "password": token, "deviceId": "phone", "monitoring": 2,
                "locatorInterval": 10, "locatorDisplacement": 5, "cmd": true, "extendedData": true,
            });
            format!("owntracks:///config?inline={}", escaped(&STANDARD.encode(settings.to_string())))
        }
        PhoneApp::Overland => format!(
            "overland://setup?url={}&token={token}&device_id={}&unique_id=yes",
            escaped(&format!("{server}/in/overland")),
            escaped(player.as_str()),
        ),
    }
}

/// A link as a picture for a page.
pub fn svg(link: &str) -> Result<String, QrError> {
    Ok(code(link)?.render::<svg::Color<'_>>().min_dimensions(240, 240).build())
}

/// A link as text for a terminal, dark on light whatever the terminal's colours are.
pub fn text(link: &str) -> Result<String, QrError> {
    let (dark, light) = (unicode::Dense1x2::Light, unicode::Dense1x2::Dark);
    Ok(code(link)?.render::<unicode::Dense1x2>().dark_color(dark).light_color(light).build())
}

/// Screens are clean, so the lowest redundancy gives the coarsest picture.
fn code(link: &str) -> Result<QrCode, QrError> {
    QrCode::with_error_correction_level(link, EcLevel::L)
}

/// For a query (RFC 3986): all but unreserved characters as bytes in hexadecimal.
fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_say_what_the_apps_read() {
        let ada = PlayerId::new("ada").expect("an id");
        let link = |app| link(app, "https://play.example/", &ada, "TO.K-EN_");
        let traccar = link(PhoneApp::Traccar);
        assert!(traccar.starts_with("https://play.example/in/traccar?id=TO.K-EN_&accuracy=highest&"), "{traccar}");
        let owntracks = link(PhoneApp::OwnTracks);
        let inline = owntracks.strip_prefix("owntracks:///config?inline=").expect("its scheme");
        let settings =
            STANDARD.decode(inline.replace("%3D", "=").replace("%2B", "+").replace("%2F", "/")).expect("base64");
        let settings: serde_json::Value = serde_json::from_slice(&settings).expect("JSON");
        assert_eq!(
            (&settings["url"], &settings["password"]),
            (&json!("https://play.example/in/owntracks"), &json!("TO.K-EN_"))
        );
        assert_eq!(
            link(PhoneApp::Overland),
            "overland://setup?url=https%3A%2F%2Fplay.example%2Fin%2Foverland&token=TO.K-EN_&device_id=ada&unique_id=yes"
        );
    }

    #[test]
    fn a_link_with_a_long_token_fits_a_picture() {
        let ada = PlayerId::new("ada").expect("an id");
        let link = link(PhoneApp::OwnTracks, "https://play.example", &ada, &"x".repeat(400));
        assert!(svg(&link).expect("it fits").contains("<svg"));
        assert!(text(&link).expect("it fits").lines().count() > 30);
        assert!(svg(&"x".repeat(4_000)).is_err());
    }
}
