//! The settings of a cluster: where other nodes reach this one, and by which certificates they know each other.
//!
//! Setting `cluster.listen` makes a node a member, and nothing else does: a single server has none of this.

use super::Config;
use super::fault::{Fault, Source};
use super::value::{Problem, Value};
use std::collections::BTreeSet;
use std::io::Read as _;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

/// The largest certificate or key file read; one of either has a few kilobytes.
const BYTES_MAX: u64 = 256 * 1024;
/// The longest name of a node: that of a host.
const NAME_BYTES_MAX: usize = 253;

/// What makes a node a member.
const LISTEN: &str = "cluster.listen";
/// The three files, and what each must hold.
const FILES: [(&str, &str, &str); 3] = [
    ("cluster.ca_file", "--cluster-ca-file", "-----BEGIN CERTIFICATE-----"),
    ("cluster.cert_file", "--cluster-cert-file", "-----BEGIN CERTIFICATE-----"),
    ("cluster.key_file", "--cluster-key-file", "PRIVATE KEY-----"),
];

/// Which cluster a node belongs to: that of its database, if it listens for other nodes.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Cluster {
    /// Where it listens for other nodes.
    pub listen: Option<SocketAddr>,
    /// Where other nodes reach it, `host:port`, if that is another place.
    pub advertise: Option<String>,
    /// Its name, if it is not the host's.
    pub name: Option<String>,
    /// A PEM file with the certificate of the cluster's authority.
    pub ca_file: Option<PathBuf>,
    /// A PEM file with the node's certificate.
    pub cert_file: Option<PathBuf>,
    /// A PEM file with the key of that certificate.
    pub key_file: Option<PathBuf>,
}

/// The settings of a member, all of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Membership {
    /// Where it listens for other nodes.
    pub listen: SocketAddr,
    /// Where other nodes reach it; `None`: where it listens.
    pub advertise: Option<String>,
    /// Its name. Placement goes by it, so that a node that starts again gets its shards back.
    pub name: String,
    /// The certificate of the cluster's authority.
    pub ca_file: PathBuf,
    /// The node's certificate.
    pub cert_file: PathBuf,
    /// Its key.
    pub key_file: PathBuf,
}

impl Cluster {
    /// What a member needs to know; `None` for a single server. A configuration that was loaded has all of it.
    pub fn membership(&self) -> Option<Membership> {
        Some(Membership {
            listen: self.listen?,
            advertise: self.advertise.clone(),
            name: self.shown_name()?,
            ca_file: self.ca_file.clone()?,
            cert_file: self.cert_file.clone()?,
            key_file: self.key_file.clone()?,
        })
    }

    /// The name that a member would go by.
    pub(super) fn shown_name(&self) -> Option<String> {
        match (&self.name, self.listen) {
            (Some(name), _) => Some(name.clone()),
            (None, Some(_)) => whoami::hostname().ok().filter(|name| is_name(name)),
            (None, None) => None,
        }
    }

    fn files(&self) -> [Option<&Path>; 3] {
        [self.ca_file.as_deref(), self.cert_file.as_deref(), self.key_file.as_deref()]
    }
}

/// A place that others can dial: a host or an address, and a port.
pub(super) fn place(value: &Value) -> Result<String, Problem> {
    let help = "write a host or an IP address and a port, such as \"node-1.example.org:7171\" or \"10.0.0.5:7171\"";
    let text = value.text(help)?;
    let problem = |message: String| Err(Problem { message, help: help.into() });
    let Some((host, port)) = text.rsplit_once(':') else {
        return problem(format!("\"{text}\" has no port"));
    };
    if !matches!(port.parse::<u16>(), Ok(1..)) {
        return problem(format!("\"{port}\" is not a port"));
    }
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    if let Ok(ip) = bare.unwrap_or(host).parse::<IpAddr>() {
        if ip.is_unspecified() {
            return problem(format!("{host} is no place that others can dial"));
        }
        if ip.is_ipv6() != bare.is_some() {
            return problem(format!("\"{host}\" needs brackets: [{host}]"));
        }
        return Ok(text);
    }
    let plain = host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'));
    if plain && !host.is_empty() { Ok(text) } else { problem(format!("\"{host}\" is not a host")) }
}

