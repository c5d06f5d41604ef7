//! What is asked of a server before TLS, and which settings cannot work.

use tokio::net::TcpListener;

use super::*;

/// Opens a connection to a server that answers the SSLRequest with `answer` (and, asked again without
/// TLS, just listens); true if the connection was made and is plaintext.
async fn open_to(mode: ServerTlsMode, answer: &'static [u8]) -> io::Result<bool> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = Address::Tcp {
        host: "127.0.0.1".to_owned(),
        port: listener.local_addr()?.port(),
    };
    let server = tokio::spawn(async move {
        let mut held = Vec::new();
        loop {
            let (mut stream, _) = listener.accept().await.expect("accept");
            if held.is_empty() {
                let mut request = [0; 8];
                stream
                    .read_exact(&mut request)
                    .await
                    .expect("an SSLRequest");
                assert_eq!(request, SSL_REQUEST);
                stream.write_all(answer).await.expect("write");
            }
            held.push(stream);
        }
    });
    let tls = Tls::load(&ServerTls { mode, ca: None }).expect("no files");
    let opened = open(&address, &tls, Duration::from_millis(300)).await;
    server.abort();
    opened.map(|stream| !stream.is_encrypted())
}

#[tokio::test]
async fn answers_to_the_request() {
    use ServerTlsMode::{Prefer, Require};

    assert_eq!(open_to(Prefer, b"N").await.ok(), Some(true));
    let refused = open_to(Require, b"N").await.expect_err("TLS is required");
    assert!(
        refused.to_string().contains("does not offer TLS"),
        "{refused}"
    );
    // The start of a plaintext message behind the answer, as an injected one would be.
    for answer in [&b"SE\0\0\0\x20"[..], b"SS", b"S\x16\x03\x01"] {
        let injected = open_to(Require, answer)
            .await
            .expect_err("bytes before the handshake");
        assert!(
            injected.to_string().contains("before the TLS handshake"),
            "{injected}"
        );
    }
    for answer in [&b"N "[..], b"E\0\0\0\x10SFATAL\0Mlies\0\0", b"X", b"\0"] {
        let error = open_to(Require, answer).await.expect_err("not an answer");
        assert!(!error.to_string().contains("lies"), "{error}");
    }
    // A server that says yes and never shakes hands.
    assert_eq!(
        open_to(Require, b"S").await.err().map(|error| error.kind()),
        Some(io::ErrorKind::TimedOut)
    );
}

#[tokio::test]
async fn sockets_and_disabled_tls_send_no_request() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let address = Address::Tcp {
        host: "127.0.0.1".to_owned(),
        port: listener.local_addr().expect("address").port(),
    };
    let stream = open(&address, &Tls::disabled(), Duration::from_secs(5))
        .await
        .expect("connects");
    let (far, _) = listener.accept().await.expect("accept");
    drop(stream);
    let mut byte = [0; 1];
    far.readable().await.expect("readable");
    assert_eq!(far.try_read(&mut byte).expect("the end"), 0);
}

#[test]
fn settings_that_cannot_work_are_refused() {
    let load = |mode, ca: Option<&str>| {
        Tls::load(&ServerTls {
            mode,
            ca: ca.map(Into::into),
        })
        .err()
    };
    assert!(matches!(
        load(ServerTlsMode::VerifyCa, None),
        Some(TlsError::NoCa { .. })
    ));
    assert!(matches!(
        load(ServerTlsMode::VerifyFull, None),
        Some(TlsError::NoCa { .. })
    ));
    assert!(matches!(
        load(ServerTlsMode::VerifyFull, Some("/nowhere")),
        Some(TlsError::Read { .. })
    ));
    assert!(matches!(
        load(ServerTlsMode::VerifyFull, Some("/dev/null")),
        Some(TlsError::Empty { .. })
    ));
    assert!(load(ServerTlsMode::Require, None).is_none());
}

#[test]
fn host_names_tls_cannot_express_do_not_stop_a_connection() {
    assert_eq!(
        server_name("db 1"),
        ServerName::from(std::net::IpAddr::from([0, 0, 0, 0]))
    );
    assert!(matches!(
        server_name("db-1.example"),
        ServerName::DnsName(_)
    ));
    assert!(matches!(server_name("::1"), ServerName::IpAddress(_)));
}
