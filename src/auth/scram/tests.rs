//! The exchange agrees with RFC 7677 and with the client of another crate; nothing that was tampered with gets in.

use postgres_protocol::authentication::sasl::{ChannelBinding, ScramSha256};

use super::*;
use crate::auth::secret::Verifier;

/// RFC 7677, section 3.
const SALT: &str = "W22ZaJ0SNY7soEsUEjb6gQ==";
const CLIENT_FIRST: &str = "n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
const SERVER_NONCE: &str = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
const SERVER_FIRST: &str =
    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
const CLIENT_FINAL: &str = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                            p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
const SERVER_FINAL: &str = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";

fn secret() -> Secret {
    let salt = STANDARD.decode(SALT).expect("base64");
    Secret {
        scram: Verifier::derive("pencil", salt, 4096),
        ..Secret::from_password("user", "pencil")
    }
}

fn server(end_point: Option<&[u8]>) -> ScramServer {
    ScramServer::new(Arc::new(secret()), end_point.map(Arc::from))
}

/// As `Proven` without its keys.
fn answer(finished: Result<Proven, ScramError>) -> Result<Vec<u8>, ScramError> {
    finished.map(|proven| proven.answer)
}

/// A whole exchange, with `postgres_protocol` on the client's side.
pub(in crate::auth) fn log_in(secret: Arc<Secret>, password: &str) -> Result<Proven, ScramError> {
    let server = ScramServer::new(secret, None);
    exchange(
        server,
        Mechanism::Scram,
        password,
        ChannelBinding::unsupported(),
    )
}

/// The server's part of an exchange with a wrong proof.
pub(in crate::auth) fn wrong_attempt(secret: Arc<Secret>) -> Vec<u8> {
    let mut server = ScramServer::new(secret, None);
    let challenge =
        server.first_with_nonce(Mechanism::Scram, CLIENT_FIRST.as_bytes(), SERVER_NONCE);
    let last = CLIENT_FINAL.replace("p=dH", "p=aH");
    let finished = server.finish(last.as_bytes());
    assert_eq!(answer(finished), Err(ScramError::WrongProof));
    challenge.expect("well-formed")
}

fn exchange(
    mut server: ScramServer,
    mechanism: Mechanism,
    password: &str,
    binding: ChannelBinding,
) -> Result<Proven, ScramError> {
    let mut client = ScramSha256::new(password.as_bytes(), binding);
    let challenge = server.first(mechanism, client.message())?;
    client.update(&challenge).expect("well-formed");
    let proven = server.finish(client.message())?;
    client
        .finish(&proven.answer)
        .expect("the server knows the password too");
    Ok(proven)
}

fn challenged() -> ScramServer {
    let mut server = server(None);
    let answer = server.first_with_nonce(Mechanism::Scram, CLIENT_FIRST.as_bytes(), SERVER_NONCE);
    assert_eq!(answer.as_deref(), Ok(SERVER_FIRST.as_bytes()));
    server
}

#[test]
fn rfc_7677_example() {
    let mut server = challenged();
    assert_eq!(
        answer(server.finish(CLIENT_FINAL.as_bytes())).as_deref(),
        Ok(SERVER_FINAL.as_bytes())
    );
    assert!(
        server.finish(CLIENT_FINAL.as_bytes()).is_err(),
        "a proof is good once"
    );
}

#[test]
fn agrees_with_the_client_of_postgres_protocol() {
    for (password, typed, succeeds) in [
        ("pencil", "pencil", true),
        ("pencil", "Pencil", false),
        ("pencil", "", false),
        ("\u{2168}", "IX", true),
        ("a\u{7}", "a\u{7}", true),
    ] {
        for binding in [ChannelBinding::unsupported(), ChannelBinding::unrequested()] {
            let secret = Arc::new(Secret::from_password("user", password));
            let server = ScramServer::new(Arc::clone(&secret), None);
            let finished = exchange(server, Mechanism::Scram, typed, binding);
            match finished {
                Ok(proven) => {
                    assert!(succeeds, "{password} {typed}");
                    // What is left for servers is what the password would have given.
                    let keys = proven.keys;
                    let stored: [u8; 32] = Sha256::digest(keys.client_key).into();
                    assert_eq!(stored, secret.scram.stored_key);
                    assert_eq!(keys.server_key, secret.scram.server_key);
                    assert_eq!((&keys.salt, keys.iterations), (&secret.scram.salt, 4096));
                }
                Err(error) => assert!(
                    !succeeds && error == ScramError::WrongProof,
                    "{password} {typed}"
                ),
            }
        }
    }
}

