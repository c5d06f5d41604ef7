//! What the fuzz targets under `fuzz/` run: one function for each, which panics where something that
//! must hold does not. Each takes whatever bytes there are.

mod planning;

pub use planning::{params, plan};

use std::path::Path;
use std::sync::{Arc, LazyLock};

use bytes::{Buf, BytesMut};

use crate::auth::{
    ClientAuth, Credential, Identity, Mechanism, ScramKeys, ScramServer, Secret, Secrets, Step,
};
use crate::config::Password;
use crate::{auth, backend, executor, frontend, net, sql, wire};

/// Bytes of the input taken one by one, zero where there are no more.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn byte(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or(0)
    }

    fn u32(&mut self) -> u32 {
        self.take(4)
            .iter()
            .fold(0, |value, byte| value << 8 | u32::from(*byte))
    }

    fn take(&mut self, count: usize) -> &'a [u8] {
        let (head, tail) = self.0.split_at(count.min(self.0.len()));
        self.0 = tail;
        head
    }

    /// A part whose length is the next byte.
    fn part(&mut self) -> &'a [u8] {
        let length = usize::from(self.byte());
        self.take(length)
    }
}

/// Messages that arrive in pieces are the messages that arrive as a whole.
pub fn frame(data: &[u8]) {
    let mut input = Input(data);
    let piece = usize::from(input.byte()).max(1);
    let whole = frames(&mut BytesMut::from(input.0));
    let mut pieces = Vec::new();
    let mut buffer = BytesMut::new();
    for chunk in input.0.chunks(piece) {
        buffer.extend_from_slice(chunk);
        pieces.extend(frames(&mut buffer));
        if pieces.last().is_some_and(Option::is_none) {
            break;
        }
    }
    assert_eq!(whole, pieces);
    backend::fuzz_frames(input.0, piece);
}

/// The messages at the start of the buffer, `None` for what is none.
fn frames(buffer: &mut BytesMut) -> Vec<Option<(u8, Vec<u8>)>> {
    let mut frames = Vec::new();
    loop {
        match wire::header(buffer) {
            Ok(Some(head)) if head.len <= buffer.len() => {
                assert!(head.len >= wire::HEADER_BYTES);
                let mut frame = buffer.split_to(head.len);
                frame.advance(wire::HEADER_BYTES);
                frames.push(Some((head.tag, frame.to_vec())));
            }
            Ok(_) => return frames,
            Err(_) => {
                frames.push(None);
                return frames;
            }
        }
    }
}

/// What comes before a login.
pub fn startup(data: &[u8]) {
    let read = wire::startup_packet(data);
    let Ok(Some((packet, length))) = &read else {
        return;
    };
    assert!((8..=data.len()).contains(length));
    for end in [0, 3, 4, 8, length / 2, length - 1] {
        let cut = wire::startup_packet(&data[..end.min(length - 1)]);
        assert_eq!(cut, Ok(None), "cut at {end}");
    }
    if let wire::StartupPacket::Startup(startup) = packet {
        assert!(!startup.user.is_empty() && !startup.database.is_empty());
        assert!(!startup.user.contains('\0') && !startup.database.contains('\0'));
        frontend::fuzz_startup(startup);
    }
}

/// What a client sends after its login: the first byte is the type.
pub fn request(data: &[u8]) {
    use wire::frontend as tags;
    let mut input = Input(data);
    let tag = input.byte();
    match tag {
        tags::BIND => bind(&mut input),
        tags::QUERY => {
            if let Ok(text) = wire::query(input.0) {
                assert_eq!(text.len() + 1, input.0.len());
            }
        }
        tags::PARSE => {
            let Ok((name, text, types)) = wire::parse(input.0) else {
                return;
            };
            let mut out = BytesMut::new();
            wire::put_parse(&mut out, name, text, types.iter().copied()).expect("short");
            assert_eq!(&out[wire::HEADER_BYTES..], input.0);
        }
        tags::DESCRIBE | tags::CLOSE => {
            let Ok(target) = wire::describe(input.0) else {
                return;
            };
            let mut out = BytesMut::new();
            wire::put_close(&mut out, tag, target).expect("short");
            assert_eq!(&out[wire::HEADER_BYTES..], input.0);
        }
        tags::EXECUTE => {
            let Ok((portal, rows)) = wire::execute(input.0) else {
                return;
            };
            let mut out = BytesMut::new();
            wire::put_execute(&mut out, portal, rows).expect("short");
            assert_eq!(&out[wire::HEADER_BYTES..], input.0);
        }
        tags::FUNCTION_CALL => {
            let _ = wire::function_call(input.0);
        }
        _ => {}
    }
}

