//! What only the real links can be asked: who comes in. And what only their twin can: chance.

use super::super::limits::{HELLO, STRANGERS};
use super::super::memory::Net;
use super::super::{Links, Tls, certificates};
use super::world::*;
use crate::cluster::link::{Broken, Handler, LinkState, Note, Peers as _};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

const LONG: Duration = Duration::from_secs(10);

/// Reads until the other side ends it; what it said is an alert, or nothing.
async fn is_ended(io: &mut (impl tokio::io::AsyncRead + Unpin)) -> bool {
    let mut said = Vec::new();
    timeout(LONG, io.read_to_end(&mut said)).await.is_ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_are_given_up_and_keep_nobody_out() {
    let (a, b) = (World::Real.node("a"), World::Real.node("b"));
    let mut silent = Vec::new();
    for _ in 0..STRANGERS * 2 {
        silent.push(TcpStream::connect(&b.address).await.expect("accepted"));
    }
    let mut plain = TcpStream::connect(&b.address).await.expect("accepted");
    plain.write_all(b"GET / HTTP/1.1\r\nHost: b\r\n\r\n").await.expect("written");
    let began = Instant::now();
    a.aim(&[&b]);
    a.up(&b).await;
    assert!(began.elapsed() < HELLO, "silent ones kept it out for {:?}", began.elapsed());
    assert!(is_ended(&mut plain).await, "it speaks no TLS");
    let first = silent.first_mut().expect("there are some");
    assert!(is_ended(first).await, "those who came first made room");
    let last = silent.last_mut().expect("there are some");
    let began = Instant::now();
    assert!(is_ended(last).await, "the others are given up in time");
    assert!(began.elapsed() < HELLO + Duration::from_secs(1), "{:?}", began.elapsed());
    b.taken.until(|_| b.links.counts().turned_away >= 2 * 64).await;
    assert_eq!(b.links.counts().streams_taken, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_certificates_of_the_authority_come_in() {
    let (a, b) = (World::Real.node("a"), World::Real.node("b"));
    let other = Folder::new();
    certificates::make(other.path(), &["x"], false, now()).expect("made");

    // Trusts us, and shows a certificate of its own authority.
    let ours = certs().join("ca.pem");
    let forged = Tls::load(&ours, &other.path().join("x.pem"), &other.path().join("x.key")).expect("a pair");
    let tcp = TcpStream::connect(&b.address).await.expect("accepted");
    if let Ok(mut io) = forged.connector.connect(forged.name.clone(), tcp).await {
        assert!(is_ended(&mut io).await, "another authority's");
    }
    // Shows none.
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(&ours).expect("a certificate")).expect("added");
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let tcp = TcpStream::connect(&b.address).await.expect("accepted");
    if let Ok(mut io) = TlsConnector::from(Arc::new(config)).connect(forged.name.clone(), tcp).await {
        assert!(is_ended(&mut io).await, "none");
    }
    // Is one of ours, and says nothing.
    let good = tls(certs(), "c");
    let tcp = TcpStream::connect(&b.address).await.expect("accepted");
    let mut io = good.connector.connect(good.name.clone(), tcp).await.expect("let in");
    let began = Instant::now();
    assert!(is_ended(&mut io).await, "silence after TLS");
    assert!(began.elapsed() < HELLO + Duration::from_secs(1), "{:?}", began.elapsed());
    assert_eq!(b.links.counts().streams_taken, 0);

    // A node of the other authority, at both ends.
    let tls = Tls::load(&other.path().join("ca.pem"), &other.path().join("x.pem"), &other.path().join("x.key"));
    let listen = "127.0.0.1:0".parse().expect("an address");
    let links = Links::bind(listen, me("x", BOTH), tls.expect("a pair")).expect("a port");
    links.serve(Arc::clone(&b.taken) as Arc<dyn Handler>);
    let address = links.addr().expect("real").to_string();
    a.links.aim(rows(&[("x", "name-x", &address)]));
    links.aim([b.row()].into());
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(a.links.states().borrow().values().next(), Some(&LinkState::Down { refused: false }));
    assert_eq!(links.states().borrow().values().next(), Some(&LinkState::Down { refused: false }));
    assert_eq!((links.counts().streams_taken, b.links.counts().streams_taken), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_cut_of_one_way_ends_both_links() {
    let net = Net::new(1);
    let (a, b) = pair(&World::Memory(net.clone())).await;
    net.cut(&b.id(), &a.id());
    let began = Instant::now();
    assert_eq!(a.ask(&b, "heard", LONG).await.expect_err("cut"), Broken::NoAnswer);
    let took = began.elapsed();
    assert!(took > Duration::from_secs(2) && took <= Duration::from_secs(3), "{took:?}");
    assert_eq!(b.taken.calls(), ["heard"], "the other way is open");
    b.until(&a.id(), |state| matches!(state, LinkState::Down { refused: false })).await;
    net.heal_all();
    a.up(&b).await;
    b.up(&a).await;
}

#[tokio::test(start_paused = true)]
async fn a_run_of_the_twin_is_the_same_each_time() {
    async fn run(seed: u64) -> (Vec<String>, Vec<Note>, String) {
        let net = Net::new(seed);
        net.delay(Duration::from_millis(1), Duration::from_millis(40));
        let (a, b) = pair(&World::Memory(net.clone())).await;
        net.lose(0.3);
        let began = Instant::now();
        let mut ends = String::new();
        for n in 0..40 {
            a.links.tell(&b.id(), members(&format!("t{n}")));
            let answer = a.ask(&b, &format!("p{n}"), Duration::from_millis(150)).await;
            ends.push_str(&format!("{n} {} {:?}\n", answer.is_ok(), began.elapsed()));
            if n == 20 {
                net.cut_both(&a.id(), &b.id());
                tokio::time::sleep(Duration::from_secs(4)).await;
                net.heal_all();
            }
        }
        (b.taken.calls(), b.taken.notes(), ends)
    }
    let (first, again, another) = (run(3).await, run(3).await, run(4).await);
    assert_eq!(first, again);
    assert_ne!(first, another);
    let answered = first.2.matches("true").count();
    assert!((5..35).contains(&answered), "some were lost: {answered}");
}