#[test]
fn doomed_secret_never_matches() {
    let mut secret = secret();
    secret.scram.doomed = true;
    let mut server = ScramServer::new(Arc::new(secret), None);
    server
        .first_with_nonce(Mechanism::Scram, CLIENT_FIRST.as_bytes(), SERVER_NONCE)
        .expect("looks like any other");
    assert_eq!(
        answer(server.finish(CLIENT_FINAL.as_bytes())),
        Err(ScramError::WrongProof)
    );
}

const END_POINT: &[u8] = b"hash of the certificate";

#[test]
fn channel_binding_is_offered_over_tls_only() {
    assert_eq!(server(None).mechanisms(), [Mechanism::Scram]);
    assert_eq!(
        server(Some(END_POINT)).mechanisms(),
        [Mechanism::ScramPlus, Mechanism::Scram]
    );
}

#[test]
fn channel_binding() {
    let bound = |to: &[u8]| ChannelBinding::tls_server_end_point(to.to_vec());
    let try_over = |end_point, mechanism, password, binding| {
        exchange(server(end_point), mechanism, password, binding).map(|_| ())
    };
    let over_tls =
        |mechanism, password, binding| try_over(Some(END_POINT), mechanism, password, binding);
    let (plain, plus) = (Mechanism::Scram, Mechanism::ScramPlus);
    assert_eq!(over_tls(plus, "pencil", bound(END_POINT)), Ok(()));
    assert_eq!(
        over_tls(plus, "Pencil", bound(END_POINT)),
        Err(ScramError::WrongProof)
    );
    // Somebody between, with another certificate, who passes the exchange on.
    for other in [&b"another certificate"[..], b""] {
        assert_eq!(
            over_tls(plus, "pencil", bound(other)),
            Err(ScramError::Channel("SCRAM channel binding check failed"))
        );
    }
    // Somebody between who took the offer away.
    let stripped = over_tls(plain, "pencil", ChannelBinding::unrequested());
    assert!(
        matches!(stripped, Err(ScramError::Channel(_))),
        "{stripped:?}"
    );
    // A client that cannot bind may come, as in PostgreSQL.
    assert_eq!(
        over_tls(plain, "pencil", ChannelBinding::unsupported()),
        Ok(())
    );
    // Flags that do not fit the mechanism, and binding where there is nothing to bind to.
    for (end_point, mechanism, binding) in [
        (Some(END_POINT), plus, ChannelBinding::unsupported()),
        (Some(END_POINT), plus, ChannelBinding::unrequested()),
        (Some(END_POINT), plain, bound(END_POINT)),
        (None, plain, bound(END_POINT)),
        (None, plus, bound(END_POINT)),
        (None, plus, ChannelBinding::unsupported()),
    ] {
        let refused = try_over(end_point, mechanism, "pencil", binding);
        assert!(
            matches!(refused, Err(ScramError::Malformed(_))),
            "{refused:?}"
        );
    }
    for kind in ["tls-unique", "tls-exporter", "", "tls-server-end-point "] {
        let first = format!("p={kind},,n=,r=abc");
        let refused = server(Some(END_POINT)).first(plus, first.as_bytes());
        assert!(matches!(refused, Err(ScramError::Malformed(_))), "{kind}");
    }
}