/// A Bind cut anywhere says of its parameters what the whole says, or nothing yet.
fn bind(input: &mut Input<'_>) {
    let cut = usize::from(input.byte()) << 3 | usize::from(input.byte());
    let body = input.0;
    let partial = wire::bind(&body[..cut.min(body.len())], false);
    let Ok(Some(whole)) = wire::bind(body, true) else {
        if let Ok(Some(partial)) = partial {
            for index in 0..partial.params().min(64) {
                let _ = partial.param(index);
            }
        }
        return;
    };
    for index in 0..=whole.params().min(64) {
        let here = whole.param(index);
        assert_eq!(here.is_some(), index < whole.params());
        match &partial {
            Ok(Some(partial)) if partial.param(index).is_some() => {
                assert_eq!(partial.param(index), here);
            }
            Ok(_) => {}
            Err(error) => panic!("a part of a valid Bind: {error}"),
        }
    }
    let names = whole.portal.len() + whole.statement.len() + 2;
    let rest = &body[names..];
    let mut out = BytesMut::new();
    wire::put_bind_head(&mut out, whole.portal, b"trunkline_1", rest.len()).expect("short");
    out.extend_from_slice(rest);
    let head = wire::header(&out).expect("valid").expect("complete");
    assert_eq!(head.len, out.len());
    let again = wire::bind(&out[wire::HEADER_BYTES..], true)
        .expect("valid")
        .expect("complete");
    assert_eq!(
        (again.portal, again.params()),
        (whole.portal, whole.params())
    );
    (0..again.params().min(64))
        .for_each(|index| assert_eq!(again.param(index), whole.param(index)));
}

/// What a server sends, as far as its bodies are read: the first byte says what it is taken for.
pub fn reply(data: &[u8]) {
    let mut input = Input(data);
    match input.byte() % 4 {
        0 => backend::fuzz_bodies(input.0),
        1 => executor::fuzz_error(input.0),
        2 => {
            let mut parameters = backend::Parameters::default();
            while !input.0.is_empty() {
                let _ = parameters.update(input.part());
            }
            for (name, value) in parameters.iter() {
                assert!(!name.contains('\0') && !value.contains('\0'));
            }
        }
        _ => client_auth(&mut input),
    }
}

/// What a server answers a statement with, in pieces: the client gets whole messages or is cut off.
pub fn relay(data: &[u8]) {
    executor::fuzz_relay(data);
}

/// A server's authentication messages, whatever they are, log nobody in who was not asked to prove
/// anything beyond what PostgreSQL's `trust` allows, and never show a SCRAM password.
fn client_auth(input: &mut Input<'_>) {
    let binding = [7; 32];
    let credential = match input.byte() % 4 {
        0 => Credential::None,
        3 => Credential::Scram(Arc::new(ScramKeys::derive(
            "c5d1-secret",
            b"salt".to_vec(),
            1,
        ))),
        1 => Credential::Md5("md5d41d8cd98f00b204e9800998ecf8427e".to_owned()),
        _ => Credential::Password("c5d1-secret".to_owned()),
    };
    let mut auth = ClientAuth::new(Identity {
        user: "app",
        credential: &credential,
        derived: None,
        channel_binding: (input.byte() & 1 == 1).then_some(&binding),
    });
    let mut asked_in_clear = false;
    for _ in 0..8 {
        let body = input.part();
        // Deriving a key is not what is tested here.
        if iterations(body) > 64 {
            return;
        }
        asked_in_clear |= body.starts_with(&[0, 0, 0, 3]);
        let mut out = BytesMut::new();
        match auth.step(body, &mut out) {
            Ok(Step::Derive(derivation)) => {
                if auth.derived(&derivation.run(), &mut out).is_err() {
                    return;
                }
            }
            Ok(_) => {}
            Err(_) => return,
        }
        let shown = out.windows(11).any(|window| window == b"c5d1-secret");
        assert!(!shown || asked_in_clear);
    }
}

