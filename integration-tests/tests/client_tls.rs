//! TLS toward clients: negotiated and direct, required, with certificates of clients, reloaded; and what
//! somebody in between, or a client that plays, may send instead.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

use std::fs;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use integration_tests::proxy::binary;
use integration_tests::wire::{Parameters, Reply, Script, Wire};
use integration_tests::{Cluster, Proxy, ProxyOptions, Setup};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{
    ClientConfig, ClientConnection, HandshakeKind, RootCertStore, StreamOwned,
    SupportedProtocolVersion,
};

const PATIENCE: Duration = Duration::from_secs(20);
const SSL_REQUEST: &[u8] = &[0, 0, 0, 8, 4, 210, 22, 47];
const GSSENC_REQUEST: &[u8] = &[0, 0, 0, 8, 4, 210, 22, 48];
const STARTUP: &[u8] = b"\0\0\0\x1f\0\x03\0\0user\0app\0database\0app\0\0";

fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| {
        let cluster = Cluster::start(&Setup {
            shards: 1,
            sample: None,
            default_shard: "create table sink (line text)",
            ..Setup::default()
        });
        let config = "[req]\ndistinguished_name=dn\nprompt=no\n[dn]\nCN=unused\n";
        fs::write(cluster.scratch.path().join("cnf"), config).unwrap();
        for authority in ["servers", "clients", "strangers"] {
            make(authority, None, &cluster);
        }
        let leaf = "basicConstraints=CA:FALSE";
        for (name, by, days, extensions) in [
            ("expired", "clients", "-1", leaf),
            ("person", "clients", "30", "extendedKeyUsage=clientAuth"),
            ("machine", "clients", "30", "extendedKeyUsage=serverAuth"),
            (
                "between",
                "clients",
                "30",
                "basicConstraints=critical,CA:TRUE",
            ),
            ("alone", "between", "30", leaf),
        ] {
            issue(name, by, days, extensions, &cluster);
        }
        // With the one that issued it behind it.
        let path = |name: &str| cluster.scratch.path().join(name);
        let text = |name: &str| fs::read_to_string(path(name)).unwrap();
        let chain = text("alone.crt") + &text("between.crt");
        fs::write(path("chained.crt"), chain).unwrap();
        fs::copy(path("alone.key"), path("chained.key")).unwrap();
        for (name, authority) in [
            ("own", "servers"),
            ("renewed", "servers"),
            ("app", "clients"),
            ("stranger", "strangers"),
        ] {
            make(name, Some(authority), &cluster);
        }
        cluster
    })
}

/// A key and a certificate that an authority has signed, or an authority.
fn make(name: &str, authority: Option<&str>, cluster: &Cluster) {
    let signed = match authority {
        Some(by) => format!(
            "-CA {by}.crt -CAkey {by}.key -addext basicConstraints=CA:FALSE -addext subjectAltName=IP:127.0.0.1,DNS:localhost"
        ),
        None => "-addext basicConstraints=critical,CA:TRUE".to_owned(),
    };
    let arguments = format!(
        "req -config cnf -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN={name} -keyout {name}.key -out {name}.crt {signed}"
    );
    openssl(&arguments, cluster);
}

/// A key and a certificate, by way of a request: so it may have ended already.
fn issue(name: &str, by: &str, days: &str, extensions: &str, cluster: &Cluster) {
    let directory = cluster.scratch.path();
    fs::write(directory.join(format!("{name}.ext")), extensions).unwrap();
    openssl(
        &format!(
            "req -config cnf -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN={name} -keyout {name}.key -out {name}.csr"
        ),
        cluster,
    );
    openssl(
        &format!(
            "x509 -req -in {name}.csr -CA {by}.crt -CAkey {by}.key -CAcreateserial -days {days} -extfile {name}.ext -out {name}.crt"
        ),
        cluster,
    );
}

