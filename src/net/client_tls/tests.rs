//! Handshakes with a real client over loopback: who is there, who is turned away and how; which files can be used.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::net::TcpListener;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::*;
use crate::net::{Buffered, Home, Workers, poll_write};

/// Keys and certificates, made anew by the machine's `openssl`; they go away with this.
struct Files(PathBuf);

impl Drop for Files {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

const NEW_KEY: &str = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";

impl Files {
    /// `ca`, and `own`, `app` of that authority, each as `.crt` and `.key`.
    fn new(name: &str) -> Self {
        let name = format!("trunkline-client-tls-{name}-{}", std::process::id());
        let dir = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&dir).expect("a directory");
        let files = Self(dir);
        files.write(
            "cnf",
            "[req]\ndistinguished_name=dn\nprompt=no\n[dn]\nCN=unused\n",
        );
        files.openssl(&format!("req -config cnf -x509 {NEW_KEY} -subj /CN=ca -addext basicConstraints=critical,CA:TRUE -keyout ca.key -out ca.crt"));
        files.certificate("own", "/CN=own", NEW_KEY);
        files.certificate("app", "/O=we/CN=app/CN=other", NEW_KEY);
        files
    }

    fn certificate(&self, name: &str, subject: &str, key: &str) {
        self.openssl(&format!("req -config cnf -x509 -CA ca.crt -CAkey ca.key {key} -subj {subject} -addext basicConstraints=CA:FALSE -addext subjectAltName=DNS:{name} -keyout {name}.key -out {name}.crt"));
    }

    fn openssl(&self, arguments: &str) {
        let output = Command::new("openssl")
            .args(arguments.split(' '))
            .current_dir(&self.0)
            .output()
            .expect("openssl");
        assert!(output.status.success(), "{arguments}: {output:?}");
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.0.join(name);
        std::fs::write(&path, text).expect("write");
        self.mode(name, 0o600);
    }

    fn mode(&self, name: &str, mode: u32) {
        let permissions = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(self.0.join(name), permissions).expect("chmod");
    }

    fn settings(&self, certificate: &str, key: &str) -> ClientTls {
        ClientTls {
            certificate: self.0.join(certificate),
            key: self.0.join(key),
            client_ca: Some(self.0.join("ca.crt")),
            required: false,
            min_version: TlsVersion::Tls12,
        }
    }

    fn acceptor(&self) -> Arc<Acceptor> {
        Acceptor::load(&self.settings("own.crt", "own.key")).expect("they fit")
    }

    fn refused(&self, certificate: &str, key: &str) -> String {
        match Acceptor::load(&self.settings(certificate, key)) {
            Ok(_) => panic!("{certificate} and {key} were taken"),
            Err(error) => error.to_string(),
        }
    }

    fn client(&self, certificate: Option<&str>, alpn: &[&[u8]]) -> TlsConnector {
        let roots = client_authorities(&self.0.join("ca.crt")).expect("a certificate");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots);
        let mut config = match certificate {
            Some(name) => {
                let chain = read_certificates(&self.0.join(format!("{name}.crt")));
                let key = read_key(&self.0.join(format!("{name}.key")));
                builder
                    .with_client_auth_cert(chain.expect("a chain"), key.expect("a key"))
                    .expect("they fit")
            }
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
        TlsConnector::from(Arc::new(config))
    }
}

/// Both ends of a new connection, encrypted: the client's and ours.
async fn connected(
    acceptor: &Acceptor,
    client: TlsConnector,
    asked: Asked,
) -> (io::Result<TlsStream<TcpStream>>, io::Result<Stream>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let address = listener.local_addr().expect("address");
    let far = async {
        let socket = TcpStream::connect(address).await?;
        let name = ServerName::try_from("own").expect("a name");
        client.connect(name, socket).await
    };
    let near = async {
        let mut stream = Stream::Tcp(listener.accept().await?.0);
        assert!(stream.can_encrypt());
        assert_eq!(stream.peek().await?, Some(0x16));
        let encrypted = stream.encrypt(acceptor, asked).await;
        assert!(!stream.can_encrypt());
        match encrypted {
            Ok(()) => Ok(stream),
            Err(error) => {
                // Nothing comes from it and nothing goes to it.
                assert_eq!(stream.read(&mut [0; 1]).await?, 0);
                assert!(stream.write(b"x").await.is_err() && stream.encryption().is_none());
                Err(error)
            }
        }
    };
    tokio::join!(far, near)
}

