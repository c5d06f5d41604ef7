//! What must be known of a certificate besides its validity: the hash that binds a SCRAM exchange to
//! the TLS channel it runs in (`tls-server-end-point`, RFC 5929 section 4.1).
//!
//! Reads just enough DER to find the signature algorithm's object identifier; never panics on any input.

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

/// `Certificate ::= SEQUENCE { tbsCertificate SEQUENCE, signatureAlgorithm SEQUENCE { OID, … }, … }`
fn signature_algorithm(certificate: &[u8]) -> Option<&[u8]> {
    let (fields, _) = element(certificate, SEQUENCE)?;
    let (_, after_tbs) = element(fields, SEQUENCE)?;
    let (algorithm, _) = element(after_tbs, SEQUENCE)?;
    let (identifier, _) = element(algorithm, OBJECT_IDENTIFIER)?;
    Some(identifier)
}

/// The contents of the DER element at the start of `input`, and what follows it.
fn element(input: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&first, rest) = input.split_first()?;
    let (&short, rest) = rest.split_first()?;
    if first != tag {
        return None;
    }
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
    rest.split_at_checked(length)
}

const SEQUENCE: u8 = 0x30;
const OBJECT_IDENTIFIER: u8 = 0x06;
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