/// What a challenge asks for.
fn iterations(body: &[u8]) -> u64 {
    let at = body.windows(3).position(|window| window == b",i=");
    let digits = at.map_or(&[][..], |at| &body[at + 3..]);
    digits
        .iter()
        .skip_while(|byte| **byte == b'+')
        .take_while(|byte| byte.is_ascii_digit())
        .fold(0, |value: u64, byte| {
            value
                .saturating_mul(10)
                .saturating_add(u64::from(byte - b'0'))
        })
}

/// What clients show of themselves: the messages around a password, certificates, and data of a copy.
pub fn login(data: &[u8]) {
    let mut input = Input(data);
    match input.byte() % 4 {
        0 => frontend::fuzz_initial_response(input.0),
        1 => {
            if let Ok(password) = auth::password(input.0) {
                assert!(input.0.starts_with(password) && !password.contains(&0));
            }
        }
        2 => net::fuzz_certificate(input.0),
        _ => {
            let piece = usize::from(input.byte());
            executor::fuzz_copy(input.0, piece);
        }
    }
}

/// Of the password `pencil`, at one iteration, which is what makes trying it fast.
const VERIFIER: &str = "SCRAM-SHA-256$1:c2FsdCBvZiB0aGUgdGVzdA==$\
    Jw0syXOp0oBUM33FQTAOw+Lg5pND0voVR2sF05P29uU=:H5mlvvX05lk2l0DF2YGC8boK16t/2ftKWZZMFgiMsvM=";

static SECRET: LazyLock<Arc<Secret>> = LazyLock::new(|| {
    let stored = Password::Scram {
        verifier: VERIFIER.to_owned(),
        server_password: None,
    };
    Secrets::new().for_found("app", Some(&stored))
});

/// A client's SCRAM messages, with and without channel binding: any bytes, or those of a client that nearly
/// knows the password.
pub fn scram(data: &[u8]) {
    use postgres_protocol::authentication::sasl::{ChannelBinding, ScramSha256};
    let mut input = Input(data);
    let how = input.byte();
    let end_point: Arc<[u8]> = Arc::from([7; 32]);
    let encrypted = how & 2 == 2;
    let mut server = ScramServer::new(SECRET.clone(), encrypted.then(|| end_point.clone()));
    let plus = encrypted && how & 4 == 4;
    let mechanism = match plus {
        true => Mechanism::ScramPlus,
        false => Mechanism::Scram,
    };
    if how & 1 == 0 {
        let first = input.part();
        if server.first(mechanism, first).is_ok() {
            assert!(server.finish(input.0).is_err(), "no proof can be guessed");
        }
        return;
    }
    let wrong = how & 8 == 8;
    let password: &[u8] = if wrong { b"pencils" } else { b"pencil" };
    let binding = match plus {
        true => ChannelBinding::tls_server_end_point(end_point.to_vec()),
        false => ChannelBinding::unsupported(),
    };
    let mut client = ScramSha256::new(password, binding);
    let (first, first_changed) = tampered(client.message(), &mut input);
    let Ok(challenge) = server.first(mechanism, &first) else {
        return;
    };
    let (challenge, challenge_changed) = tampered(&challenge, &mut input);
    if iterations(&challenge) > 64 || client.update(&challenge).is_err() {
        return;
    }
    let (last, last_changed) = tampered(client.message(), &mut input);
    let outcome = server.finish(&last);
    let untouched = !(first_changed || challenge_changed || last_changed);
    assert_eq!(outcome.is_ok(), untouched && !wrong);
    if let Ok(proven) = outcome {
        let _ = client.finish(&tampered(&proven.answer, &mut input).0);
    }
}