#[test]
fn malformed_first_messages() {
    for message in [
        "",
        ",",
        ",,",
        "n",
        "n,",
        "n,,",
        "n,,n=",
        "n,,n=,",
        "n,,n=,r=",
        "n,,r=abc",
        "n,,r=abc,n=",
        "n,,n=,r=a\u{e9}",
        "n,,n=,r=a b",
        "n,,n=,r=abc,",
        "n,,n=,r=abc,xyz",
        "n,,n=,r=abc,=1",
        "x,,n=,r=abc",
        "nn,,n=,r=abc",
        "n,a=other,n=,r=abc",
        "p=tls-server-end-point,,n=,r=abc",
        "p=,,n=,r=abc",
        "n,,m=1,n=,r=abc",
    ] {
        let mut server = server(None);
        assert!(
            server.first(Mechanism::Scram, message.as_bytes()).is_err(),
            "{message}"
        );
        assert!(
            server
                .first(Mechanism::Scram, CLIENT_FIRST.as_bytes())
                .is_err(),
            "no second try after {message}"
        );
    }
    let long = format!("n,,n=,r={}", "a".repeat(600));
    for message in [long.as_bytes(), &[b'n', b',', b',', 0xff], &[0; 4096]] {
        assert!(server(None).first(Mechanism::Scram, message).is_err());
    }
    assert!(
        server(None)
            .first(Mechanism::Scram, b"y,,n=,r=abc,x=")
            .is_ok()
    );
}

#[test]
fn malformed_final_messages() {
    let nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
    let proof = "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
    for message in [
        String::new(),
        ",p=".to_owned(),
        format!("c=biws,r={nonce}"),
        format!("c=biws,r={nonce},p="),
        format!("c=biws,r={nonce},p=!!!!"),
        format!("c=biws,r={nonce},p=AAAA"),
        format!("c=biws,r={nonce},p={proof}{proof}"),
        format!("c=biws,r={nonce},p={proof},x=1"),
        format!("c=eSws,r={nonce},p={proof}"),
        format!("c=,r={nonce},p={proof}"),
        format!("c=!,r={nonce},p={proof}"),
        format!("r={nonce},p={proof}"),
        format!("r={nonce},c=biws,p={proof}"),
        format!("c=biws,p={proof}"),
        format!("c=biws,r=,p={proof}"),
        format!("c=biws,r=rOprNGfwEbeRWgbNEkqO,p={proof}"),
        format!("c=biws,r={nonce}x,p={proof}"),
        format!("c=biws,r={nonce},,p={proof}"),
    ] {
        assert!(
            matches!(
                answer(challenged().finish(message.as_bytes())),
                Err(ScramError::Malformed(_))
            ),
            "{message}"
        );
    }
    // An extension belongs to what the proof signs, so this one is well-formed and wrong.
    let extended = format!("c=biws,r={nonce},x=1,p={proof}");
    assert_eq!(
        answer(challenged().finish(extended.as_bytes())),
        Err(ScramError::WrongProof)
    );
    assert!(
        server(None).finish(CLIENT_FINAL.as_bytes()).is_err(),
        "before the first"
    );
}

#[test]
fn no_changed_byte_gets_in() {
    let secret = Arc::new(secret());
    let attempt = |first: &[u8], last: &[u8]| {
        let mut server = ScramServer::new(Arc::clone(&secret), None);
        server.first_with_nonce(Mechanism::Scram, first, SERVER_NONCE)?;
        server.finish(last)
    };
    assert!(attempt(CLIENT_FIRST.as_bytes(), CLIENT_FINAL.as_bytes()).is_ok());
    for flip in [0x01, 0x20, 0x80, 0xff] {
        for at in 0..CLIENT_FINAL.len() {
            let mut last = CLIENT_FINAL.as_bytes().to_vec();
            last[at] ^= flip;
            assert!(
                attempt(CLIENT_FIRST.as_bytes(), &last).is_err(),
                "byte {at}"
            );
            assert!(
                attempt(CLIENT_FIRST.as_bytes(), &last[..at]).is_err(),
                "cut at {at}"
            );
        }
        for at in 0..CLIENT_FIRST.len() {
            let mut first = CLIENT_FIRST.as_bytes().to_vec();
            first[at] ^= flip;
            assert!(
                attempt(&first, CLIENT_FINAL.as_bytes()).is_err(),
                "byte {at}"
            );
        }
    }
}
