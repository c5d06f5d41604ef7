use super::*;

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
    Secret::derive("pencil", STANDARD.decode(SALT).expect("base64"), 4096)
}

fn challenged() -> ScramServer {
    let mut server = ScramServer::new(Arc::new(secret()));
    let answer = server.first_with_nonce(CLIENT_FIRST.as_bytes(), SERVER_NONCE);
    assert_eq!(answer.as_deref(), Ok(SERVER_FIRST.as_bytes()));
    server
}

#[test]
fn rfc_7677_example() {
    let mut server = challenged();
    assert_eq!(
        server.finish(CLIENT_FINAL.as_bytes()).as_deref(),
        Ok(SERVER_FINAL.as_bytes())
    );
    assert!(
        server.finish(CLIENT_FINAL.as_bytes()).is_err(),
        "a proof is good once"
    );
}

#[test]
fn agrees_with_the_client_of_postgres_protocol() {
    use postgres_protocol::authentication::sasl::{ChannelBinding, ScramSha256};

    for (password, typed, succeeds) in [
        ("pencil", "pencil", true),
        ("pencil", "Pencil", false),
        ("", "", true),
        ("\u{2168}", "IX", true),
        ("a\u{7}", "a\u{7}", true),
    ] {
        for binding in [ChannelBinding::unsupported(), ChannelBinding::unrequested()] {
            let mut client = ScramSha256::new(typed.as_bytes(), binding);
            let mut server = ScramServer::new(Arc::new(Secret::from_password(password)));
            let challenge = server.first(client.message()).expect("well-formed");
            client.update(&challenge).expect("well-formed");
            match server.finish(client.message()) {
                Ok(answer) => {
                    client
                        .finish(&answer)
                        .expect("the server knows the password too");
                    assert!(succeeds, "{password} {typed}");
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
    let mut server = ScramServer::new(Arc::new(Secret {
        doomed: true,
        ..secret()
    }));
    server
        .first_with_nonce(CLIENT_FIRST.as_bytes(), SERVER_NONCE)
        .expect("looks like any other");
    assert_eq!(
        server.finish(CLIENT_FINAL.as_bytes()),
        Err(ScramError::WrongProof)
    );
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
        let mut server = ScramServer::new(Arc::new(secret()));
        assert!(server.first(message.as_bytes()).is_err(), "{message}");
        assert!(
            server.first(CLIENT_FIRST.as_bytes()).is_err(),
            "no second try after {message}"
        );
    }
    let long = format!("n,,n=,r={}", "a".repeat(600));
    for message in [long.as_bytes(), &[b'n', b',', b',', 0xff], &[0; 4096]] {
        assert!(ScramServer::new(Arc::new(secret())).first(message).is_err());
    }
    assert!(
        ScramServer::new(Arc::new(secret()))
            .first(b"y,,n=,r=abc,x=")
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
                challenged().finish(message.as_bytes()),
                Err(ScramError::Malformed(_))
            ),
            "{message}"
        );
    }
    // An extension belongs to what the proof signs, so this one is well-formed and wrong.
    let extended = format!("c=biws,r={nonce},x=1,p={proof}");
    assert_eq!(
        challenged().finish(extended.as_bytes()),
        Err(ScramError::WrongProof)
    );
    assert!(
        ScramServer::new(Arc::new(secret()))
            .finish(CLIENT_FINAL.as_bytes())
            .is_err(),
        "before the first"
    );
}

#[test]
fn no_changed_byte_gets_in() {
    let secret = Arc::new(secret());
    let attempt = |first: &[u8], last: &[u8]| {
        let mut server = ScramServer::new(Arc::clone(&secret));
        server.first_with_nonce(first, SERVER_NONCE)?;
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
