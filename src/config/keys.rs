//! Every key there is: its name, how it is set, how it is shown.
//!
//! One table, so that a key cannot be known to the file and unknown to the environment, or set and never printed.

use super::value::{Problem, Value};
use super::{Config, LogFormat, cluster, limits};
use crate::geo::plausibility::RuleSet;
use crate::net::auth::Url;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A key.
#[derive(Clone, Copy)]
pub(super) struct Key {
    /// Its dotted name: section and name.
    pub(super) name: &'static str,
    pub(super) set: fn(&mut Config, &Value) -> Result<(), Problem>,
    pub(super) show: fn(&Config) -> String,
}

/// More sockets than one address has ports need more than one; nobody has asked a single node for more.
const CONNECTIONS: std::ops::RangeInclusive<usize> = 1..=1_000_000;

/// Below a second no hand-over ends; above five minutes an orchestrator has long killed us.
const DEADLINES: std::ops::RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(300);

/// More often than each ten seconds is no news; a key that was called back must be out within a day.
const REFRESHES: std::ops::RangeInclusive<Duration> = Duration::from_secs(10)..=Duration::from_secs(86_400);

/// Below a minute a provider that restarts would lock all out; above a month its keys are nobody's any more.
const KEEPS: std::ops::RangeInclusive<Duration> = Duration::from_secs(60)..=Duration::from_secs(31 * 86_400);

/// Key files of one kind: two while one replaces the other, and some that are left behind.
const KEY_FILES_MAX: usize = 8;

const FORMATS: [(&str, LogFormat); 3] =
    [("auto", LogFormat::Auto), ("pretty", LogFormat::Pretty), ("json", LogFormat::Json)];