pub(super) fn name(value: &Value) -> Result<String, Problem> {
    let help = "write a name that the node keeps, such as \"node-1\"";
    let name = value.text(help)?;
    if is_name(&name) {
        Ok(name)
    } else {
        let message = format!("a name has 1 to {NAME_BYTES_MAX} letters, digits, '.', '-' and '_'");
        Err(Problem { message, help: help.into() })
    }
}

fn is_name(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    (1..=NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(plain)
}

/// What is wrong between the settings of a cluster, and with its files.
pub(super) fn faults(
    config: &Config,
    faulty: &BTreeSet<&'static str>,
    source: &dyn Fn(&str) -> Source,
) -> Vec<Fault> {
    if faulty.contains(LISTEN) {
        return Vec::new();
    }
    let cluster = &config.cluster;
    let Some(listen) = cluster.listen else { return without_listen(config, source) };
    let mut faults = Vec::new();
    if config.store.postgres.is_none() && !faulty.contains("store.postgres") {
        let message = "cluster.listen: nodes of a cluster share their journal, and a data folder cannot be shared";
        let help = "set store.postgres (--postgres) to the database of the cluster, or leave cluster.listen out";
        faults.push(Fault::new(source(LISTEN), message, help));
    }
    if listen.ip().is_unspecified() && cluster.advertise.is_none() && !faulty.contains("cluster.advertise") {
        let message = format!("cluster.listen: {} says to no other node where to dial", listen.ip());
        let help = "set cluster.advertise (--cluster-advertise) to the host and port by which other nodes reach it";
        faults.push(Fault::new(source(LISTEN), message, help));
    }
    if cluster.shown_name().is_none() && !faulty.contains("cluster.name") {
        let help = "set cluster.name (--cluster-name), such as \"node-1\"";
        faults.push(Fault::new(source(LISTEN), "cluster.listen: the host has no name that a node could take", help));
    }
    let files = FILES.into_iter().zip(cluster.files()).filter(|((key, ..), _)| !faulty.contains(key));
    faults.extend(files.filter_map(|((key, flag, mark), path)| {
        match path {
            None => {
                let message = format!("{key}: a member speaks to no node without certificates");
                let help = format!("make them with `waystone cluster certificates` and set {key} ({flag})");
                Some(Fault::new(source(key), message, help))
            }
            Some(path) => unusable(path, mark)
                .map(|(message, help)| Fault::new(source(key), format!("{key}: {} {message}", path.display()), help)),
        }
    }));
    faults
}

/// Settings that would do nothing, where someone expects a cluster.
fn without_listen(config: &Config, source: &dyn Fn(&str) -> Source) -> Vec<Fault> {
    let cluster = &config.cluster;
    let given = [("cluster.advertise", cluster.advertise.is_some()), ("cluster.name", cluster.name.is_some())];
    let files = FILES.into_iter().zip(cluster.files()).map(|((key, ..), path)| (key, path.is_some()));
    // A single server knows all that it shows, and would put into Redis what nobody reads.
    let redis = ("store.redis", config.store.redis.is_some());
    let first = given.into_iter().chain(files).chain([redis]).find(|(_, given)| *given);
    first
        .map(|(key, _)| {
            let message = format!("{key} is set, and cluster.listen is not: this node would be alone");
            let help = "set cluster.listen (--cluster-listen), such as \"10.0.0.5:7171\", or leave the others out";
            Fault::new(source(key), message, help)
        })
        .into_iter()
        .collect()
}

/// What is wrong with a file, and the remedy. What it holds is never repeated.
fn unusable(path: &Path, mark: &str) -> Option<(String, &'static str)> {
    let mut text = String::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(BYTES_MAX).read_to_string(&mut text));
    match read {
        Err(error) => {
            Some((format!("cannot be read: {error}"), "check the path, and that this user may read the file"))
        }
        Ok(_) if !text.contains(mark) => {
            let what = if mark.contains("KEY") { "holds no key" } else { "holds no certificate" };
            Some((format!("{what} in PEM"), "`waystone cluster certificates` makes all three"))
        }
        Ok(_) => None,
    }
}