fn openssl(arguments: &str, cluster: &Cluster) {
    let output = Command::new("openssl")
        .args(arguments.split(' '))
        .current_dir(cluster.scratch.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}

fn file(name: &str) -> PathBuf {
    cluster().scratch.path().join(name)
}

/// The keys of `tls` for the certificate `own`, and more of them.
fn tls(more: &str) -> String {
    let (certificate, key) = (file("own.crt"), file("own.key"));
    format!(
        "tls: {{ certificate: {}, key: {}{more} }}\n",
        certificate.display(),
        key.display()
    )
}

fn proxy(top: &str) -> Proxy {
    Proxy::start(
        cluster(),
        &ProxyOptions {
            top: top.to_owned(),
            ..ProxyOptions::default()
        },
    )
}

fn with_client_ca(more: &str) -> String {
    tls(&format!(
        ", client_ca: {}{more}",
        file("clients.crt").display()
    ))
}

/// Runs psql; `parameters` are libpq's.
fn psql(port: u16, parameters: &str, sql: &str) -> Result<String, String> {
    let conninfo = format!("host=127.0.0.1 port={port} user=app password=app {parameters}");
    let output = Command::new("psql")
        .args(["-X", "-A", "-t", "-c", sql, "-d", &conninfo])
        .env("PGCONNECT_TIMEOUT", "20")
        .env("HOME", "/nonexistent")
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    match output.status.success() {
        true => Ok(text(&output.stdout)),
        false => Err(text(&output.stderr)),
    }
}

/// The version of TLS of a connection made with these parameters, as the console sees it.
fn version(port: u16, parameters: &str) -> Result<String, String> {
    let sessions = psql(
        port,
        &format!("{parameters} dbname=trunkline application_name=asks"),
        "SHOW SESSIONS",
    )?;
    let row = sessions
        .lines()
        .find(|line| line.contains("|asks|"))
        .unwrap();
    Ok(row.split('|').nth(4).unwrap().to_owned())
}

fn root(name: &str) -> String {
    format!("sslrootcert={}", file(name).display())
}

/// What a client of ours goes by: it trusts the servers' authority.
fn client(certificate: Option<&str>, alpn: &[&str]) -> Arc<ClientConfig> {
    client_of(rustls::ALL_VERSIONS, certificate, alpn)
}

fn client_of(
    versions: &[&'static SupportedProtocolVersion],
    certificate: Option<&str>,
    alpn: &[&str],
) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates("servers.crt") {
        roots.add(certificate).unwrap();
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots);
    let mut config = match certificate {
        Some(name) => {
            let key = PrivateKeyDer::from_pem_file(file(&format!("{name}.key"))).unwrap();
            builder
                .with_client_auth_cert(certificates(&format!("{name}.crt")), key)
                .unwrap()
        }
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    Arc::new(config)
}

fn certificates(name: &str) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_file_iter(file(name))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap()
}

type Tls = StreamOwned<ClientConnection, TcpStream>;

fn connect(port: u16) -> TcpStream {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Sends an SSLRequest; the answer is one byte.
fn asked(stream: &mut (impl Read + Write), request: &[u8]) -> u8 {
    stream.write_all(request).unwrap();
    let mut answer = [0];
    stream.read_exact(&mut answer).unwrap();
    answer[0]
}

fn handshake(mut stream: TcpStream, config: Arc<ClientConfig>) -> io::Result<Tls> {
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let mut session = ClientConnection::new(config, name).unwrap();
    while session.is_handshaking() {
        session.complete_io(&mut stream)?;
    }
    Ok(StreamOwned::new(session, stream))
}

fn negotiated(port: u16, config: Arc<ClientConfig>) -> io::Result<Tls> {
    let mut stream = connect(port);
    assert_eq!(asked(&mut stream, SSL_REQUEST), b'S');
    handshake(stream, config)
}

/// Sends bytes and reads until the proxy closes the connection.
fn last_words(stream: &mut (impl Read + Write), bytes: &[u8]) -> Vec<u8> {
    // What cannot be sent any more has had its answer.
    let _ = stream.write_all(bytes);
    let mut told = Vec::new();
    match stream.read_to_end(&mut told) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            panic!("neither an end nor an answer after {told:?}")
        }
        Err(_) => {}
    }
    told
}

fn assert_error(told: &[u8], code: &str, message: &str) {
    let text = String::from_utf8_lossy(told);
    assert_eq!(told.first(), Some(&b'E'), "{text}");
    assert!(text.contains("SFATAL\0"), "{text}");
    assert!(text.contains(&format!("C{code}\0")), "{text}");
    assert!(text.contains(message), "{text}");
}

/// Sends the startup packet and sees that a login begins.
fn assert_login_begins(stream: &mut (impl Read + Write)) {
    assert_eq!(asked(stream, STARTUP), b'R');
}

/// A way into the proxy for clients that know no TLS: what they send goes on in TLS.
struct Tunnel {
    port: u16,
    _runtime: tokio::runtime::Runtime,
}

impl Tunnel {
    fn new(to: u16, config: Arc<ClientConfig>) -> Self {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        use tokio::net::{TcpListener, TcpStream};

        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let port = listener.local_addr().unwrap().port();
        runtime.spawn(async move {
            loop {
                let (mut near, _) = listener.accept().await.unwrap();
                let config = Arc::clone(&config);
                tokio::spawn(async move {
                    let mut far = TcpStream::connect((Ipv4Addr::LOCALHOST, to)).await?;
                    far.write_all(SSL_REQUEST).await?;
                    assert_eq!(far.read_u8().await?, b'S');
                    let name = ServerName::try_from("127.0.0.1").unwrap();
                    let mut far = tokio_rustls::TlsConnector::from(config)
                        .connect(name, far)
                        .await?;
                    tokio::io::copy_bidirectional(&mut near, &mut far).await
                });
            }
        });
        Self {
            port,
            _runtime: runtime,
        }
    }
}

