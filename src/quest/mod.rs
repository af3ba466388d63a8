//! The rules.
pub mod definition;
pub mod window;
