//! Over real loopback sockets.

use super::*;
use tokio::net::{TcpListener, TcpStream};

/// Sends `bytes`, returns what `receive` made of it and what the peer was told.
async fn exchange(bytes: &[u8], deadline: Duration) -> (Arrival, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let mut peer = TcpStream::connect(listener.local_addr().expect("bound")).await.expect("connects");
    let (io, _) = listener.accept().await.expect("accepts");
    peer.write_all(bytes).await.expect("sent");
    let rules = HeadRules { loopback: true, ..HeadRules::default() };
    let talk = async {
        let mut said = Vec::new();
        let mut buf = [0; 2048];
        // A WebSocket stays open: its answer is one read long.
        let n = peer.read(&mut buf).await.unwrap_or(0);
        said.extend_from_slice(&buf[..n]);
        drop(peer);
        String::from_utf8_lossy(&said).into_owned()
    };
    let receive = async {
        match receive(io.into(), &rules, deadline, || Ok(MessageBounds::OURS)).await {
            Arrival::Http(bytes, mut io) => {
                let _ = io.shutdown().await;
                Arrival::Http(bytes, io)
            }
            other => other,
        }
    };
    tokio::join!(receive, talk)
}

const GOOD: &str = "GET /connect HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
const LONG: Duration = Duration::from_secs(10);

#[tokio::test]
async fn good_head_becomes_a_socket() {
    let (arrival, said) = exchange(GOOD.as_bytes(), LONG).await;
    assert!(matches!(arrival, Arrival::Socket(_, _)));
    assert!(said.starts_with("HTTP/1.1 101 "), "{said}");
}

#[tokio::test]
async fn frame_sent_together_with_the_head_is_not_lost() {
    use futures_util::StreamExt;
    // A masked text frame "hi" with a mask of zeros.
    let frame = [0x81, 0x82, 0, 0, 0, 0, b'h', b'i'];
    let bytes = [GOOD.as_bytes(), &frame].concat();
    let (arrival, _) = exchange(&bytes, LONG).await;
    let Arrival::Socket(mut ws, _) = arrival else { panic!("no socket") };
    let message = ws.next().await.expect("a message").expect("a good one");
    assert_eq!(message.into_text().expect("text").as_str(), "hi");
}

#[tokio::test]
async fn refusal_reaches_the_peer_with_its_status() {
    let plain = "GET /connect HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let (arrival, said) = exchange(plain.as_bytes(), LONG).await;
    assert!(matches!(arrival, Arrival::Refused(426)));
    assert!(said.starts_with("HTTP/1.1 426 ") && said.contains("application/problem+json"), "{said}");
    let foreign = GOOD.replace("localhost", "evil.example");
    let (arrival, said) = exchange(foreign.as_bytes(), LONG).await;
    assert!(matches!(arrival, Arrival::Refused(421)), "{said}");
}

#[tokio::test]
async fn everything_else_goes_to_http_with_its_bytes() {
    let whole = b"POST /v1/reviews HTTP/1.1\r\nHost: localhost\r\n\r\nbody";
    for sent in [&whole[..], b"\x00\x01 no head\r\n"] {
        let (arrival, _) = exchange(sent, LONG).await;
        let Arrival::Http(bytes, _) = arrival else { panic!("not for HTTP") };
        assert_eq!(&bytes[..], sent);
    }
}

#[tokio::test]
async fn heads_for_http_have_the_same_bounds() {
    let (arrival, _) = exchange(b"POST /v1/reviews HTTP/1.1\r\n", Duration::from_millis(150)).await;
    assert!(matches!(arrival, Arrival::Refused(408)));
    let endless = format!("GET /livez HTTP/1.1\r\nX: {}", "a".repeat(20_000));
    let many = format!("GET /livez HTTP/1.1\r\n{}", "X: 1\r\n".repeat(120));
    for head in [endless, many] {
        let (arrival, said) = exchange(head.as_bytes(), LONG).await;
        assert!(matches!(arrival, Arrival::Refused(431)), "{said}");
    }
}

#[tokio::test]
async fn a_gate_that_is_shut_says_why() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let mut peer = TcpStream::connect(listener.local_addr().expect("bound")).await.expect("connects");
    let (io, _) = listener.accept().await.expect("accepts");
    peer.write_all(GOOD.as_bytes()).await.expect("sent");
    let rules = HeadRules { loopback: true, ..HeadRules::default() };
    let (arrival, said) = tokio::join!(receive(io.into(), &rules, LONG, || Err(Refused::NO_MEMORY)), async {
        let mut buf = [0; 2048];
        let n = peer.read(&mut buf).await.unwrap_or(0);
        drop(peer);
        String::from_utf8_lossy(&buf[..n]).into_owned()
    });
    assert!(matches!(arrival, Arrival::Refused(503)) && said.contains("Retry-After: 10\r\n"), "{said}");
}

#[tokio::test]
async fn head_that_drips_is_cut_at_the_deadline() {
    let started = tokio::time::Instant::now();
    let (arrival, said) = exchange(b"GET /conn", Duration::from_millis(150)).await;
    assert!(matches!(arrival, Arrival::Refused(408)));
    assert!(said.starts_with("HTTP/1.1 408 "), "{said}");
    let took = started.elapsed();
    assert!(took >= Duration::from_millis(150) && took < Duration::from_secs(5), "{took:?}");
}

#[tokio::test]
async fn endless_head_is_cut_at_its_bound() {
    let endless = format!("GET /connect HTTP/1.1\r\nX: {}", "a".repeat(20_000));
    let (arrival, said) = exchange(endless.as_bytes(), LONG).await;
    assert!(matches!(arrival, Arrival::Refused(431)), "{said}");
}

#[tokio::test]
async fn peer_that_hangs_up_is_gone() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    drop(TcpStream::connect(listener.local_addr().expect("bound")).await.expect("connects"));
    let (io, _) = listener.accept().await.expect("accepts");
    let rules = HeadRules::default();
    assert!(matches!(receive(io.into(), &rules, LONG, || Ok(MessageBounds::OURS)).await, Arrival::Gone));
}