fn column(replies: &[Reply]) -> Vec<String> {
    let rows = replies.iter().filter(|reply| reply.tag == b'D');
    rows.map(|row| String::from_utf8_lossy(&row.body[6..]).into_owned())
        .collect()
}

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "{what}: not in time");
        thread::sleep(Duration::from_millis(10));
    }
}

fn assert_sane(proxy: &Proxy) {
    assert!(!proxy.log().contains("panicked"), "{}", proxy.log());
}

/// Two cores: what measures is measured alone.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

#[test]
fn every_sslmode() {
    let proxy = proxy(&tls(""));
    let version = |parameters: &str| version(proxy.port, parameters);
    assert_eq!(version("sslmode=disable").as_deref(), Ok(""));
    assert_eq!(version("sslmode=allow").as_deref(), Ok(""));
    for mode in ["prefer", "require"] {
        assert_eq!(
            version(&format!("sslmode={mode}")).as_deref(),
            Ok("TLSv1.3")
        );
    }
    for mode in ["require", "verify-ca", "verify-full"] {
        let right = format!("sslmode={mode} {}", root("servers.crt"));
        assert_eq!(version(&right).as_deref(), Ok("TLSv1.3"), "{mode}");
        let wrong = version(&format!("sslmode={mode} {}", root("clients.crt"))).unwrap_err();
        assert!(wrong.contains("certificate verify failed"), "{wrong}");
    }
    let elsewhere = format!(
        "sslmode=verify-full host=elsewhere hostaddr=127.0.0.1 {}",
        root("servers.crt")
    );
    let wrong = version(&elsewhere).unwrap_err();
    assert!(wrong.contains("elsewhere"), "{wrong}");
    let older = "sslmode=require ssl_max_protocol_version=TLSv1.2";
    assert_eq!(version(older).as_deref(), Ok("TLSv1.2"));
    // The statements' road, too.
    let sql = "select current_user";
    assert_eq!(
        psql(proxy.port, "sslmode=require dbname=app", sql).as_deref(),
        Ok("app")
    );
    let wrong = psql(proxy.port, "sslmode=require dbname=app password=wrong", sql).unwrap_err();
    assert!(wrong.contains("password authentication failed"), "{wrong}");
    let settings = psql(proxy.port, "dbname=trunkline", "SHOW CONFIG").unwrap();
    for row in [
        "tls.mode|prefer".to_owned(),
        format!("tls.certificate|{}", file("own.crt").display()),
        format!("tls.key|{}", file("own.key").display()),
        "tls.min_version|1.2".to_owned(),
    ] {
        assert!(
            settings.lines().any(|line| line == row),
            "{row} in {settings}"
        );
    }
    assert!(!settings.contains("PRIVATE KEY"), "{settings}");
    assert_sane(&proxy);
}

#[test]
fn old_versions_are_refused() {
    let proxy = proxy(&tls(""));
    let strict = self::proxy(&tls(", min_version: 1.3"));
    let newest = "sslmode=require";
    let older = "sslmode=require ssl_max_protocol_version=TLSv1.2";
    assert_eq!(version(strict.port, newest).as_deref(), Ok("TLSv1.3"));
    let told = version(strict.port, older).unwrap_err();
    assert!(told.contains("alert protocol version"), "{told}");
    // libpq is not allowed to try, by the machine's policy.
    let output = Command::new("openssl")
        .args(["s_client", "-starttls", "postgres", "-tls1_1"])
        .args(["-cipher", "DEFAULT@SECLEVEL=0", "-connect"])
        .arg(format!("127.0.0.1:{}", proxy.port))
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("SSL alert number"), "{told}");
    assert_sane(&proxy);
}

#[test]
fn without_tls_there_is_none() {
    let proxy = proxy("");
    assert_eq!(version(proxy.port, "sslmode=prefer").as_deref(), Ok(""));
    let told = version(proxy.port, "sslmode=require").unwrap_err();
    assert!(told.contains("does not support SSL"), "{told}");
    // A handshake is a bad startup packet then.
    let told = last_words(
        &mut connect(proxy.port),
        b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03",
    );
    assert_error(&told, "08P01", "invalid length of startup packet");
    assert_sane(&proxy);
}

