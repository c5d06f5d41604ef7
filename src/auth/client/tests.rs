use super::*;
use crate::auth::{Mechanism, ScramServer, Secret};
use std::sync::Arc;

const IDENTITY: Identity<'_> = Identity {
    user: "app",
    password: Some("pencil"),
    channel_binding: None,
};
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
    let step = auth.step(&authentication(code, data), &mut output)?;
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
    let mut auth = ClientAuth::new(IDENTITY);
    assert_eq!(step(&mut auth, OK, &[]), Ok((Step::Done, Vec::new())));
    assert_eq!(
        step(&mut auth, OK, &[]),
        Err(ClientAuthError::OutOfOrder),
        "once is enough"
    );

    let mut auth = ClientAuth::new(IDENTITY);
    assert_eq!(
        step(&mut auth, CLEAR_TEXT, &[]),
        Ok((Step::Send, b"p\0\0\0\x0bpencil\0".to_vec()))
    );
    assert_eq!(
        step(&mut auth, CLEAR_TEXT, &[]),
        Err(ClientAuthError::OutOfOrder),
        "a password is given once"
    );

    let mut auth = ClientAuth::new(IDENTITY);
    let (sent, message) = step(&mut auth, MD5, &[1, 2, 3, 4]).expect("answers");
    assert_eq!((sent, message.len()), (Step::Send, 1 + 4 + 35 + 1));
    assert_eq!(step(&mut auth, OK, &[]), Ok((Step::Done, Vec::new())));
}

#[test]
fn no_password_is_an_error_of_its_own() {
    let identity = Identity {
        password: None,
        ..IDENTITY
    };
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
        ..IDENTITY
    };
    for (identity, offer, starts) in [
        (IDENTITY, SASL_BOTH, "SCRAM-SHA-256\0\0\0\0\x20n,,n=,r="),
        (IDENTITY, SASL_PLAIN, "SCRAM-SHA-256\0\0\0\0\x20n,,n=,r="),
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
        step(&mut ClientAuth::new(IDENTITY), SASL, only_plus),
        Err(ClientAuthError::Unsupported("SASL"))
    );
}

#[test]
fn the_server_must_prove_itself_before_ok() {
    let mut server = ScramServer::new(Arc::new(Secret::from_password("app", "pencil")), None);
    let mut impostor = ScramServer::new(Arc::new(Secret::from_password("app", "pencil")), None);
    let (mut auth, nonce) = started(IDENTITY);
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

    let (mut auth, nonce) = started(IDENTITY);
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
    let cases: [fn(&str) -> String; 14] = [
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
    ];
    for case in cases {
        let (mut auth, nonce) = started(IDENTITY);
        let challenge = case(&nonce);
        let outcome = step(&mut auth, SASL_CONTINUE, challenge.as_bytes());
        assert!(
            matches!(outcome, Err(ClientAuthError::Scram(_))),
            "{challenge}: {outcome:?}"
        );
    }
    let (mut auth, _) = started(IDENTITY);
    assert!(step(&mut auth, SASL_CONTINUE, &[0xff; 100]).is_err());
}
