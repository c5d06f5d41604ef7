//! What must be known of a certificate besides that it is valid, which others check: the hash that binds a SCRAM
//! exchange to the TLS channel it runs in (`tls-server-end-point`, RFC 5929 section 4.1), the subject's common name,
//! and the end of its validity.
//!
//! Reads just enough DER to find these (RFC 5280 section 4.1); never panics on any input.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sha2::{Digest, Sha256, Sha384, Sha512};

/// The certificate's hash, by the hash of its own signature, where MD5 and SHA-1 count as SHA-256.
/// `None` for signatures without a hash of their own (Ed25519, RSA-PSS): the RFC defines none for them.
pub(super) fn end_point_binding(certificate: &[u8]) -> Option<Vec<u8>> {
    let algorithm = signature_algorithm(certificate)?;
    let sha = match (algorithm.strip_prefix(RSA), algorithm.strip_prefix(ECDSA)) {
        (Some([0x04 | 0x05 | 0x0b]), _) | (_, Some([0x01] | [0x03, 0x02])) => {
            Sha256::digest(certificate).to_vec()
        }
        (Some([0x0c]), _) | (_, Some([0x03, 0x03])) => Sha384::digest(certificate).to_vec(),
        (Some([0x0d]), _) | (_, Some([0x03, 0x04])) => Sha512::digest(certificate).to_vec(),
        _ => return None,
    };
    Some(sha)
}

/// Why a certificate's name is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NameError {
    /// Such a name reads differently to those who stop at the NUL (CVE-2009-4034).
    #[error("has a common name with a NUL byte in it")]
    Nul,
    #[error("has a subject that cannot be read")]
    Malformed,
}

/// The subject's common name. If there are several it is the first as they stand in the certificate, which is what
/// PostgreSQL gets of `X509_NAME_get_text_by_NID`. `None` where there is none, or where it is in a form that is not
/// plain text (T61String, BMPString, …): the next one is not taken in its place.
/// Source: `be_tls_open_server` in `src/backend/libpq/be-secure-openssl.c`.
pub(super) fn common_name(certificate: &[u8]) -> Result<Option<String>, NameError> {
    let mut names = fields(certificate).ok_or(NameError::Malformed)?.subject;
    while !names.is_empty() {
        let (mut set, rest) = element(names, SET).ok_or(NameError::Malformed)?;
        while !set.is_empty() {
            let (attribute, next) = element(set, SEQUENCE).ok_or(NameError::Malformed)?;
            let (kind, value) =
                element(attribute, OBJECT_IDENTIFIER).ok_or(NameError::Malformed)?;
            let (tag, value, _) = any(value).ok_or(NameError::Malformed)?;
            if kind == COMMON_NAME {
                return text(tag, value);
            }
            set = next;
        }
        names = rest;
    }
    Ok(None)
}

fn text(tag: u8, value: &[u8]) -> Result<Option<String>, NameError> {
    let is_text = match tag {
        UTF8_STRING => true,
        PRINTABLE_STRING | IA5_STRING => value.is_ascii(),
        _ => false,
    };
    match std::str::from_utf8(value) {
        Ok(name) if is_text && name.contains('\0') => Err(NameError::Nul),
        Ok(name) if is_text => Ok(Some(name.to_owned())),
        _ => Ok(None),
    }
}

/// When the certificate ceases to be valid; `None` where it says so in no form that RFC 5280 allows.
pub(super) fn not_after(certificate: &[u8]) -> Option<SystemTime> {
    let (_, _, after_not_before) = any(fields(certificate)?.validity)?;
    let (tag, time, _) = any(after_not_before)?;
    let digits = time.strip_suffix(b"Z")?;
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = |digits: &[u8]| {
        digits
            .iter()
            .fold(0_u64, |number, digit| number * 10 + u64::from(digit - b'0'))
    };
    let (year, rest) = match (tag, digits.len()) {
        // Two digits stand for 1950 to 2049.
        (UTC_TIME, 12) => match number(&digits[..2]) {
            year @ 0..=49 => (2000 + year, &digits[2..]),
            year => (1900 + year, &digits[2..]),
        },
        (GENERALIZED_TIME, 14) => (number(&digits[..4]), &digits[4..]),
        _ => return None,
    };
    let part = |index: usize| number(&rest[2 * index..2 * index + 2]);
    let days = days_since_1970(year, part(0), part(1))?;
    let seconds = part(2) * 3600 + part(3) * 60 + part(4);
    UNIX_EPOCH.checked_add(Duration::from_secs(days * 86_400 + seconds))
}