/// All keys, in the order in which they are printed.
pub(super) const KEYS: &[Key] = &[
    Key {
        name: "http.listen",
        set: |config, value| value.address().map(|address| config.http.listen = address),
        show: |config| config.http.listen.to_string(),
    },
    Key {
        name: "http.public_host",
        set: |config, value| host(value).map(|host| config.http.public_host = Some(host)),
        show: |config| or_none(config.http.public_host.as_deref()),
    },
    Key {
        name: "http.behind_proxy",
        set: |config, value| value.truth().map(|truth| config.http.behind_proxy = truth),
        show: |config| config.http.behind_proxy.to_string(),
    },
    Key {
        name: "http.origins",
        set: |config, value| value.each(origin).map(|origins| config.http.origins = origins),
        show: |config| or_none(Some(config.http.origins.join(", ").as_str())),
    },
    Key {
        name: "http.connections_max",
        set: |config, value| value.count(&CONNECTIONS).map(|count| config.http.connections_max = count),
        show: |config| config.http.connections_max.to_string(),
    },
    Key {
        name: "http.connections_per_address_max",
        set: |config, value| value.count(&CONNECTIONS).map(|count| config.http.connections_per_address_max = count),
        show: |config| config.http.connections_per_address_max.to_string(),
    },
    Key {
        name: "tls.cert_file",
        set: |config, value| value.path().map(|path| config.tls.cert_file = Some(path)),
        show: |config| path_or_none(config.tls.cert_file.as_deref()),
    },
    Key {
        name: "tls.key_file",
        set: |config, value| value.path().map(|path| config.tls.key_file = Some(path)),
        show: |config| path_or_none(config.tls.key_file.as_deref()),
    },
    Key {
        name: "tls.self_signed",
        set: |config, value| value.truth().map(|truth| config.tls.self_signed = truth),
        show: |config| config.tls.self_signed.to_string(),
    },
    Key {
        name: "store.data",
        set: |config, value| value.path().map(|path| config.store.data = path),
        show: |config| config.store.data.display().to_string(),
    },
    Key {
        name: "store.postgres",
        set: |config, value| database(value).map(|url| config.store.postgres = Some(url)),
        show: |config| or_none(config.store.postgres.as_deref().map(without_password).as_deref()),
    },
    Key {
        name: "store.redis",
        set: |config, value| redis(value).map(|url| config.store.redis = Some(url)),
        show: |config| or_none(config.store.redis.as_deref().map(without_password).as_deref()),
    },
    Key {
        name: "cluster.listen",
        set: |config, value| value.address().map(|address| config.cluster.listen = Some(address)),
        show: |config| or_none(config.cluster.listen.map(|address| address.to_string()).as_deref()),
    },
    Key {
        name: "cluster.advertise",
        set: |config, value| cluster::place(value).map(|place| config.cluster.advertise = Some(place)),
        show: |config| or_none(config.cluster.advertise.as_deref()),
    },
    Key {
        name: "cluster.name",
        set: |config, value| cluster::name(value).map(|name| config.cluster.name = Some(name)),
        show: |config| or_none(config.cluster.shown_name().as_deref()),
    },
    Key {
        name: "cluster.ca_file",
        set: |config, value| value.path().map(|path| config.cluster.ca_file = Some(path)),
        show: |config| path_or_none(config.cluster.ca_file.as_deref()),
    },
    Key {
        name: "cluster.cert_file",
        set: |config, value| value.path().map(|path| config.cluster.cert_file = Some(path)),
        show: |config| path_or_none(config.cluster.cert_file.as_deref()),
    },
    Key {
        name: "cluster.key_file",
        set: |config, value| value.path().map(|path| config.cluster.key_file = Some(path)),
        show: |config| path_or_none(config.cluster.key_file.as_deref()),
    },
    Key {
        name: "auth.hs256_secret_file",
        set: |config, value| files(value).map(|paths| config.auth.hs256_secret_files = paths),
        show: |config| or_none(Some(joined(&config.auth.hs256_secret_files).as_str())),
    },
    Key {
        name: "auth.public_key_file",
        set: |config, value| files(value).map(|paths| config.auth.public_key_files = paths),
        show: |config| or_none(Some(joined(&config.auth.public_key_files).as_str())),
    },
    Key {
        name: "auth.jwks_url",
        set: |config, value| key_set(value).map(|url| config.auth.jwks_url = Some(url)),
        show: |config| or_none(config.auth.jwks_url.as_ref().map(ToString::to_string).as_deref()),
    },
    Key {
        name: "auth.jwks_ca_file",
        set: |config, value| value.path().map(|path| config.auth.jwks_ca_file = Some(path)),
        show: |config| path_or_none(config.auth.jwks_ca_file.as_deref()),
    },
    Key {
        name: "auth.jwks_refresh",
        set: |config, value| value.span(&REFRESHES).map(|span| config.auth.jwks_refresh = span),
        show: |config| format!("{:?}", config.auth.jwks_refresh),
    },
    Key {
        name: "auth.jwks_keep",
        set: |config, value| value.span(&KEEPS).map(|span| config.auth.jwks_keep = span),
        show: |config| format!("{:?}", config.auth.jwks_keep),
    },
    Key {
        name: "auth.audience",
        set: |config, value| value.text("write the `aud` of the tokens").map(|aud| config.auth.audience = Some(aud)),
        show: |config| or_none(config.auth.audience.as_deref()),
    },
    Key {
        name: "auth.issuer",
        set: |config, value| value.text("write the `iss` of the tokens").map(|iss| config.auth.issuer = Some(iss)),
        show: |config| or_none(config.auth.issuer.as_deref()),
    },
    Key {
        name: "quests.files",
        set: |config, value| value.each(Value::path).map(|files| config.quests.files = files),
        show: |config| or_none(Some(joined(&config.quests.files).as_str())),
    },
    Key {
        name: "fences.trial_rules",
        set: |config, value| trial_rules(value).map(|rules| config.fences.trial_rules = Some(rules)),
        show: |config| config.fences.trial_rules.map_or_else(|| "-".to_owned(), |rules| rules.version.to_string()),
    },
    limits::KEYS[0],
    limits::KEYS[1],
    limits::KEYS[2],
    limits::KEYS[3],
    limits::KEYS[4],
    limits::KEYS[5],
    limits::KEYS[6],
    Key {
        name: "log.filter",
        set: |config, value| filter(value).map(|filter| config.log.filter = filter),
        show: |config| config.log.filter.clone(),
    },
    Key {
        name: "log.format",
        set: |config, value| value.choice(&FORMATS).map(|format| config.log.format = format),
        show: |config| {
            let name = FORMATS.iter().find(|(_, format)| *format == config.log.format);
            name.map_or_else(String::new, |(name, _)| (*name).to_owned())
        },
    },
    Key {
        name: "drain.deadline",
        set: |config, value| value.span(&DEADLINES).map(|span| config.drain.deadline = span),
        show: |config| format!("{:?}", config.drain.deadline),
    },
];

/// The sections, each once.
pub(super) fn sections() -> Vec<&'static str> {
    let mut sections: Vec<_> = KEYS.iter().filter_map(|key| key.name.split('.').next()).collect();
    sections.dedup();
    sections
}

/// The names of the keys of a section.
pub(super) fn names_in(section: &str) -> impl Iterator<Item = &'static str> + Clone {
    KEYS.iter().filter_map(move |key| key.name.strip_prefix(section)?.strip_prefix('.'))
}

