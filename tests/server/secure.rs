//! TLS at the edge, with real clients of it: who may come in, what is agreed on, and a certificate that changes under
//! sockets that stay.

use crate::harness::{DEADLINE, Folder, TestServer, eventually, quick};
use crate::wire::Head;
use serde_json::json;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore};
use waystone::net::client::{Client, ClientError, Trust};
use waystone::net::self_signed::{self, CERT_FILE, KEY_FILE};
use waystone::net::tls::Tls;
use waystone::units::Timestamp;

const NOW: Timestamp = Timestamp::from_millis(1_781_000_000_000);
const LOCALHOST: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

/// Makes a certificate into a folder. By the real time, which is what clients go by.
fn certificate(folder: &Path) -> Tls {
    let now = Timestamp::from_millis(jiff::Timestamp::now().as_millisecond());
    self_signed::in_folder(folder, SocketAddr::new(LOCALHOST, 0), None, now).expect("a certificate")
}

/// What all servers here show, but for the one whose certificate changes.
static USUAL: LazyLock<Folder> = LazyLock::new(Folder::new);
static CHANGING: LazyLock<Folder> = LazyLock::new(Folder::new);

fn usual() -> PathBuf {
    USUAL.path().join(CERT_FILE)
}

async fn secure_server() -> TestServer {
    TestServer::start_at(NOW, quick(), |edge| edge.tls = Some(certificate(USUAL.path()))).await
}

/// A TLS client that trusts one file and offers these protocols.
async fn meet(addr: SocketAddr, trusted: &Path, alpn: &[&str]) -> io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(trusted).expect("PEM")).expect("a certificate");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    let tcp = TcpStream::connect(addr).await?;
    TlsConnector::from(Arc::new(config)).connect(ServerName::IpAddress(LOCALHOST.into()), tcp).await
}

/// Says something and hears everything until the server hangs up.
async fn answer(mut io: impl AsyncReadWrite, say: &str) -> String {
    io.write_all(say.as_bytes()).await.expect("sent");
    let mut heard = Vec::new();
    // A hang-up without a goodbye is one too.
    let _ = timeout(DEADLINE, io.read_to_end(&mut heard)).await.expect("it ends");
    String::from_utf8_lossy(&heard).into_owned()
}

trait AsyncReadWrite: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin {}
impl<T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin> AsyncReadWrite for T {}

fn get(addr: SocketAddr, path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: {addr}\r\nConnection: close\r\n\r\n")
}