#[tokio::test]
async fn handshake_tells_who_is_there() {
    let files = Files::new("who");
    let acceptor = files.acceptor();
    let (_far, near) = connected(&acceptor, files.client(None, &[]), Asked::Negotiated).await;
    let near = near.expect("a handshake");
    let encryption = near.encryption().expect("it is encrypted");
    assert_eq!(encryption.version, "TLSv1.3");
    assert!(encryption.cipher.starts_with("TLS13_"), "{encryption:?}");
    assert_eq!(encryption.client_certificate, None);
    // What the client computes of the certificate it was shown.
    let own = read_certificates(&files.0.join("own.crt")).expect("a certificate");
    assert_eq!(
        encryption.end_point_binding.as_deref(),
        end_point_binding(&own[0]).as_deref()
    );
    assert!(encryption.end_point_binding.is_some());

    let client = files.client(Some("app"), &[b"postgresql"]);
    let (_far, near) = connected(&acceptor, client, Asked::Direct).await;
    let certificate = near
        .expect("a handshake")
        .encryption()
        .and_then(|encryption| encryption.client_certificate.clone());
    assert_eq!(
        certificate
            .and_then(|certificate| certificate.common_name)
            .as_deref(),
        Some("app")
    );
    let left = acceptor
        .not_after()
        .and_then(|end| end.duration_since(SystemTime::now()).ok())
        .expect("valid for 30 days, openssl's default");
    assert!(left < Duration::from_secs(31 * 24 * 3600), "{left:?}");
}

#[tokio::test]
async fn alpn_is_ours_or_the_connection_ends() {
    let files = Files::new("alpn");
    let acceptor = files.acceptor();
    for (offered, asked, good) in [
        (&[][..], Asked::Negotiated, true),
        (&[], Asked::Direct, false),
        (&[&b"postgresql"[..]], Asked::Direct, true),
        (&[b"h2", b"postgresql"], Asked::Negotiated, true),
        (&[b"h2"], Asked::Negotiated, false),
        (&[b"h2"], Asked::Direct, false),
    ] {
        let (far, near) = connected(&acceptor, files.client(None, offered), asked).await;
        assert_eq!(near.is_ok(), good, "{offered:?} {asked:?}");
        match far {
            Ok(mut far) if !good => assert_eq!(far.read(&mut [0; 1]).await.ok(), Some(0)),
            far => assert_eq!(far.is_ok(), good, "{offered:?} {asked:?}: {far:?}"),
        }
    }
}

#[tokio::test]
async fn certificates_of_others_are_refused_with_an_alert() {
    let (files, others) = (Files::new("ours"), Files::new("theirs"));
    // It trusts our authority, and shows a certificate of another.
    std::fs::copy(files.0.join("ca.crt"), others.0.join("ca.crt")).expect("copy");
    let acceptor = files.acceptor();
    let client = others.client(Some("app"), &[]);
    let (far, near) = connected(&acceptor, client, Asked::Negotiated).await;
    let error = near.err().expect("refused").to_string();
    assert!(error.contains("TLS handshake failed"), "{error}");
    // In TLS 1.3 the client's side is through before ours has looked.
    let told = match far {
        Ok(mut far) => far.read(&mut [0; 1]).await.expect_err("an alert"),
        Err(error) => error,
    };
    assert!(told.to_string().contains("alert"), "{told}");
}