/// `None` before 1970 and for a month that is none.
fn days_since_1970(year: u64, month: u64, day: u64) -> Option<u64> {
    const BEFORE_MONTH: [u64; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    let month = usize::try_from(month.checked_sub(1)?).ok()?;
    let leap_days = |year: u64| year / 4 - year / 100 + year / 400;
    // The leap day of a year that has one comes after February.
    let counted = if month >= 2 {
        year
    } else {
        year.checked_sub(1)?
    };
    let days = year.checked_sub(1970)? * 365 + leap_days(counted) - leap_days(1969);
    Some(days + BEFORE_MONTH.get(month)? + day.checked_sub(1)?)
}

/// True for X.509 version 3, the only one with extensions and the only one that webpki reads.
pub(super) fn is_version_3(certificate: &[u8]) -> bool {
    let version = || {
        let (certificate, _) = element(certificate, SEQUENCE)?;
        let (tbs, _) = element(certificate, SEQUENCE)?;
        let (version, _) = element(tbs, VERSION)?;
        Some(element(version, INTEGER)?.0)
    };
    version() == Some(&[2])
}

struct Fields<'a> {
    validity: &'a [u8],
    subject: &'a [u8],
}

/// `TBSCertificate ::= SEQUENCE { [0] version DEFAULT v1, serialNumber, signature, issuer, validity, subject, … }`
fn fields(certificate: &[u8]) -> Option<Fields<'_>> {
    let (certificate, _) = element(certificate, SEQUENCE)?;
    let (tbs, _) = element(certificate, SEQUENCE)?;
    let rest = match any(tbs)? {
        (VERSION, _, rest) => rest,
        _ => tbs,
    };
    let (_serial, rest) = element(rest, INTEGER)?;
    let (_signature, rest) = element(rest, SEQUENCE)?;
    let (_issuer, rest) = element(rest, SEQUENCE)?;
    let (validity, rest) = element(rest, SEQUENCE)?;
    let (subject, _) = element(rest, SEQUENCE)?;
    Some(Fields { validity, subject })
}

/// `Certificate ::= SEQUENCE { tbsCertificate SEQUENCE, signatureAlgorithm SEQUENCE { OID, … }, … }`
fn signature_algorithm(certificate: &[u8]) -> Option<&[u8]> {
    let (fields, _) = element(certificate, SEQUENCE)?;
    let (_, after_tbs) = element(fields, SEQUENCE)?;
    let (algorithm, _) = element(after_tbs, SEQUENCE)?;
    let (identifier, _) = element(algorithm, OBJECT_IDENTIFIER)?;
    Some(identifier)
}

/// The contents of the DER element with this tag at the start of `input`, and what follows it.
fn element(input: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (found, contents, rest) = any(input)?;
    (found == tag).then_some((contents, rest))
}