fn wss(addr: SocketAddr) -> String {
    format!("wss://{addr}/connect")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sockets_and_http_share_the_port_by_tls() {
    let server = secure_server().await;
    let (url, token) = (wss(server.addr()), server.token("ada"));
    let trust = Trust::file(&usual()).expect("PEM");
    let (ada, _) = Client::connect_trusting(Some(&trust), &url, &token, None).await.expect("connected");
    let team = ada.rpc("team.create", json!({ "name": "Secure", "cmd": "c1" })).await.expect("founded");
    assert!(team.is_object(), "{team}");
    // An answer of many fragments and TLS records.
    for _ in 0..20 {
        ada.rpc("state.get", json!({})).await.expect("a state");
    }
    for alpn in [&["http/1.1"][..], &["h2", "http/1.1"], &[]] {
        let io = meet(server.addr(), &usual(), alpn).await.expect("met");
        assert!(io.get_ref().1.alpn_protocol().is_none_or(|agreed| agreed == b"http/1.1"));
        let said = answer(io, &get(server.addr(), "/livez")).await;
        assert!(said.starts_with("HTTP/1.1 200 OK\r\n") && said.ends_with("ok\n"), "{said}");
    }
    ada.close().await;
    let nobody = Client::connect(&url, &token, None).await.map(|_| ()).expect_err("nobody is trusted");
    assert!(!nobody.may_reconnect(), "{nobody}");
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_speaks_otherwise_is_turned_away() {
    let server = secure_server().await;
    let addr = server.addr();
    let plain = TcpStream::connect(addr).await.expect("connected");
    let said = answer(plain, &get(addr, "/livez")).await;
    assert!(said.starts_with("HTTP/1.1 400 ") && said.contains("use https:// or wss://"), "{said}");
    let only_h2 = meet(addr, &usual(), &["h2"]).await.expect_err("nothing to agree on");
    assert!(only_h2.to_string().contains("NoApplicationProtocol"), "{only_h2}");
    let strange = certificate(&CHANGING.path().join("strange"));
    assert!(!strange.fingerprint().is_empty());
    let untrusted = meet(addr, &CHANGING.path().join("strange").join(CERT_FILE), &[]).await;
    assert!(untrusted.expect_err("somebody else").to_string().contains("certificate"));
    // Bytes that begin like a handshake, and are none.
    let mut odd = TcpStream::connect(addr).await.expect("connected");
    odd.write_all(&[22, 3, 1, 255, 255, 0, 0]).await.expect("sent");
    let mut heard = Vec::new();
    let _ = timeout(DEADLINE, odd.read_to_end(&mut heard)).await.expect("it ends");
    assert_eq!(heard.first(), Some(&21), "an alert");
    // And the port is as it was.
    let said = answer(meet(addr, &usual(), &[]).await.expect("met"), &get(addr, "/metrics")).await;
    let line = said.lines().find(|line| line.starts_with("waystone_refused_total{why=\"tls\"}")).unwrap_or_default();
    assert!(!line.ends_with(" 0") && !line.is_empty(), "{line}");
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn handshakes_and_heads_have_a_deadline_by_tls_too() {
    let server = TestServer::start_at(NOW, quick(), |edge| {
        edge.tls = Some(certificate(USUAL.path()));
        edge.head_deadline = Duration::from_millis(300);
    })
    .await;
    let addr = server.addr();
    for begin in [&[][..], &[22], &[22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3]] {
        let mut silent = TcpStream::connect(addr).await.expect("connected");
        silent.write_all(begin).await.expect("sent");
        let mut heard = Vec::new();
        let _ = timeout(DEADLINE, silent.read_to_end(&mut heard)).await.expect("it ends");
        assert!(heard.is_empty(), "{begin:?}");
    }
    let io = meet(addr, &usual(), &[]).await.expect("met");
    let late = answer(io, "GET /connect HTTP/1.1\r\nHost: loc").await;
    assert!(late.starts_with("HTTP/1.1 408 "), "{late}");
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_house_says_so_by_tls_too() {
    let server = TestServer::start_at(NOW, quick(), |edge| {
        edge.tls = Some(certificate(USUAL.path()));
        edge.connections_per_ip_max = 1;
    })
    .await;
    let addr = server.addr();
    let inside = meet(addr, &usual(), &[]).await.expect("met");
    let full = answer(meet(addr, &usual(), &[]).await.expect("met"), "").await;
    assert!(full.starts_with("HTTP/1.1 429 ") && full.contains("Retry-After: 30"), "{full}");
    drop(inside);
    server.end().await;
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_certificate_takes_over_while_sockets_stay() {
    // Whoever asked for SIGHUP once in this process is not ended by it any more.
    let hangup = tokio::signal::unix::SignalKind::hangup();
    let _asked = tokio::signal::unix::signal(hangup).expect("it can be heard");
    let served = CHANGING.path().join("served");
    let server = TestServer::start_at(NOW, quick(), |edge| {
        edge.tls = Some(certificate(&CHANGING.path().join("served")));
    })
    .await;
    let old = CHANGING.path().join("old.pem");
    std::fs::copy(served.join(CERT_FILE), &old).expect("copied");
    let trust = Trust::file(&old).expect("PEM");
    let (ada, _) = Client::connect_trusting(Some(&trust), &wss(server.addr()), &server.token("ada"), None)
        .await
        .expect("connected");
    let next = CHANGING.path().join("next");
    let fingerprint = certificate(&next).fingerprint();
    for file in [KEY_FILE, CERT_FILE] {
        std::fs::copy(next.join(file), served.join(file)).expect("copied");
    }
    let hup = std::process::Command::new("kill").args(["-HUP", &std::process::id().to_string()]).status();
    assert!(hup.expect("kill is there").success());
    eventually("the new certificate is shown", async || {
        match meet(server.addr(), &next.join(CERT_FILE), &[]).await {
            Ok(_) => Ok(()),
            Err(err) => Err(err.to_string()),
        }
    })
    .await;
    assert!(meet(server.addr(), &old, &[]).await.is_err(), "the old one is not shown any more");
    assert_eq!(Tls::load(&served.join(CERT_FILE), &served.join(KEY_FILE)).expect("good").fingerprint(), fingerprint);
    ada.rpc("state.get", json!({})).await.expect("who was there stays");
    // A client that was here before may go on by its ticket; a new one sees the certificate.
    let trust = Trust::file(&old).expect("PEM");
    let refused = Client::connect_trusting(Some(&trust), &wss(server.addr()), &server.token("bo"), None).await;
    assert!(matches!(refused, Err(ClientError::Connect(_))));
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upgrade_by_tls_echoes_its_frames_early_and_late() {
    let server = secure_server().await;
    let mut io = meet(server.addr(), &usual(), &[]).await.expect("met");
    // A first frame that comes with the head, and is no protocol.
    let mut bytes = Head::new(server.addr()).text().into_bytes();
    bytes.extend(crate::wire::text("hello"));
    io.write_all(&bytes).await.expect("sent");
    let mut heard = Vec::new();
    let _ = timeout(DEADLINE, io.read_to_end(&mut heard)).await.expect("it ends");
    let text = String::from_utf8_lossy(&heard);
    assert!(text.starts_with("HTTP/1.1 101 ") && text.contains("bad request"), "{text}");
    server.end().await;
}