#[tokio::test]
async fn all_that_is_written_leaves_and_all_ends_are_seen() {
    const BYTES: usize = 3_000_000;
    let files = Files::new("bytes");
    let acceptor = files.acceptor();
    let client = files.client(None, &[]);
    let (far, near) = connected(&acceptor, client.clone(), Asked::Negotiated).await;
    let (mut far, mut io) = (
        far.expect("connects"),
        Buffered::new(near.expect("connects")),
    );
    let read_all = async {
        let mut received = vec![0; BYTES];
        far.read_exact(&mut received).await.expect("all of it");
        assert!(received.iter().all(|byte| *byte == 7));
    };
    let write_all = async {
        // Larger than the socket and than what TLS holds back, and then nothing more is written.
        io.output.resize(BYTES, 7);
        std::future::poll_fn(|cx| poll_write(&mut io.stream, &mut io.output, cx))
            .await
            .expect("written");
        assert!(!io.stream.holds_back());
    };
    let both = async { tokio::join!(read_all, write_all) };
    let limit = Duration::from_secs(60);
    tokio::time::timeout(limit, both)
        .await
        .expect("nothing is stuck");
    assert!(io.stream.idle_check());
    // A client that says goodbye, and one that is cut off.
    far.shutdown().await.expect("close_notify");
    assert_eq!(io.fill().await.ok(), Some(0));
    assert!(!io.stream.idle_check());
    let (far, near) = connected(&acceptor, client, Asked::Negotiated).await;
    let mut io = Buffered::new(near.expect("connects"));
    drop(far.expect("connects").into_inner().0);
    let error = io.fill().await.expect_err("cut off");
    assert!(
        matches!(
            error.kind(),
            io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset
        ),
        "{error}"
    );
}

/// From one runtime to another, in the middle of a conversation.
#[tokio::test]
async fn an_encrypted_connection_comes_home() {
    let files = Files::new("home");
    let (acceptor, client) = (files.acceptor(), files.client(None, &[]));
    let (far, near) = connected(&acceptor, client, Asked::Negotiated).await;
    let (mut far, mut io) = (
        far.expect("connects"),
        Buffered::new(near.expect("connects")),
    );
    far.write_all(b"before").await.expect("write");
    far.flush().await.expect("flush");
    while io.input.len() < 6 {
        io.fill().await.expect("read");
    }
    let workers = Workers::start(1).expect("a thread");
    let seat = workers.seat(Home::of_worker(0));
    let moved = seat.runtime().spawn(async move {
        io.come_home();
        while io.input.len() < 11 {
            io.fill().await.expect("read");
        }
        io.output.extend_from_slice(&io.input);
        io.flush().await.expect("write");
        io
    });
    far.write_all(b"after").await.expect("write");
    far.flush().await.expect("flush");
    let mut answer = [0; 11];
    far.read_exact(&mut answer).await.expect("read");
    assert_eq!(&answer, b"beforeafter");
    let io = moved.await.expect("no panic");
    assert!(!io.stream.holds_back());
}

#[tokio::test]
async fn bytes_written_directly_are_flushed_later() {
    let files = Files::new("direct");
    let acceptor = files.acceptor();
    let client = files.client(None, &[]);
    let (far, near) = connected(&acceptor, client, Asked::Negotiated).await;
    let (mut far, mut io) = (
        far.expect("connects"),
        Buffered::new(near.expect("connects")),
    );
    // Written without a flush until TLS holds something back: the socket is full.
    let chunk = vec![7; 64 * 1024];
    let mut written = 0;
    while !io.stream.holds_back() {
        written += io.stream.write(&chunk).await.expect("write");
    }
    let read_all = async {
        let mut received = vec![0; written];
        far.read_exact(&mut received).await.expect("all of it");
    };
    assert!(io.output.is_empty());
    let both = async { tokio::join!(read_all, async { io.flush().await.expect("flush") }) };
    let limit = Duration::from_secs(60);
    tokio::time::timeout(limit, both)
        .await
        .expect("nothing is stuck");
    assert!(!io.stream.holds_back());
}

#[test]
fn every_form_of_key_is_read() {
    let files = Files::new("forms");
    files.certificate("rsa", "/CN=rsa", "-newkey rsa:2048 -nodes");
    files.openssl("rsa -traditional -in rsa.key -out rsa1.key");
    files.openssl("ec -in own.key -out sec1.key");
    files.openssl("ecparam -name prime256v1 -genkey -out params.key");
    files.openssl("req -config cnf -x509 -CA ca.crt -CAkey ca.key -key params.key -subj /CN=params -addext basicConstraints=CA:FALSE -out params.crt");
    files.certificate("ed", "/CN=ed", "-newkey ed25519 -nodes");
    for (certificate, key) in [
        ("rsa.crt", "rsa.key"),
        ("rsa.crt", "rsa1.key"),
        ("own.crt", "own.key"),
        ("own.crt", "sec1.key"),
        ("params.crt", "params.key"),
        ("ed.crt", "ed.key"),
    ] {
        let loaded = Acceptor::load(&files.settings(certificate, key));
        assert!(loaded.is_ok(), "{key}: {:?}", loaded.err());
    }
}

