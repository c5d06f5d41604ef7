//! What a login leaves behind for logging in to servers.

use std::sync::Arc;

use super::credential::{Credential, ScramKeys};
use crate::config::Password;

/// How a client has proven who it is.
pub enum Proof {
    Scram(ScramKeys),
    Md5,
    /// The password, in clear.
    ClearText(String),
    Certificate,
}

impl Proof {
    /// The means to log in to servers. `stored`: what is known of the user's password. A password that was
    /// configured for servers comes first; then what the client has shown; then what a server that asks for
    /// MD5 takes.
    pub fn credential(self, stored: &Password) -> Credential {
        if let Some(password) = stored.for_servers() {
            return Credential::Password(password.to_owned());
        }
        match (self, stored) {
            (Self::ClearText(password), _) => Credential::Password(password),
            (Self::Scram(keys), _) => Credential::Scram(Arc::new(keys)),
            (Self::Md5 | Self::Certificate, Password::Md5 { hash, .. }) => {
                Credential::Md5(hash.clone())
            }
            (Self::Md5 | Self::Certificate, _) => Credential::None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_for_servers() {
        let keys = || ScramKeys {
            client_key: [1; 32],
            server_key: [2; 32],
            salt: vec![3],
            iterations: 4096,
        };
        let password = |text: &str| Credential::Password(text.to_owned());
        let verifier = |server_password: Option<&str>| Password::Scram {
            verifier: "SCRAM-SHA-256$…".to_owned(),
            server_password: server_password.map(str::to_owned),
        };
        let hash = |server_password: Option<&str>| Password::Md5 {
            hash: "md5aa".to_owned(),
            server_password: server_password.map(str::to_owned),
        };
        let plain = Password::Plain("stored".to_owned());
        let typed = || Proof::ClearText("typed".to_owned());
        let md5 = || Credential::Md5("md5aa".to_owned());
        for (proof, stored, expected) in [
            (Proof::Scram(keys()), &plain, password("stored")),
            (Proof::Md5, &plain, password("stored")),
            (Proof::Certificate, &plain, password("stored")),
            (typed(), &plain, password("stored")),
            (
                Proof::Scram(keys()),
                &verifier(Some("other")),
                password("other"),
            ),
            (
                Proof::Scram(keys()),
                &verifier(None),
                Credential::Scram(Arc::new(keys())),
            ),
            (typed(), &verifier(None), password("typed")),
            (Proof::Certificate, &verifier(None), Credential::None),
            (Proof::Md5, &hash(None), md5()),
            (Proof::Certificate, &hash(None), md5()),
            (Proof::Md5, &hash(Some("other")), password("other")),
            (typed(), &hash(None), password("typed")),
        ] {
            assert_eq!(proof.credential(stored), expected);
        }
    }
}
