//! Every method a server may ask of us, and servers that play: what is not proved is not believed, and a password is
//! shown to nobody who has no right to it.

use super::*;
use crate::auth::secret::Verifier;
use crate::auth::{Mechanism, ScramServer, Secret};
use std::sync::{Arc, LazyLock};

static PENCIL: LazyLock<Credential> = LazyLock::new(|| Credential::Password("pencil".to_owned()));

fn identity() -> Identity<'static> {
    identity_with(&PENCIL)
}

fn identity_with(credential: &Credential) -> Identity<'_> {
    Identity {
        user: "app",
        credential,
        derived: None,
        channel_binding: None,
    }
}

/// `pencil`, as a server and the proxy have it from one verifier.
fn keys() -> ScramKeys {
    ScramKeys::derive("pencil", b"0123456789abcdef".to_vec(), 4096)
}

fn server(password: &str) -> ScramServer {
    let salt = b"0123456789abcdef".to_vec();
    let secret = Secret {
        scram: Verifier::derive(password, salt, 4096),
        ..Secret::from_password("app", password)
    };
    ScramServer::new(Arc::new(secret), None)
}
const SASL_BOTH: &[u8] = b"\0\0\0\x0aSCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0";
const SASL_PLAIN: &[u8] = b"\0\0\0\x0aSCRAM-SHA-256\0\0";

fn authentication(code: i32, data: &[u8]) -> Vec<u8> {
    [&code.to_be_bytes()[..], data].concat()
}

fn step(
    auth: &mut ClientAuth<'_>,
    code: i32,
    data: &[u8],
) -> Result<(Step, Vec<u8>), ClientAuthError> {
    let mut output = BytesMut::new();
    let mut step = auth.step(&authentication(code, data), &mut output)?;
    if let Step::Derive(derivation) = step {
        auth.derived(&derivation.run(), &mut output)?;
        step = Step::Send;
    }
    Ok((step, output.to_vec()))
}

/// A client that has sent its first SASL message, and that message without its gs2 header.
fn started(identity: Identity<'_>) -> (ClientAuth<'_>, String) {
    let mut auth = ClientAuth::new(identity);
    let mut output = BytesMut::new();
    assert_eq!(auth.step(SASL_PLAIN, &mut output), Ok(Step::Send));
    let text = String::from_utf8(output.to_vec()).expect("printable");
    let (_, nonce) = text.rsplit_once(",r=").expect("a nonce");
    let nonce = nonce.to_owned();
    (auth, nonce)
}

#[test]
fn trust_clear_text_and_md5() {
    let mut auth = ClientAuth::new(identity());
    assert_eq!(step(&mut auth, OK, &[]), Ok((Step::Done, Vec::new())));
    assert_eq!(
        step(&mut auth, OK, &[]),
        Err(ClientAuthError::OutOfOrder),
        "once is enough"
    );

    let mut auth = ClientAuth::new(identity());
    assert_eq!(
        step(&mut auth, CLEAR_TEXT, &[]),
        Ok((Step::Send, b"p\0\0\0\x0bpencil\0".to_vec()))
    );
    assert_eq!(
        step(&mut auth, CLEAR_TEXT, &[]),
        Err(ClientAuthError::OutOfOrder),
        "a password is given once"
    );

    let mut auth = ClientAuth::new(identity());
    let (sent, message) = step(&mut auth, MD5, &[1, 2, 3, 4]).expect("answers");
    assert_eq!((sent, message.len()), (Step::Send, 1 + 4 + 35 + 1));
    assert_eq!(step(&mut auth, OK, &[]), Ok((Step::Done, Vec::new())));
}

#[test]
fn no_password_is_an_error_of_its_own() {
    let identity = identity_with(&Credential::None);
    for (code, data) in [
        (CLEAR_TEXT, &b""[..]),
        (MD5, &[1, 2, 3, 4]),
        (SASL, &SASL_PLAIN[4..]),
    ] {
        assert_eq!(
            step(&mut ClientAuth::new(identity), code, data),
            Err(ClientAuthError::NoPassword)
        );
    }
}