#[test]
fn required_tls_is_required_of_tcp_alone() {
    let port = 7777;
    let socket = file(&format!(".s.PGSQL.{port}"));
    let proxy = Proxy::start(
        cluster(),
        &ProxyOptions {
            top: tls(", mode: require"),
            listen: Some(socket.display().to_string()),
            ..ProxyOptions::default()
        },
    );
    assert_eq!(
        version(proxy.port, "sslmode=prefer").as_deref(),
        Ok("TLSv1.3")
    );
    let told = last_words(&mut connect(proxy.port), STARTUP);
    assert_error(&told, "28000", "must be encrypted");
    assert!(String::from_utf8_lossy(&told).contains("\0HConnect with sslmode=require"));
    // A request that is not followed by TLS does not help.
    let mut stream = connect(proxy.port);
    assert_eq!(asked(&mut stream, GSSENC_REQUEST), b'N');
    assert_error(
        &last_words(&mut stream, STARTUP),
        "28000",
        "must be encrypted",
    );
    // A Unix socket has no TLS and needs none.
    let local = || {
        let stream = UnixStream::connect(&socket).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    };
    let mut stream = local();
    assert_eq!(asked(&mut stream, SSL_REQUEST), b'N');
    assert_login_begins(&mut stream);
    let told = last_words(&mut local(), b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03");
    assert_error(&told, "08P01", "invalid length of startup packet");
    let directory = socket.parent().unwrap().display();
    let parameters = format!("host={directory} port={port} dbname=app sslmode=prefer");
    assert_eq!(psql(port, &parameters, "select 1").as_deref(), Ok("1"));
    assert_sane(&proxy);
}

/// Statements so far, of whatever kind.
fn statements(proxy: &Proxy) -> f64 {
    let page = proxy.metrics();
    let lines = page
        .lines()
        .filter(|line| line.starts_with("trunkline_statements_total{"));
    lines
        .map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap())
        .sum()
}

#[test]
fn what_came_before_the_handshake_is_never_used() {
    let proxy = proxy(&tls(""));
    let sql = "select 1";
    assert_eq!(
        psql(proxy.port, "sslmode=require dbname=app", sql).as_deref(),
        Ok("1")
    );
    let before = statements(&proxy);
    assert!(before >= 1.0, "{before}");
    // Behind the request, in the same write: a whole login and a statement would fit there.
    for injected in [
        STARTUP,
        b"\0",
        b"Q\0\0\0\x0dselect 1\0",
        SSL_REQUEST,
        b"\x16\x03\x01",
    ] {
        for request in [SSL_REQUEST, GSSENC_REQUEST] {
            let mut stream = connect(proxy.port);
            let told = last_words(&mut stream, &[request, injected].concat());
            assert_error(&told, "08P01", "received unencrypted data after");
        }
    }
    // After the answer, where the handshake is due.
    for injected in [STARTUP, SSL_REQUEST, b"Q\0\0\0\x0dselect 1\0"] {
        let mut stream = connect(proxy.port);
        assert_eq!(asked(&mut stream, SSL_REQUEST), b'S');
        let told = last_words(&mut stream, injected);
        // An alert, or nothing at all: no message of ours in plaintext.
        assert!(told.is_empty() || told[0] == 0x15, "{told:?}");
        // The same with a good handshake behind it.
        let mut stream = connect(proxy.port);
        assert_eq!(asked(&mut stream, SSL_REQUEST), b'S');
        stream.write_all(injected).unwrap();
        assert!(handshake(stream, client(None, &[])).is_err());
    }
    // Nobody was let in, and no statement was seen.
    assert_eq!(statements(&proxy), before);
    let mut tls = negotiated(proxy.port, client(None, &[])).unwrap();
    assert_login_begins(&mut tls);
    assert_sane(&proxy);
}

#[test]
fn requests_come_once_and_not_within_tls() {
    let (proxy, plain) = (proxy(&tls("")), proxy(""));
    for request in [SSL_REQUEST, GSSENC_REQUEST] {
        let mut stream = connect(plain.port);
        assert_eq!(asked(&mut stream, request), b'N');
        let told = last_words(&mut stream, request);
        assert_error(&told, "08P01", "encryption request");
        // Within TLS, however it began.
        let mut tls = negotiated(proxy.port, client(None, &[])).unwrap();
        assert_error(
            &last_words(&mut tls, request),
            "08P01",
            "encryption request",
        );
        let direct = client(None, &["postgresql"]);
        let mut tls = handshake(connect(proxy.port), direct).unwrap();
        assert_error(
            &last_words(&mut tls, request),
            "08P01",
            "encryption request",
        );
    }
    // In either order, as libpq asks.
    for (first, second) in [(SSL_REQUEST, GSSENC_REQUEST), (GSSENC_REQUEST, SSL_REQUEST)] {
        let mut stream = connect(plain.port);
        assert_eq!(asked(&mut stream, first), b'N');
        assert_eq!(asked(&mut stream, second), b'N');
        assert_login_begins(&mut stream);
    }
    let mut stream = connect(proxy.port);
    assert_eq!(asked(&mut stream, GSSENC_REQUEST), b'N');
    assert_eq!(asked(&mut stream, SSL_REQUEST), b'S');
    assert_login_begins(&mut handshake(stream, client(None, &[])).unwrap());
    // Only the first byte of all may begin TLS directly.
    let mut stream = connect(proxy.port);
    assert_eq!(asked(&mut stream, GSSENC_REQUEST), b'N');
    assert!(handshake(stream, client(None, &["postgresql"])).is_err());
    // In pieces.
    let mut stream = connect(proxy.port);
    for piece in SSL_REQUEST[..7].chunks(1) {
        stream.write_all(piece).unwrap();
        stream.flush().unwrap();
    }
    assert_eq!(asked(&mut stream, &SSL_REQUEST[7..]), b'S');
    assert_sane(&proxy);
}

