//! What no single key can tell: settings that do not go together, and files that are not there.
//!
//! Promise: a configuration that passes starts, as far as files and safety go; what is refused for safety says what
//! would be exposed.

use super::fault::{Fault, Source};
use super::{Config, KeyFileError, read_public_keys, read_secret};
use std::collections::BTreeSet;
use std::path::Path;

/// Faults between settings. Nothing is said about keys in `faulty`, nor concluded from them.
pub(super) fn relations(config: &Config, faulty: &BTreeSet<&'static str>) -> Vec<Fault> {
    let mut faults = Vec::new();
    let sound = |keys: &[&str]| keys.iter().all(|key| !faulty.contains(key));
    let source = |key: &str| config.source(key).cloned().unwrap_or(Source::Nowhere);

    faults.extend(super::tls::faults(config, faulty, &source));
    if sound(&["http.listen", "http.behind_proxy", "http.public_host", "tls.self_signed"]) {
        faults.extend(exposure(config, &source));
    }
    let keys = ["auth.hs256_secret_file", "auth.public_key_file", "auth.jwks_url", "auth.jwks_ca_file"];
    if sound(&keys) && sound(&["auth.jwks_refresh", "auth.jwks_keep"]) {
        faults.extend(auth(config, &source));
    }
    faults.extend(super::cluster::faults(config, faulty, &source));
    let data = &config.store.data;
    if data.exists() && !data.is_dir() {
        let message = format!("store.data: {} is not a folder", data.display());
        faults.push(Fault::new(source("store.data"), message, "name a folder, or one that can be made"));
    }
    for file in config.quests.files.iter().filter(|file| !file.is_file()) {
        let message = format!("quests.files: there is no file {}", file.display());
        let help = "paths in the configuration file lead from its own folder, others from the working directory";
        faults.push(Fault::new(source("quests.files"), message, help));
    }
    faults
}

fn exposure(config: &Config, source: &dyn Fn(&str) -> Source) -> Option<Fault> {
    let http = &config.http;
    let loopback = http.listen.ip().is_loopback();
    if !loopback && !http.behind_proxy && !config.tls.is_on() {
        let message = format!(
            "http.listen: {} can be reached from other machines, and there is no TLS: tokens and positions would \
             travel in the clear",
            http.listen
        );
        let help = "set tls.cert_file and tls.key_file (--tls-cert-file, --tls-key-file), for a workshop \
                    --tls-self-signed; or put a proxy that speaks TLS in front and say so with --behind-proxy \
                    (http.behind_proxy = true); or listen on 127.0.0.1";
        return Some(Fault::new(source("http.listen"), message, help));
    }
    (loopback && http.behind_proxy && http.public_host.is_none()).then(|| {
        // On loopback the edge knows only loopback names, against pages that rebind their name to this machine.
        let message = "http.behind_proxy: requests that the proxy hands on bear a name that is not known here";
        let help = "set http.public_host (--public-host) to the name that players' devices use";
        Fault::new(source("http.behind_proxy"), message, help)
    })
}

fn auth(config: &Config, source: &dyn Fn(&str) -> Source) -> Vec<Fault> {
    let auth = &config.auth;
    if auth.hs256_secret_files.is_empty() && auth.public_key_files.is_empty() && auth.jwks_url.is_none() {
        let message = "there is no key for players' tokens, and there are no default secrets";
        let help = "make one with `openssl rand -hex 32 > auth.key` and set auth.hs256_secret_file \
                    (--hs256-secret-file), or name your identity provider's keys with auth.public_key_file or \
                    auth.jwks_url; to look around, run `waystone demo`";
        return vec![Fault::new(Source::Nowhere, message, help)];
    }
    let secrets = auth.hs256_secret_files.iter().map(|path| ("auth.hs256_secret_file", check_secret(path)));
    let publics = auth.public_key_files.iter().map(|path| ("auth.public_key_file", check_public_keys(path)));
    let mut faults: Vec<Fault> = secrets
        .chain(publics)
        .filter_map(|(key, read)| Some((key, read.err()?)))
        .map(|(key, error)| {
            let help = match error {
                KeyFileError::Read { .. } | KeyFileError::Make { .. } => {
                    "check the path, and that this user may read the file"
                }
                KeyFileError::NoKey { .. } => "replace what the file holds",
            };
            Fault::new(source(key), format!("{key}: {error}"), help)
        })
        .collect();
    if let Some(file) = auth.jwks_ca_file.as_ref().filter(|file| !file.is_file()) {
        let message = format!("auth.jwks_ca_file: there is no file {}", file.display());
        let help = "name the PEM file of the authority, or leave it out to trust those of the system";
        faults.push(Fault::new(source("auth.jwks_ca_file"), message, help));
    }
    if auth.jwks_keep < auth.jwks_refresh {
        let message = "auth.jwks_keep is shorter than auth.jwks_refresh: keys would be dropped between two fetches";
        faults.push(Fault::new(source("auth.jwks_keep"), message, "keep them for longer than one refresh"));
    }
    faults
}

fn check_secret(path: &Path) -> Result<(), KeyFileError> {
    read_secret(path).map(drop)
}

fn check_public_keys(path: &Path) -> Result<(), KeyFileError> {
    read_public_keys(path).map(drop)
}