#[test]
fn channel_binding_is_used_where_it_can_be() {
    let bound = Identity {
        channel_binding: Some(b"hash"),
        ..identity()
    };
    for (identity, offer, starts) in [
        (identity(), SASL_BOTH, "SCRAM-SHA-256\0\0\0\0\x20n,,n=,r="),
        (identity(), SASL_PLAIN, "SCRAM-SHA-256\0\0\0\0\x20n,,n=,r="),
        (bound, SASL_PLAIN, "SCRAM-SHA-256\0\0\0\0\x20y,,n=,r="),
        (
            bound,
            SASL_BOTH,
            "SCRAM-SHA-256-PLUS\0\0\0\0\x35p=tls-server-end-point,,n=,r=",
        ),
    ] {
        let (_, message) =
            step(&mut ClientAuth::new(identity), SASL, &offer[4..]).expect("answers");
        let text = String::from_utf8_lossy(&message[5..]);
        assert!(text.starts_with(starts), "{text:?} {starts:?}");
    }
    let only_plus = b"SCRAM-SHA-256-PLUS\0\0";
    assert_eq!(
        step(&mut ClientAuth::new(identity()), SASL, only_plus),
        Err(ClientAuthError::Unsupported("SASL"))
    );
}

#[test]
fn the_server_must_prove_itself_before_ok() {
    let mut server = ScramServer::new(Arc::new(Secret::from_password("app", "pencil")), None);
    let mut impostor = ScramServer::new(Arc::new(Secret::from_password("app", "pencil")), None);
    let (mut auth, nonce) = started(identity());
    let challenge = server
        .first(Mechanism::Scram, format!("n,,n=,r={nonce}").as_bytes())
        .expect("well-formed");
    impostor
        .first(Mechanism::Scram, format!("n,,n=,r={nonce}").as_bytes())
        .expect("well-formed");
    assert_eq!(
        step(&mut auth, SASL_CONTINUE, &challenge).map(|(step, _)| step),
        Ok(Step::Send)
    );
    let signature = b"v=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    assert!(matches!(
        step(&mut auth, SASL_FINAL, signature),
        Err(ClientAuthError::Scram(_))
    ));
    assert_eq!(step(&mut auth, OK, &[]), Err(ClientAuthError::OutOfOrder));

    let (mut auth, nonce) = started(identity());
    let mut server = ScramServer::new(Arc::new(Secret::from_password("app", "pencil")), None);
    let challenge = server
        .first(Mechanism::Scram, format!("n,,n=,r={nonce}").as_bytes())
        .expect("well-formed");
    step(&mut auth, SASL_CONTINUE, &challenge).expect("answers");
    assert_eq!(
        step(&mut auth, OK, &[]),
        Err(ClientAuthError::OutOfOrder),
        "OK instead of the signature"
    );
}

#[test]
fn hostile_challenges() {
    let cases: [fn(&str) -> String; 20] = [
        |_| String::new(),
        |nonce| format!("r={nonce},s=AAAA,i=4096"),
        |nonce| format!("r={}x,s=AAAA,i=4096", &nonce[1..]),
        |_| "r=,s=AAAA,i=4096".to_owned(),
        |nonce| format!("r={nonce}x,s=,i=4096"),
        |nonce| format!("r={nonce}x,s=!!,i=4096"),
        |nonce| format!("r={nonce}x,s=AAAA,i=0"),
        |nonce| format!("r={nonce}x,s=AAAA,i=-1"),
        |nonce| format!("r={nonce}x,s=AAAA,i=100001"),
        |nonce| format!("r={nonce}x,s=AAAA,i=4294967295"),
        |nonce| format!("r={nonce}x,s=AAAA,i=99999999999999999999"),
        |nonce| format!("r={nonce}x,s=AAAA"),
        |nonce| format!("r={nonce}x,s=AAAA,i=4096,"),
        |nonce| format!("m=1,r={nonce}x,s=AAAA,i=4096"),
        |nonce| format!("r={nonce}x,s=AAAA,i=4096,m=1"),
        |nonce| format!("r={nonce}x,s=AAAA,i=+4096"),
        |nonce| format!("r={nonce}x,s=AAAA,i="),
        |nonce| format!("s=AAAA,r={nonce}x,i=4096"),
        |nonce| format!("r={nonce}x y,s=AAAA,i=4096"),
        |nonce| format!("r={nonce}\u{e9},s=AAAA,i=4096"),
    ];
    for case in cases {
        let (mut auth, nonce) = started(identity());
        let challenge = case(&nonce);
        let outcome = step(&mut auth, SASL_CONTINUE, challenge.as_bytes());
        assert!(
            matches!(outcome, Err(ClientAuthError::Scram(_))),
            "{challenge}: {outcome:?}"
        );
    }
    let (mut auth, _) = started(identity());
    assert!(step(&mut auth, SASL_CONTINUE, &[0xff; 100]).is_err());
}