#[test]
fn direct_tls_needs_its_name() {
    let proxy = proxy(&tls(""));
    let direct = |alpn: &[&str]| handshake(connect(proxy.port), client(None, alpn));
    assert_login_begins(&mut direct(&["postgresql"]).unwrap());
    assert_login_begins(&mut direct(&["h2", "postgresql"]).unwrap());
    // Without the name: closed before a byte of the protocol.
    let mut nameless = direct(&[]).unwrap();
    assert!(last_words(&mut nameless, STARTUP).is_empty());
    let told = direct(&["h2"]).err().unwrap().to_string();
    assert!(told.contains("NoApplicationProtocol"), "{told}");
    // Negotiated TLS needs none; a wrong one fails there too.
    assert_login_begins(&mut negotiated(proxy.port, client(None, &["postgresql"])).unwrap());
    let told = negotiated(proxy.port, client(None, &["h2"]))
        .err()
        .unwrap()
        .to_string();
    assert!(told.contains("NoApplicationProtocol"), "{told}");
    assert_sane(&proxy);
}

#[test]
fn certificates_of_clients_are_verified_if_shown() {
    let proxy = proxy(&with_client_ca(""));
    let show = |name: &str| {
        format!(
            "sslmode=require sslcert={} sslkey={}",
            file(&format!("{name}.crt")).display(),
            file(&format!("{name}.key")).display()
        )
    };
    assert_eq!(version(proxy.port, &show("app")).as_deref(), Ok("TLSv1.3"));
    assert_eq!(
        version(proxy.port, "sslmode=require").as_deref(),
        Ok("TLSv1.3")
    );
    let older = "ssl_max_protocol_version=TLSv1.2";
    let shown = version(proxy.port, &format!("{} {older}", show("app")));
    assert_eq!(shown.as_deref(), Ok("TLSv1.2"));
    for parameters in [show("stranger"), format!("{} {older}", show("stranger"))] {
        let told = version(proxy.port, &parameters).unwrap_err();
        assert!(told.contains("alert"), "{told}");
    }
    for good in ["person", "chained"] {
        let shown = version(proxy.port, &show(good));
        assert_eq!(shown.as_deref(), Ok("TLSv1.3"), "{good}");
    }
    for (bad, alert) in [
        ("expired", "certificate expired"),
        ("machine", "alert"),
        ("alone", "unknown ca"),
    ] {
        for parameters in [show(bad), format!("{} {older}", show(bad))] {
            let told = version(proxy.port, &parameters).unwrap_err();
            assert!(told.contains(alert), "{bad}: {told}");
        }
    }
    // Without `client_ca` none is asked for, so a stranger's is not seen.
    let careless = self::proxy(&tls(""));
    assert_eq!(
        version(careless.port, &show("stranger")).as_deref(),
        Ok("TLSv1.3")
    );
    assert_sane(&proxy);
}

fn cancel(to: &mut impl Write, key: (i32, i32)) {
    let mut request = [0; 16];
    request[..8].copy_from_slice(&[0, 0, 0, 16, 4, 210, 22, 46]);
    request[8..12].copy_from_slice(&key.0.to_be_bytes());
    request[12..].copy_from_slice(&key.1.to_be_bytes());
    to.write_all(&request).unwrap();
    to.flush().unwrap();
}

#[test]
fn cancels_come_in_clear_and_in_tls() {
    let proxy = proxy(&tls(", mode: require"));
    let tunnel = Tunnel::new(proxy.port, client(None, &[]));
    let mut wire = Wire::connect(tunnel.port).unwrap();
    for encrypted in [false, true] {
        let started = Instant::now();
        let mut script = Script::new();
        wire.send_script(script.query("select pg_sleep(60)"))
            .unwrap();
        let key = wire.key;
        let answer = thread::scope(|scope| {
            let answer = scope.spawn(|| wire.replies().unwrap());
            // Until it runs a cancel stops nothing.
            eventually("it is canceled", || {
                if encrypted {
                    let mut tls = negotiated(proxy.port, client(None, &[])).unwrap();
                    cancel(&mut tls, key);
                    // A clean end, with close_notify.
                    assert_eq!(tls.read(&mut [0; 1]).ok(), Some(0));
                } else {
                    let mut stream = connect(proxy.port);
                    cancel(&mut stream, key);
                    let _ = stream.read(&mut [0; 1]);
                }
                answer.is_finished()
            });
            answer.join().unwrap()
        });
        assert!(started.elapsed() < Duration::from_secs(30));
        let error = answer.iter().find_map(|reply| reply.field(b'C'));
        assert_eq!(error.as_deref(), Some("57014"), "{answer:?}");
        // A cancel of the last round may still be on its way.
        eventually("goes on", || {
            column(&wire.simple("select 1").unwrap()) == ["1"]
        });
    }
    assert_sane(&proxy);
}