fn trial_rules(value: &Value) -> Result<&'static RuleSet, Problem> {
    let version = value.count(&(1..=usize::from(u16::MAX)))?;
    let known = RuleSet::ALL.map(|set| set.version.to_string()).join(", ");
    u16::try_from(version).ok().and_then(RuleSet::of_version).ok_or_else(|| Problem {
        message: format!("there are no plausibility rules {version}"),
        help: format!("known here: {known}; {} decides", RuleSet::CURRENT.version),
    })
}

fn files(value: &Value) -> Result<Vec<PathBuf>, Problem> {
    let paths = value.one_or_each(Value::path)?;
    if paths.len() <= KEY_FILES_MAX {
        return Ok(paths);
    }
    let message = format!("{} files are more than {KEY_FILES_MAX}", paths.len());
    Err(Problem { message, help: "name those whose tokens are still in use".to_owned() })
}

fn key_set(value: &Value) -> Result<Url, Problem> {
    let help = "write it as \"https://login.example/.well-known/jwks.json\"; http:// only for this machine";
    let url = value.text(help)?;
    Url::parse(&url).map_err(|err| Problem { message: err.to_string(), help: help.to_owned() })
}

fn host(value: &Value) -> Result<String, Problem> {
    let help = "write the name alone, such as \"play.example.org\"";
    let host = value.text(help)?;
    let plain = host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'));
    if plain {
        Ok(host)
    } else {
        Err(Problem { message: format!("\"{host}\" is not a host name"), help: help.into() })
    }
}

fn origin(value: &Value) -> Result<String, Problem> {
    let help = "write a scheme and a host without a path, such as \"https://play.example.org\"";
    let origin = value.text(help)?;
    let rest = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
    let good = rest.is_some_and(|rest| !rest.is_empty() && !rest.contains(['/', '?', '#', '@', ' ', '*']));
    if good {
        Ok(origin)
    } else {
        Err(Problem { message: format!("\"{origin}\" is not an origin"), help: help.into() })
    }
}

fn database(value: &Value) -> Result<String, Problem> {
    let help = "write it as \"postgres://user@host:5432/name\"; a password is safer in PGPASSFILE";
    let url = value.text(help)?;
    if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        Ok(url)
    } else {
        Err(Problem { message: "this is not the URL of a Postgres database".to_owned(), help: help.into() })
    }
}

fn redis(value: &Value) -> Result<String, Problem> {
    let help = "write it as \"redis://host:6379\", or \"rediss://host:6380\" for TLS; one with a password belongs in \
                the variable, which no other user of the machine can read";
    let url = value.text(help)?;
    let rest = url.strip_prefix("redis://").or_else(|| url.strip_prefix("rediss://"));
    if rest.is_some_and(is_redis_place) {
        Ok(url)
    } else {
        // The value is not repeated: it may bear a password.
        Err(Problem { message: "this is not the URL of a Redis".to_owned(), help: help.into() })
    }
}

/// `[user][:password@]host[:port][/number of the database]`.
fn is_redis_place(text: &str) -> bool {
    let (authority, path) = text.split_at(text.find(['/', '?']).unwrap_or(text.len()));
    let place = authority.rsplit_once('@').map_or(authority, |(_, place)| place);
    // The last colon of an IPv6 address in brackets is none of a port.
    let (host, port) = match place.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (place, None),
    };
    let number = path.trim_start_matches('/').split('?').next().unwrap_or("");
    !host.is_empty()
        && port.is_none_or(|port| matches!(port.parse::<u16>(), Ok(1..)))
        && number.bytes().all(|byte| byte.is_ascii_digit())
}

/// A URL as it may be shown.
fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return "-".to_owned() };
    let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let shown = match authority.rsplit_once('@') {
        Some((user, host)) => match user.split(':').next() {
            // Redis often has a password and no user.
            Some("") | None => host.to_owned(),
            Some(user) => format!("{user}@{host}"),
        },
        None => authority.to_owned(),
    };
    // What follows a question mark may bear a password too.
    format!("{scheme}://{shown}{}", path.split('?').next().unwrap_or(""))
}

fn filter(value: &Value) -> Result<String, Problem> {
    let help = "write levels, such as \"info\" or \"info,waystone::net=debug\"";
    let filter = value.text(help)?;
    match tracing_subscriber::EnvFilter::try_new(&filter) {
        Ok(_) => Ok(filter),
        Err(error) => {
            Err(Problem { message: format!("\"{filter}\" is not a log filter: {error}"), help: help.into() })
        }
    }
}

fn or_none(text: Option<&str>) -> String {
    text.filter(|text| !text.is_empty()).unwrap_or("-").to_owned()
}

fn path_or_none(path: Option<&Path>) -> String {
    path.map_or_else(|| "-".to_owned(), |path| path.display().to_string())
}

fn joined(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}