/// Runs a whole exchange; gives the answer to the server's last message.
fn exchange(
    identity: Identity<'_>,
    mut server: ScramServer,
) -> Result<Result<Step, ClientAuthError>, &'static str> {
    let (mut auth, nonce) = started(identity);
    let challenge = server
        .first(Mechanism::Scram, format!("n,,n=,r={nonce}").as_bytes())
        .map_err(|_| "the first message")?;
    let (_, message) =
        step(&mut auth, SASL_CONTINUE, &challenge).map_err(|_| "the challenge was not taken")?;
    let proven = server.finish(&message[5..]).map_err(|_| "the proof")?;
    let last = step(&mut auth, SASL_FINAL, &proven.answer).map(|(step, _)| step);
    if last.is_ok() {
        assert_eq!(step(&mut auth, OK, &[]), Ok((Step::Done, Vec::new())));
    }
    Ok(last)
}

#[test]
fn keys_log_in_as_the_password_does() {
    let scram = Credential::Scram(Arc::new(keys()));
    for identity in [identity(), identity_with(&scram)] {
        assert_eq!(exchange(identity, server("pencil")), Ok(Ok(Step::Wait)));
        assert_eq!(exchange(identity, server("pen")), Err("the proof"));
    }
}

#[test]
fn keys_of_another_verifier_are_not_shown() {
    for (salt, iterations) in [(&b"another salt"[..], 4096), (b"0123456789abcdef", 4097)] {
        let other = ScramKeys::derive("pencil", salt.to_vec(), iterations);
        let scram = Credential::Scram(Arc::new(other));
        let (mut auth, nonce) = started(identity_with(&scram));
        let challenge = server("pencil")
            .first(Mechanism::Scram, format!("n,,n=,r={nonce}").as_bytes())
            .expect("well-formed");
        assert_eq!(
            step(&mut auth, SASL_CONTINUE, &challenge),
            Err(ClientAuthError::OtherVerifier)
        );
    }
    // A server that knows the salt, and not the keys, gets a proof it cannot use and must sign it.
    let scram = Credential::Scram(Arc::new(keys()));
    let (mut auth, nonce) = started(identity_with(&scram));
    let challenge = server("guess")
        .first(Mechanism::Scram, format!("n,,n=,r={nonce}").as_bytes())
        .expect("well-formed");
    step(&mut auth, SASL_CONTINUE, &challenge).expect("answers");
    let forged = b"v=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    assert!(step(&mut auth, SASL_FINAL, forged).is_err());
}

#[test]
fn keys_are_derived_once_for_a_salt() {
    let known = Arc::new(keys());
    for (derived, asked) in [(None, true), (Some(&known), false)] {
        let identity = Identity {
            derived,
            ..identity()
        };
        let (mut auth, nonce) = started(identity);
        let challenge = server("pencil")
            .first(Mechanism::Scram, format!("n,,n=,r={nonce}").as_bytes())
            .expect("well-formed");
        let mut output = BytesMut::new();
        let step = auth.step(&authentication(SASL_CONTINUE, &challenge), &mut output);
        assert_eq!(matches!(step, Ok(Step::Derive(_))), asked, "{step:?}");
        if asked {
            assert!(output.is_empty());
            let out_of_order = auth.step(&authentication(SASL_FINAL, b"v="), &mut output);
            assert_eq!(out_of_order, Err(ClientAuthError::OutOfOrder));
        }
    }
}

#[test]
fn a_credential_answers_what_it_can() {
    // As PostgreSQL stores the password `pencil` of the user `app`.
    let hash = md5_hash(b"app", b"pencil", [1, 2, 3, 4]);
    let stored = Credential::Md5(format!(
        "md5{}",
        Md5::digest("pencilapp")
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
    ));
    let (_, message) = step(
        &mut ClientAuth::new(identity_with(&stored)),
        MD5,
        &[1, 2, 3, 4],
    )
    .expect("answers");
    assert_eq!(&message[5..message.len() - 1], hash.as_bytes());

    let scram = Credential::Scram(Arc::new(keys()));
    for (credential, code, data, asked, held) in [
        (
            &scram,
            CLEAR_TEXT,
            &b""[..],
            "a password in clear text",
            "a SCRAM verifier",
        ),
        (
            &scram,
            MD5,
            &[1, 2, 3, 4],
            "an MD5 password",
            "a SCRAM verifier",
        ),
        (
            &stored,
            CLEAR_TEXT,
            b"",
            "a password in clear text",
            "an MD5 hash",
        ),
        (
            &stored,
            SASL,
            &SASL_PLAIN[4..],
            "SCRAM-SHA-256",
            "an MD5 hash",
        ),
    ] {
        assert_eq!(
            step(&mut ClientAuth::new(identity_with(credential)), code, data),
            Err(ClientAuthError::Insufficient { asked, held })
        );
    }
}