#[test]
fn files_that_cannot_be_used_are_named_with_the_reason() {
    let files = Files::new("refused");
    let key = std::fs::read_to_string(files.0.join("own.key")).expect("the key");
    let secret: String = key.lines().skip(1).take(1).collect();
    files.write("empty", "");
    files.write("one-line", &key.replace('\n', ""));
    files.write("cut", &key[..key.len() - 20]);
    files.write(
        "garbled",
        &key.replace(&secret[10..], &"A".repeat(secret.len() - 10)),
    );
    files.write("bad64", &key.replace(&secret, &format!("{secret}*")));
    files.openssl("pkcs8 -topk8 -in own.key -passout pass:x -out encrypted.key");
    files.openssl("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-521 -out p521.key");
    files.mode("p521.key", 0o600);
    files.write("open.key", &key);
    files.mode("open.key", 0o644);
    for (certificate, key, expected) in [
        ("nowhere", "own.key", "cannot read certificates from"),
        ("empty", "own.key", "holds no certificate"),
        ("own.key", "own.key", "holds no certificate"),
        ("own.crt", "nowhere", "cannot read the private key"),
        ("own.crt", "empty", "holds no private key in PEM form"),
        ("own.crt", "own.crt", "holds no private key in PEM form"),
        ("own.crt", "encrypted.key", "passphrase"),
        ("own.crt", "one-line", "PEM"),
        ("own.crt", "cut", "not a well-formed PEM file"),
        ("own.crt", "bad64", "not a well-formed PEM file"),
        ("own.crt", "garbled", "cannot be used"),
        ("own.crt", "p521.key", "cannot be used"),
        ("own.crt", "app.key", "is not that of the first certificate"),
        ("own.crt", "open.key", "is open to others"),
        ("own.crt", "", "is not a regular file"),
    ] {
        // Certificates may be open, and `own.crt` is not what is wrong with them.
        files.mode("own.crt", 0o600);
        let told = files.refused(certificate, key);
        assert!(told.contains(expected), "{certificate} {key}: {told}");
        let named = if expected.contains("certificate") {
            certificate
        } else {
            key
        };
        assert!(
            told.contains(&files.0.join(named).display().to_string()),
            "{told}"
        );
        for part in [&secret[..16], &secret[secret.len() - 16..]] {
            assert!(!told.contains(part), "{told}");
            // Nor as the numbers of its bytes.
            let numbers = format!("{:?}", part.as_bytes());
            assert!(!told.contains(numbers.trim_matches(['[', ']'])), "{told}");
        }
    }
    // What openssl makes where it is told of no extension.
    files.openssl(
        "req -config cnf -x509 -CA ca.crt -CAkey ca.key -key own.key -subj /CN=own -out old.crt",
    );
    let told = files.refused("old.crt", "own.key");
    assert!(told.contains("X.509 version 3"), "{told}");
    let mut settings = files.settings("own.crt", "own.key");
    settings.client_ca = Some(files.0.join("empty"));
    let told = Acceptor::load(&settings)
        .err()
        .expect("refused")
        .to_string();
    assert!(told.contains("empty holds no certificate"), "{told}");
}

#[test]
fn keys_are_as_private_as_postgresql_wants_them() {
    let own = Some(1000);
    for mode in [0o600, 0o400, 0o100_600, 0o700] {
        assert_eq!(exposed(1000, mode, own), None, "{mode:o}");
        assert_eq!(exposed(0, mode, own), None, "{mode:o}");
    }
    assert_eq!(exposed(0, 0o640, own), None);
    assert_eq!(exposed(0, 0o640, Some(0)), None);
    for mode in [0o640, 0o620, 0o610, 0o604, 0o644] {
        assert!(exposed(1000, mode, own).is_some(), "{mode:o}");
    }
    for mode in [0o660, 0o650, 0o644, 0o601] {
        assert!(exposed(0, mode, own).is_some(), "{mode:o}");
    }
    assert!(exposed(1001, 0o600, own).is_some());
    assert!(exposed(1000, 0o600, None).is_some());
}