/// A message with a few bytes overwritten, put in or taken out, as the input says; and whether that
/// made it another.
fn tampered(message: &[u8], input: &mut Input<'_>) -> (Vec<u8>, bool) {
    let mut bytes = message.to_vec();
    for _ in 0..input.byte() % 4 {
        let at = usize::from(input.byte()) % (bytes.len() + 1);
        let byte = input.byte();
        match input.byte() % 4 {
            0 => bytes.insert(at, byte),
            1 => bytes.truncate(at),
            _ if at == bytes.len() => {}
            2 => bytes[at] = byte,
            _ => drop(bytes.remove(at)),
        }
    }
    let changed = bytes != message;
    (bytes, changed)
}

/// Tokens cover the text and read alike on their own; so do the statements of a string.
pub fn lex(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let Ok(tokens) = sql::tokens(text) else {
        assert!(sql::split(text).is_err());
        return;
    };
    let mut end = 0;
    for token in &tokens {
        assert!(token.start >= end && token.end > token.start && token.end <= text.len());
        let between = sql::tokens(&text[end..token.start]);
        assert!(between.is_ok_and(|tokens| tokens.is_empty()), "{text:?}");
        let alone = sql::tokens(&text[token.start..token.end]).expect("lexed before");
        assert!(
            matches!(alone.as_slice(), [same] if same.kind == token.kind && same.value == token.value),
            "{:?}",
            &text[token.start..token.end]
        );
        end = token.end;
    }
    let Ok(pieces) = sql::split(text) else {
        return;
    };
    let mut end = 0;
    for piece in pieces {
        assert!(piece.range.start >= end && !piece.range.is_empty());
        end = piece.range.end;
        let alone = &text[piece.range];
        assert_eq!(sql::only_statement(alone).as_deref(), Ok(alone));
    }
}

/// A configuration file. Texts that may name a file are left out: reading one is not what is tested.
pub fn config(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if ["/dev", "/proc", "/sys", "\\", "file:", ".."]
        .iter()
        .any(|path| text.contains(path))
    {
        return;
    }
    let env = |name: &str| (name.len() < 20).then(|| "value".to_owned());
    let _ = crate::config::parse(text, Path::new("/nonexistent/trunkline.yaml"), &env);
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use super::*;

    type Target = (&'static str, fn(&[u8]));

    const TARGETS: &[Target] = &[
        ("frame", frame),
        ("startup", startup),
        ("request", request),
        ("reply", reply),
        ("relay", relay),
        ("login", login),
        ("scram", scram),
        ("lex", lex),
        ("plan", plan),
        ("params", params),
        ("config", config),
    ];

    /// Inputs made of each one kept.
    const CHANGED: u64 = 40;

    #[test]
    fn every_target_is_here() {
        let targets = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz/fuzz_targets");
        let mut there: Vec<String> = fs::read_dir(targets)
            .expect("the directory of targets")
            .filter_map(|entry| {
                let path = entry.expect("readable").path();
                Some(path.file_stem()?.to_str()?.to_owned())
            })
            .collect();
        let mut here: Vec<&str> = TARGETS.iter().map(|(name, _)| *name).collect();
        there.sort();
        here.sort_unstable();
        assert_eq!(there, here);
    }

    /// The kept inputs, and those with a few bytes changed, hold what the targets ask for. Without
    /// coverage to lead it this finds little; it keeps the targets and the corpus alive.
    #[test]
    fn the_kept_corpus_holds() {
        let corpus = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
        let mut state = 0x5eed_1234_u64;
        let mut random = move |limit: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state % limit.max(1) as u64) as usize
        };
        for (name, target) in TARGETS {
            let mut paths: Vec<_> = fs::read_dir(corpus.join(name))
                .expect("a corpus for every target")
                .map(|entry| entry.expect("readable").path())
                .collect();
            paths.sort();
            assert!(!paths.is_empty(), "{name}");
            for path in paths {
                let kept = fs::read(&path).expect("readable");
                target(&kept);
                for _ in 0..CHANGED {
                    let mut changed = kept.clone();
                    for _ in 0..=random(3) {
                        let at = random(changed.len() + 1);
                        match random(4) {
                            0 => changed.insert(at, random(256) as u8),
                            1 => changed.truncate(at),
                            _ if at == changed.len() => {}
                            2 => changed[at] = random(256) as u8,
                            _ => drop(changed.remove(at)),
                        }
                    }
                    target(&changed);
                }
            }
        }
    }
}