/// The certificate that a new client is shown.
fn shown(port: u16) -> Vec<u8> {
    let tls = negotiated(port, client(None, &[])).unwrap();
    tls.conn.peer_certificates().unwrap()[0].to_vec()
}

#[test]
fn reload_takes_new_certificates_for_new_clients() {
    let own = |name: &str, extension: &str| fs::read(file(&format!("{name}.{extension}"))).unwrap();
    let write = |extension: &str, bytes: &[u8]| {
        fs::write(file(&format!("live.{extension}")), bytes).unwrap();
        let mode = fs::Permissions::from_mode(0o600);
        fs::set_permissions(file(&format!("live.{extension}")), mode).unwrap();
    };
    write("crt", &own("own", "crt"));
    write("key", &own("own", "key"));
    let proxy = proxy(&tls("").replace("own.", "live."));
    let reload = || psql(proxy.port, "sslmode=prefer dbname=trunkline", "RELOAD");
    let der = |name: &str| certificates(&format!("{name}.crt"))[0].to_vec();
    let tunnel = Tunnel::new(proxy.port, client(None, &[]));
    let mut old = Wire::connect(tunnel.port).unwrap();
    let goes_on = |old: &mut Wire| assert_eq!(column(&old.simple("select 1").unwrap()), ["1"]);
    goes_on(&mut old);
    assert_eq!(shown(proxy.port), der("own"));

    // A file that was renewed is taken at the reload and not before; by signal, too.
    write("crt", &own("renewed", "crt"));
    write("key", &own("renewed", "key"));
    assert_eq!(shown(proxy.port), der("own"));
    proxy.signal("HUP");
    eventually("new clients see it", || shown(proxy.port) == der("renewed"));
    goes_on(&mut old);

    // Broken files are refused with path and reason, and the old ones stay.
    let key = String::from_utf8(own("own", "key")).unwrap();
    write("key", key.as_bytes());
    let told = reload().unwrap_err();
    assert!(
        told.contains("live.key is not that of the first certificate in"),
        "{told}"
    );
    write("key", b"-----BEGIN PRIVATE KEY-----garbage");
    let told = reload().unwrap_err();
    assert!(told.contains("live.key") && told.contains("PEM"), "{told}");
    assert!(!told.contains("garbage"), "{told}");
    write("key", &own("renewed", "key"));
    fs::set_permissions(file("live.key"), fs::Permissions::from_mode(0o644)).unwrap();
    let told = reload().unwrap_err();
    assert!(told.contains("live.key is open to others"), "{told}");
    write("crt", b"");
    write("key", &own("renewed", "key"));
    let told = reload().unwrap_err();
    assert!(told.contains("live.crt holds no certificate"), "{told}");
    assert_eq!(shown(proxy.port), der("renewed"));
    goes_on(&mut old);
    write("crt", &own("own", "crt"));
    write("key", &own("own", "key"));
    reload().unwrap();
    assert_eq!(shown(proxy.port), der("own"));

    // Required, off, and back, for those who come after.
    let before = fs::read_to_string(&proxy.config).unwrap();
    let mode = |mode: &str| {
        let live = "live.key";
        fs::write(
            &proxy.config,
            before.replace(live, &format!("{live}, mode: {mode}")),
        )
        .unwrap();
        reload().unwrap();
    };
    mode("require");
    assert_error(
        &last_words(&mut connect(proxy.port), STARTUP),
        "28000",
        "must be encrypted",
    );
    goes_on(&mut old);
    mode("off");
    assert_eq!(asked(&mut connect(proxy.port), SSL_REQUEST), b'N');
    goes_on(&mut old);
    mode("prefer");
    assert_eq!(shown(proxy.port), der("own"));
    goes_on(&mut old);
    let log = proxy.log();
    assert!(
        !key.lines()
            .skip(1)
            .any(|line| line.len() > 20 && log.contains(line))
    );
    assert_sane(&proxy);
}

