//! Load for a Waystone server; being written.
fn main() {}