/// Tag and contents of the DER element at the start of `input`, and what follows it.
fn any(input: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = input.split_first()?;
    let (&short, rest) = rest.split_first()?;
    let (length, rest) = match short {
        0..=0x7f => (usize::from(short), rest),
        0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(short & 0x7f))?;
            (
                digits
                    .iter()
                    .fold(0_usize, |length, digit| (length << 8) | usize::from(*digit)),
                rest,
            )
        }
        _ => return None,
    };
    let (contents, rest) = rest.split_at_checked(length)?;
    Some((tag, contents, rest))
}

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const INTEGER: u8 = 0x02;
const OBJECT_IDENTIFIER: u8 = 0x06;
const UTF8_STRING: u8 = 0x0c;
const PRINTABLE_STRING: u8 = 0x13;
const IA5_STRING: u8 = 0x16;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
/// The explicit tag `[0]`.
const VERSION: u8 = 0xa0;
/// 2.5.4.3
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
/// 1.2.840.113549.1.1
const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01];
/// 1.2.840.10045.4
const ECDSA: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04];

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate(algorithm: &[u8]) -> Vec<u8> {
        let mut der = vec![
            SEQUENCE,
            0x82,
            0,
            (algorithm.len() + 6) as u8,
            SEQUENCE,
            0,
            SEQUENCE,
        ];
        der.extend([
            (algorithm.len() + 2) as u8,
            OBJECT_IDENTIFIER,
            algorithm.len() as u8,
        ]);
        der.extend(algorithm);
        der
    }

    #[test]
    fn hash_follows_the_signature() {
        let binding_len = |family: &[u8], last: &[u8]| {
            end_point_binding(&certificate(&[family, last].concat())).map(|hash| hash.len())
        };
        assert_eq!(binding_len(RSA, &[0x0b]), Some(32));
        assert_eq!(binding_len(RSA, &[0x05]), Some(32));
        assert_eq!(binding_len(RSA, &[0x0c]), Some(48));
        assert_eq!(binding_len(RSA, &[0x0d]), Some(64));
        assert_eq!(binding_len(RSA, &[0x0a]), None);
        assert_eq!(binding_len(ECDSA, &[3, 2]), Some(32));
        assert_eq!(binding_len(ECDSA, &[3, 3]), Some(48));
        assert_eq!(binding_len(ECDSA, &[3, 4]), Some(64));
        assert_eq!(binding_len(&[0x2b, 0x65, 0x70], &[]), None);
    }

    fn der(tag: u8, contents: &[u8]) -> Vec<u8> {
        let length = contents.len() as u16;
        [&[tag, 0x82][..], &length.to_be_bytes(), contents].concat()
    }

    fn attribute(kind: &[u8], tag: u8, value: &[u8]) -> Vec<u8> {
        let kind = der(OBJECT_IDENTIFIER, kind);
        der(SEQUENCE, &[kind, der(tag, value)].concat())
    }

    /// A certificate whose subject has one set for each list of attributes.
    fn named(sets: &[Vec<u8>], not_after: &[u8]) -> Vec<u8> {
        let sets: Vec<u8> = sets.iter().flat_map(|set| der(SET, set)).collect();
        let issuer = der(
            SEQUENCE,
            &der(SET, &attribute(COMMON_NAME, UTF8_STRING, b"issuer")),
        );
        let before = der(UTC_TIME, b"200101000000Z");
        let tbs = [
            der(VERSION, &der(INTEGER, &[2])),
            der(INTEGER, &[1]),
            der(SEQUENCE, &[]),
            issuer,
            der(SEQUENCE, &[&before, not_after].concat()),
            der(SEQUENCE, &sets),
        ];
        der(SEQUENCE, &der(SEQUENCE, &tbs.concat()))
    }

    fn name_of(sets: &[Vec<u8>]) -> Result<Option<String>, NameError> {
        common_name(&named(sets, &der(UTC_TIME, b"300101000000Z")))
    }

    #[test]
    fn first_common_name_counts() {
        const ORGANIZATION: &[u8] = &[0x55, 0x04, 0x0a];
        let organization = || attribute(ORGANIZATION, UTF8_STRING, b"org");
        let cn = |name: &[u8]| attribute(COMMON_NAME, UTF8_STRING, name);
        let found = |name: &str| Ok(Some(name.to_owned()));
        assert_eq!(name_of(&[]), Ok(None));
        assert_eq!(name_of(&[organization()]), Ok(None));
        assert_eq!(name_of(&[organization(), cn(b"app")]), found("app"));
        assert_eq!(name_of(&[cn(b"first"), cn(b"second")]), found("first"));
        // Several attributes in one set.
        let several = [organization(), cn(b"app")].concat();
        assert_eq!(name_of(&[several, cn(b"second")]), found("app"));
        assert_eq!(
            name_of(&[cn("j\u{fc}rgen".as_bytes())]),
            found("j\u{fc}rgen")
        );
    }

    #[test]
    fn names_that_are_not_plain_text_count_for_nothing() {
        const T61_STRING: u8 = 0x14;
        const BMP_STRING: u8 = 0x1e;
        let cn = |tag, name: &[u8]| attribute(COMMON_NAME, tag, name);
        let after = |first| name_of(&[first, cn(UTF8_STRING, b"second")]);
        assert_eq!(after(cn(T61_STRING, b"app")), Ok(None));
        assert_eq!(after(cn(BMP_STRING, b"\0a\0p\0p")), Ok(None));
        assert_eq!(after(cn(UTF8_STRING, b"\xff")), Ok(None));
        assert_eq!(after(cn(PRINTABLE_STRING, "\u{fc}".as_bytes())), Ok(None));
        assert_eq!(
            after(cn(PRINTABLE_STRING, b"app")),
            Ok(Some("app".to_owned()))
        );
        assert_eq!(after(cn(IA5_STRING, b"app")), Ok(Some("app".to_owned())));
        for tag in [UTF8_STRING, PRINTABLE_STRING, IA5_STRING] {
            assert_eq!(after(cn(tag, b"app\0.evil")), Err(NameError::Nul));
            assert_eq!(after(cn(tag, b"app\0")), Err(NameError::Nul));
        }
    }

    #[test]
    fn versions() {
        let new = named(&[], &[]);
        assert!(is_version_3(&new));
        assert!(!is_version_3(&new[..10]));
        let old = [der(INTEGER, &[1]), der(SEQUENCE, &[])].concat();
        assert!(!is_version_3(&der(SEQUENCE, &der(SEQUENCE, &old))));
        let two = der(VERSION, &der(INTEGER, &[1]));
        assert!(!is_version_3(&der(SEQUENCE, &der(SEQUENCE, &two))));
    }

    #[test]
    fn broken_subjects_are_errors() {
        let good = named(
            &[attribute(COMMON_NAME, UTF8_STRING, b"app")],
            &der(UTC_TIME, b"300101000000Z"),
        );
        for length in 0..good.len() {
            assert_eq!(common_name(&good[..length]), Err(NameError::Malformed));
            assert_eq!(not_after(&good[..length]), None);
        }
        for subject in [
            &b"\x31"[..],
            b"\x31\x05",
            b"\x30\x00",
            b"\x31\x02\x30\x00",
            b"\x31\x02\x31\x00",
        ] {
            let tbs = [
                der(INTEGER, &[1]),
                der(SEQUENCE, &[]),
                der(SEQUENCE, &[]),
                der(SEQUENCE, &[]),
                der(SEQUENCE, subject),
            ];
            let certificate = der(SEQUENCE, &der(SEQUENCE, &tbs.concat()));
            assert_eq!(
                common_name(&certificate),
                Err(NameError::Malformed),
                "{subject:?}"
            );
        }
    }

    #[test]
    fn end_of_validity() {
        let seconds = |tag, time: &[u8]| {
            let end = not_after(&named(&[], &der(tag, time)))?;
            Some(end.duration_since(UNIX_EPOCH).ok()?.as_secs())
        };
        // As `date -u -d … +%s` says.
        assert_eq!(seconds(UTC_TIME, b"700101000000Z"), Some(0));
        assert_eq!(seconds(UTC_TIME, b"240229235959Z"), Some(1_709_251_199));
        assert_eq!(seconds(UTC_TIME, b"240301000000Z"), Some(1_709_251_200));
        assert_eq!(seconds(UTC_TIME, b"491231235959Z"), Some(2_524_607_999));
        assert_eq!(
            seconds(GENERALIZED_TIME, b"21000301000000Z"),
            Some(4_107_542_400)
        );
        assert_eq!(
            seconds(GENERALIZED_TIME, b"99991231235959Z"),
            Some(253_402_300_799)
        );
        for time in [
            &b"Z"[..],
            b"240229235959",
            b"24022923595Z",
            b"24022923595xZ",
            b"241329235959Z",
            b"240029235959Z",
            b"240200235959Z",
            b"690101000000Z",
        ] {
            assert_eq!(seconds(UTC_TIME, time), None, "{}", time.escape_ascii());
        }
        assert_eq!(seconds(GENERALIZED_TIME, b"240229235959Z"), None);
    }

    #[test]
    fn broken_der_has_no_binding() {
        let good = certificate(&[RSA, &[0x0b]].concat());
        for length in 0..good.len() {
            assert_eq!(end_point_binding(&good[..length]), None);
        }
        assert_eq!(
            end_point_binding(&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff, 0]),
            None
        );
        assert_eq!(end_point_binding(&[0x30, 0x80, 0]), None);
    }
}