#[test]
fn no_certificate_is_remembered_from_before_a_reload() {
    let proxy = proxy(&with_client_ca(""));
    let versions: [&[&'static SupportedProtocolVersion]; 2] =
        [&[&rustls::version::TLS12], &[&rustls::version::TLS13]];
    let show = |name: &'static str| versions.map(|these| client_of(these, Some(name), &[]));
    let (app, stranger) = (show("app"), show("stranger"));
    let mut before = Vec::new();
    for config in &app {
        // Clients of rustls resume what they can.
        assert_login_begins(&mut negotiated(proxy.port, config.clone()).unwrap());
        let again = negotiated(proxy.port, config.clone()).unwrap();
        assert_eq!(again.conn.handshake_kind(), Some(HandshakeKind::Full));
        before.push(again);
    }
    let refused = |config: &Arc<ClientConfig>| match negotiated(proxy.port, config.clone()) {
        // In TLS 1.3 a client hears of it when it reads.
        Ok(mut tls) => last_words(&mut tls, STARTUP).is_empty(),
        Err(_) => true,
    };
    assert!(stranger.iter().all(refused));
    let text = fs::read_to_string(&proxy.config).unwrap();
    fs::write(&proxy.config, text.replace("clients.crt", "strangers.crt")).unwrap();
    psql(proxy.port, "sslmode=prefer dbname=trunkline", "RELOAD").unwrap();
    assert!(app.iter().all(refused));
    for config in &stranger {
        assert_login_begins(&mut negotiated(proxy.port, config.clone()).unwrap());
    }
    // Whoever had shaken hands goes on as was agreed.
    before.iter_mut().for_each(assert_login_begins);
    assert_sane(&proxy);
}

#[test]
fn start_and_check_name_files_that_cannot_be_used() {
    let proxy = proxy(&tls(""));
    let good = fs::read_to_string(&proxy.config).unwrap();
    let path = proxy.config.with_file_name("broken.yaml");
    let run = |config: &str, command: &str| {
        fs::write(&path, config).unwrap();
        let output = Command::new(binary())
            .args([command, "-c"])
            .arg(&path)
            .output()
            .unwrap();
        let told = [output.stdout, output.stderr].concat();
        (
            output.status.code(),
            String::from_utf8_lossy(&told).into_owned(),
        )
    };
    // Elsewhere than the proxy that runs.
    let listen = format!("listen: [ 127.0.0.1:{} ]", proxy.port);
    let http = format!("http: 127.0.0.1:{}", proxy.http_port);
    assert!(good.contains(&listen) && good.contains(&http));
    let broken = good
        .replace("own.key", "renewed.key")
        .replace(
            &listen,
            &format!("listen: [ {} ]", file(".s.PGSQL.7779").display()),
        )
        .replace(&http, "http: null");
    let (status, told) = run(&broken, "serve");
    assert_eq!(status, Some(1), "{told}");
    assert!(
        told.contains("renewed.key is not that of the first certificate in"),
        "{told}"
    );
    let (status, told) = run(&broken, "check");
    assert_eq!(status, Some(1), "{told}");
    assert!(told.contains("error: TLS toward clients: "), "{told}");
    let (status, told) = run(&good.replace("own.key", "nowhere.key"), "serve");
    assert_eq!(status, Some(2), "{told}");
    assert!(told.contains("nowhere.key"), "{told}");
    // Valid for thirty days more: nothing to say.
    let (_, told) = run(&good, "check");
    assert!(!told.contains("certificate"), "{told}");
}

#[test]
fn slow_handshakes_end_at_the_login_timeout() {
    let proxy = proxy(&(tls("") + "limits: { login_timeout: 2s }\n"));
    let hello = {
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let mut session = ClientConnection::new(client(None, &["postgresql"]), name).unwrap();
        let mut hello = Vec::new();
        session.write_tls(&mut hello).unwrap();
        hello
    };
    // Bytes that trickle in extend nothing: in the request, in a handshake, in a direct one, after it.
    let trickle = |mut stream: TcpStream, bytes: &[u8]| {
        let started = Instant::now();
        for byte in bytes.iter().cycle() {
            if stream.write_all(&[*byte]).is_err() {
                break;
            }
            assert!(started.elapsed() < PATIENCE, "it may trickle for ever");
            thread::sleep(Duration::from_millis(100));
        }
        started.elapsed()
    };
    // The deadline is 2 s after the connection was accepted, which may be a moment before we look at the clock.
    let expected = Duration::from_millis(1_500)..Duration::from_secs(8);
    let mut stream = connect(proxy.port);
    assert_eq!(asked(&mut stream, SSL_REQUEST), b'S');
    let took = trickle(stream, &hello);
    assert!(expected.contains(&took), "{took:?}");
    let took = trickle(connect(proxy.port), &hello);
    assert!(expected.contains(&took), "{took:?}");
    let started = Instant::now();
    let mut tls = negotiated(proxy.port, client(None, &[])).unwrap();
    assert!(last_words(&mut tls, &STARTUP[..10]).is_empty());
    assert!(
        expected.contains(&started.elapsed()),
        "{:?}",
        started.elapsed()
    );
    // Silence, too.
    let started = Instant::now();
    assert!(last_words(&mut connect(proxy.port), b"").is_empty());
    assert!(
        expected.contains(&started.elapsed()),
        "{:?}",
        started.elapsed()
    );
    assert_sane(&proxy);
}

const MANY: usize = 100_000_000;

fn status_kib(proxy: &Proxy, name: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", proxy.pid())).unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .unwrap();
    line.trim_matches(|c: char| !c.is_ascii_digit())
        .parse()
        .unwrap()
}

/// Reads messages until one of this type, with pauses; gives the bytes of all DataRow and CopyData.
fn read_slowly(wire: &mut Wire, until: u8) -> usize {
    let (mut total, mut since) = (0, 0);
    loop {
        let reply = wire.reply().unwrap();
        assert_ne!(reply.tag, b'E', "{reply:?}");
        if matches!(reply.tag, b'D' | b'd') {
            total += reply.body.len();
            since += reply.body.len();
        }
        if reply.tag == until {
            return total;
        }
        if since > 20_000_000 {
            since = 0;
            thread::sleep(Duration::from_millis(300));
        }
    }
}

#[test]
fn large_results_and_copies_take_no_memory() {
    let _alone = alone();
    let proxy = proxy(&tls(", mode: require"));
    let tunnel = Tunnel::new(proxy.port, client(None, &[]));
    let mut wire = Wire::connect(tunnel.port).unwrap();
    wire.simple("select 1").unwrap();
    let before = status_kib(&proxy, "VmRSS:");
    let started = Instant::now();
    let mut script = Script::new();
    script.query("select repeat('x', 10000) from generate_series(1, 10000)");
    wire.send_script(&script).unwrap();
    assert!(read_slowly(&mut wire, b'Z') > MANY);
    // One row that is larger than every buffer.
    let mut script = Script::new();
    wire.send_script(script.query("select repeat('y', 20000000)"))
        .unwrap();
    assert!(read_slowly(&mut wire, b'Z') > 20_000_000);
    println!("out: {:?}", started.elapsed());
    let started = Instant::now();
    wire.simple("copy sink from stdin").unwrap();
    let line = [vec![b'z'; 9_999], vec![b'\n']].concat().repeat(100);
    for _ in 0..MANY / line.len() - 1 {
        let length = (line.len() as u32 + 4).to_be_bytes();
        wire.send(&[&b"d"[..], &length, &line].concat()).unwrap();
    }
    let replies = wire.copy_in(&line).unwrap();
    assert_eq!(
        replies.last().map(|reply| reply.tag),
        Some(b'Z'),
        "{replies:?}"
    );
    println!("copy in: {:?}", started.elapsed());
    let started = Instant::now();
    let mut script = Script::new();
    wire.send_script(script.query("copy sink to stdout"))
        .unwrap();
    assert!(read_slowly(&mut wire, b'Z') >= MANY);
    println!("copy out: {:?}", started.elapsed());
    let growth = status_kib(&proxy, "VmHWM:").saturating_sub(before);
    println!("grew by {growth} KiB from {before} KiB");
    assert!(growth < 20 * 1024, "grew by {growth} KiB");
    assert_sane(&proxy);
}

#[test]
fn pipelines_do_not_get_stuck() {
    let proxy = proxy(&tls(""));
    let tunnel = Tunnel::new(proxy.port, client(None, &[]));
    let mut wire = Wire::connect(tunnel.port).unwrap();
    // Answers larger than sockets and TLS hold, asked for before the first is read.
    let rounds = 40;
    let mut script = Script::new();
    for _ in 0..rounds {
        script
            .parse("", "select repeat('x', 300000)", &[])
            .bind("", "", &Parameters::NONE)
            .execute("", 0)
            .sync();
    }
    // With a Flush the answer comes though no Sync does.
    wire.send_script(&script).unwrap();
    for round in 0..rounds {
        assert_eq!(
            column(&wire.replies().unwrap())[0].len(),
            300_000,
            "{round}"
        );
    }
    let mut script = Script::new();
    script
        .parse("", "select 1", &[])
        .bind("", "", &Parameters::NONE)
        .execute("", 0)
        .flush();
    wire.send_script(&script).unwrap();
    let tags: Vec<u8> = (0..4).map(|_| wire.reply().unwrap().tag).collect();
    assert_eq!(tags, b"12DC");
    let mut script = Script::new();
    assert_eq!(wire.run(script.sync()).unwrap().len(), 1);
    // A client that is cut off without a word of TLS is gone like any other.
    let sessions = || {
        psql(proxy.port, "dbname=trunkline", "SHOW SESSIONS")
            .unwrap()
            .lines()
            .count()
    };
    eventually("two sessions", || sessions() == 2);
    drop(tunnel);
    eventually("one session", || sessions() == 1);
    assert_sane(&proxy);
}
