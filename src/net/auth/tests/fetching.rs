//! Key sets that are fetched, from a provider in this process: rotation, storms of unknown keys, and bad answers.

use super::*;
use crate::net::auth::fetch::Fetcher;
use std::io::Write as _;
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

const GAP: Duration = Duration::from_millis(200);

/// An identity provider: answers each connection with these bytes.
struct Provider {
    port: u16,
    answer: Arc<Mutex<Vec<u8>>>,
    asked: Arc<AtomicUsize>,
    _tasks: JoinSet<()>,
}

fn ok(body: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

async fn answer(mut io: impl AsyncRead + AsyncWrite + Unpin, bytes: &[u8]) {
    let mut head = [0; 2048];
    if io.read(&mut head).await.is_ok_and(|n| n > 0) {
        // Whoever asked may hang up when it has seen enough.
        let _ = io.write_all(bytes).await;
        let _ = io.shutdown().await;
    }
}

impl Provider {
    async fn new(tls: Option<tokio_rustls::TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let (bytes, asked) = (Arc::<Mutex<Vec<u8>>>::default(), Arc::<AtomicUsize>::default());
        let (mut tasks, kept, count) = (JoinSet::new(), Arc::clone(&bytes), Arc::clone(&asked));
        tasks.spawn(async move {
            loop {
                let (io, _) = listener.accept().await.expect("it listens");
                count.fetch_add(1, Ordering::SeqCst);
                let bytes = kept.lock().expect("whole").clone();
                match &tls {
                    None => answer(io, &bytes).await,
                    Some(tls) => {
                        if let Ok(io) = tls.accept(io).await {
                            answer(io, &bytes).await;
                        }
                    }
                }
            }
        });
        Self { port, answer: bytes, asked, _tasks: tasks }
    }

    fn serve(&self, keys: &[Value]) {
        *self.answer.lock().expect("whole") = ok(&json!({"keys": keys}).to_string());
    }

    fn fail(&self) {
        *self.answer.lock().expect("whole") = b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n".to_vec();
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    fn config(&self) -> RemoteConfig {
        let url = Url::parse(&format!("http://127.0.0.1:{}/keys?v=1", self.port)).expect("an address");
        let (refresh, keep) = (Duration::from_secs(300), Duration::from_secs(600));
        RemoteConfig { url, ca_file: None, refresh, gap: GAP, keep }
    }
}

/// An auth that fetches, at work until it is dropped.
struct Fetching {
    auth: Arc<Auth>,
    _stop: watch::Sender<bool>,
    _tasks: JoinSet<()>,
}

impl Fetching {
    fn new(config: RemoteConfig) -> Self {
        let auth = auth_with(Vec::new(), AuthConfig::default()).fetching(config).expect("an address");
        let (auth, (stop, stopped), mut tasks) = (Arc::new(auth), watch::channel(false), JoinSet::new());
        tasks.spawn(Arc::clone(&auth).keep_fresh(stopped));
        Self { auth, _stop: stop, _tasks: tasks }
    }

    /// As whoever comes sees it, again and again until it is not told to wait.
    async fn settled(&self, token: &str) -> Result<Identity, TokenError> {
        for _ in 0..100 {
            match self.auth.identify(token).await {
                Err(TokenError::KeysUnavailable) => tokio::time::sleep(GAP / 4).await,
                settled => return settled,
            }
        }
        panic!("it was told to wait for ever");
    }
}

fn claims() -> Value {
    json!({"sub": "ada", "exp": NOW + 60})
}

#[tokio::test]
async fn keys_rotate_while_tokens_of_both_are_shown() {
    let provider = Provider::new(None).await;
    provider.serve(&[ed_jwk("old")]);
    let fetching = Fetching::new(provider.config());
    let (old, new) = (sign_by("old", ED_PRIVATE, &claims()), sign_by("new", ED_PRIVATE, &claims()));
    assert!(fetching.settled(&old).await.is_ok(), "the first that comes waits for the first fetch");
    assert_eq!(fetching.settled(&new).await, Err(TokenError::UnknownKey), "nobody has heard of it");
    provider.serve(&[ed_jwk("old"), ed_jwk("new")]);
    assert!(fetching.settled(&new).await.is_ok(), "it is fetched since a token names it");
    assert!(fetching.auth.verify(&old).is_ok(), "both are live");
    provider.serve(&[ed_jwk("new")]);
    assert_eq!(fetching.settled(&sign_by("x", ED_PRIVATE, &claims())).await, Err(TokenError::UnknownKey));
    assert_eq!(fetching.auth.verify(&old), Err(TokenError::UnknownKey), "the old one is gone with the last fetch");
    assert!(fetching.auth.verify(&new).is_ok());
}

#[tokio::test]
async fn a_storm_of_unknown_keys_is_one_fetch() {
    let provider = Provider::new(None).await;
    provider.serve(&[ed_jwk("a")]);
    let fetching = Fetching::new(RemoteConfig { gap: Duration::from_secs(60), ..provider.config() });
    assert!(fetching.settled(&sign_by("a", ED_PRIVATE, &claims())).await.is_ok());
    let strangers: Vec<String> = (0..200).map(|n| sign_by(&format!("k{n}"), ED_PRIVATE, &claims())).collect();
    let asked = strangers.iter().map(|token| fetching.auth.identify(token));
    for answer in futures_util::future::join_all(asked).await {
        assert_eq!(answer, Err(TokenError::KeysUnavailable), "nobody knows yet, and none may ask now");
    }
    assert_eq!(provider.asked(), 1);
    assert!(fetching.auth.identify(&sign_by("a", ED_PRIVATE, &claims())).await.is_ok(), "others are not held up");
}

#[tokio::test]
async fn without_a_provider_there_are_no_keys_and_with_old_ones_all_goes_on() {
    let provider = Provider::new(None).await;
    provider.fail();
    let fetching = Fetching::new(provider.config());
    let token = sign_by("a", ED_PRIVATE, &claims());
    assert_eq!(fetching.auth.identify(&token).await, Err(TokenError::KeysUnavailable));
    assert!(fetching.auth.ready().is_err_and(|why| why.contains("key set")));
    provider.serve(&[ed_jwk("a")]);
    assert!(fetching.settled(&token).await.is_ok());
    assert_eq!(fetching.auth.ready(), Ok(()));
    provider.fail();
    tokio::time::sleep(GAP).await;
    assert_eq!(
        fetching.auth.identify(&sign_by("b", ED_PRIVATE, &claims())).await,
        Err(TokenError::KeysUnavailable),
        "the fetch failed, so it may be good"
    );
    assert!(fetching.auth.verify(&token).is_ok(), "the keys that were there stay");
    let (fetches, failures) = fetching.auth.fetches().expect("it fetches");
    assert!(fetches > failures && failures >= 2, "{fetches} {failures}");
}

#[tokio::test]
async fn keys_that_are_too_old_are_dropped() {
    let provider = Provider::new(None).await;
    provider.serve(&[ed_jwk("a")]);
    let keep = Duration::from_millis(50);
    let fetching = Fetching::new(RemoteConfig { refresh: keep, keep, ..provider.config() });
    let token = sign_by("a", ED_PRIVATE, &claims());
    assert!(fetching.settled(&token).await.is_ok());
    provider.fail();
    for _ in 0..200 {
        if fetching.auth.ready().is_err() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(fetching.auth.verify(&token), Err(TokenError::UnknownKey));
}

#[tokio::test]
async fn an_answer_that_is_no_key_set_is_told_apart() {
    let provider = Provider::new(None).await;
    let fetcher = Fetcher::new(&provider.config().url, None).expect("an address");
    let large = ok(&" ".repeat(jwks::BYTES_MAX + 1));
    let endless = [&b"HTTP/1.1 200 OK\r\nX: "[..], &vec![b'a'; 100_000]].concat();
    for (bytes, fault) in [
        (ok("{}"), FetchError::Set(jwks::JwksError::Malformed)),
        (ok(r#"{"keys":[]}"#), FetchError::Set(jwks::JwksError::NoKeys(0))),
        (large, FetchError::Set(jwks::JwksError::TooLarge)),
        (
            b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/\r\nContent-Length: 0\r\n\r\n".to_vec(),
            FetchError::Status(302),
        ),
        (b"SSH-2.0-x\r\n".to_vec(), FetchError::Http),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{".to_vec(), FetchError::Http),
        (endless, FetchError::Http),
        (Vec::new(), FetchError::Http),
    ] {
        *provider.answer.lock().expect("whole") = bytes.clone();
        assert_eq!(
            fetcher.key_set().await.expect_err("none"),
            fault,
            "{}",
            String::from_utf8_lossy(&bytes[..bytes.len().min(60)])
        );
    }
    let nobody = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("bound");
    let url = Url::parse(&format!("http://{nobody}/")).expect("an address");
    let refused = Fetcher::new(&url, None).expect("an address").key_set().await.expect_err("nobody listens");
    assert!(matches!(refused, FetchError::Connect(_)), "{refused}");
}

#[tokio::test]
async fn https_is_trusted_by_the_named_authority_only() {
    use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("made");
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let config = tokio_rustls::rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|config| config.with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key))
        .expect("a server");
    let provider = Provider::new(Some(tokio_rustls::TlsAcceptor::from(Arc::new(config)))).await;
    provider.serve(&[ed_jwk("a")]);
    let path = std::env::temp_dir().join(format!("waystone-jwks-{}.pem", std::process::id()));
    std::fs::File::create(&path).and_then(|mut file| file.write_all(made.cert.pem().as_bytes())).expect("a file");
    let url = |host: &str| Url::parse(&format!("https://{host}:{}/keys", provider.port)).expect("an address");
    let trusted = Fetcher::new(&url("localhost"), Some(&path)).expect("an authority").key_set().await;
    assert_eq!(trusted.map(|set| set.keys.len()), Ok(1));
    let other_name = Fetcher::new(&url("127.0.0.1"), Some(&path)).expect("an authority").key_set().await;
    assert!(matches!(other_name, Err(FetchError::Tls(_))), "the certificate is of localhost");
    // Where the system trusts nobody there is nothing to compare with.
    if let Ok(fetcher) = Fetcher::new(&url("localhost"), None) {
        assert!(
            matches!(fetcher.key_set().await, Err(FetchError::Tls(_))),
            "the system does not know this authority"
        );
    }
    std::fs::remove_file(&path).expect("it is there");
    assert!(matches!(Fetcher::new(&url("localhost"), Some(&path)), Err(SetupError::Authority { .. })));
}

#[test]
fn an_address_is_https_or_on_this_machine() {
    for (text, shown) in [
        ("https://login.example/keys", "https://login.example:443/keys"),
        ("https://LOGIN.example:8443?x=1", "https://login.example:8443/?x=1"),
        ("http://localhost:8080/a", "http://localhost:8080/a"),
        ("http://127.0.0.1/", "http://127.0.0.1:80/"),
        ("http://[::1]:1/", "http://[::1]:1/"),
    ] {
        assert_eq!(Url::parse(text).map(|url| url.to_string()), Ok(shown.to_owned()));
    }
    for (text, fault) in [
        ("http://login.example/keys", UrlError::Clear),
        ("https://me:pw@login.example/", UrlError::User),
        ("ftp://localhost/", UrlError::Malformed),
        ("login.example/keys", UrlError::Malformed),
        ("/keys", UrlError::Malformed),
        ("", UrlError::Malformed),
        ("https://", UrlError::Malformed),
    ] {
        assert_eq!(Url::parse(text), Err(fault), "{text}");
    }
}
