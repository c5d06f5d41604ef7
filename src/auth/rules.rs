//! Which rule a connection falls under, as in `pg_hba.conf`: the first that fits decides, and where none
//! does nobody gets in.
//! Source: <https://www.postgresql.org/docs/current/auth-pg-hba-conf.html>
//!
//! Looks at what the client says and at where it comes from, never at whether there is such a user: what is
//! told here is told to everybody alike.

use std::fmt;
use std::net::IpAddr;

use crate::config::{Method, Names, Origins, Rule, RuleTls};
use crate::error::{PgError, SqlState, named};

/// A connection before it is logged in.
#[derive(Clone, Copy, Debug)]
pub struct Applicant<'a> {
    pub user: &'a str,
    pub database: &'a str,
    /// `None` for a Unix socket.
    pub address: Option<IpAddr>,
    pub channel: Channel,
}

/// How a connection is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    Plain,
    Tls,
    /// TLS, and the client has shown a certificate that was verified.
    Certified,
}

/// How the client has to prove who it is. [`Method::Reject`] is never the answer.
///
/// Errors: 28000.
pub fn method(rules: &[Rule], applicant: &Applicant<'_>) -> Result<Method, PgError> {
    let refuse = |message| Err(PgError::client(SqlState::INVALID_AUTHORIZATION, message));
    let Some(rule) = rules.iter().find(|rule| fits(rule, applicant)) else {
        return refuse(format!("no rule for {applicant}"));
    };
    if rule.method == Method::Reject {
        return refuse(format!("a rule rejects the connection for {applicant}"));
    }
    let certificate = rule.tls == RuleTls::Certificate || rule.method == Method::Certificate;
    if certificate && applicant.channel != Channel::Certified {
        return refuse("connection requires a valid client certificate".to_owned());
    }
    Ok(rule.method)
}

fn fits(rule: &Rule, applicant: &Applicant<'_>) -> bool {
    named_in(&rule.users, applicant.user)
        && named_in(&rule.databases, applicant.database)
        && comes_from(&rule.from, applicant.address)
        && match rule.tls {
            RuleTls::Any => true,
            RuleTls::None => applicant.channel == Channel::Plain,
            // A certificate that is missing is an error and not the next rule's business, as with `hostssl`
            // and `clientcert`.
            RuleTls::Required | RuleTls::Certificate => applicant.channel != Channel::Plain,
        }
}

fn named_in(names: &Names, name: &str) -> bool {
    match names {
        Names::All => true,
        Names::Listed(names) => names.iter().any(|listed| listed == name),
    }
}

fn comes_from(origins: &Origins, address: Option<IpAddr>) -> bool {
    match (origins, address) {
        (Origins::All, _) => true,
        (Origins::Listed { local, .. }, None) => *local,
        (Origins::Listed { networks, .. }, Some(address)) => {
            // A listener on `::` sees IPv4 clients under addresses like ::ffff:10.0.0.1.
            let address = address.to_canonical();
            networks.iter().any(|network| network.contains(&address))
        }
    }
}

/// In PostgreSQL's words.
impl fmt::Display for Applicant<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = self.address.map_or("[local]".to_owned(), |address| {
            address.to_canonical().to_string()
        });
        let encryption = match self.channel {
            Channel::Plain => "no encryption",
            Channel::Tls | Channel::Certified => "SSL encryption",
        };
        write!(
            f,
            "host \"{host}\", user \"{}\", database \"{}\", {encryption}",
            named(self.user),
            named(self.database)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(names: &str) -> Names {
        match names {
            "all" => Names::All,
            names => Names::Listed(names.split(' ').map(str::to_owned).collect()),
        }
    }

    fn rule(users: &str, databases: &str, from: &str, tls: RuleTls, method: Method) -> Rule {
        let networks = from.split(' ').filter(|item| *item != "local");
        let from = match from {
            "all" => Origins::All,
            from => Origins::Listed {
                networks: networks
                    .map(|text| text.parse().expect("a network"))
                    .collect(),
                local: from.contains("local"),
            },
        };
        Rule {
            users: listed(users),
            databases: listed(databases),
            from,
            tls,
            method,
        }
    }

    /// `user@database address channel`, where the address may be `local`.
    fn decide(rules: &[Rule], applicant: &str) -> Result<Method, String> {
        let mut words = applicant.split(' ');
        let mut next = || words.next().expect("three words");
        let (user, database) = next().split_once('@').expect("user@database");
        let address = Some(next())
            .filter(|text| *text != "local")
            .map(|text| text.parse().expect("an address"));
        let channel = match next() {
            "plain" => Channel::Plain,
            "tls" => Channel::Tls,
            "certified" => Channel::Certified,
            other => panic!("{other}"),
        };
        let applicant = Applicant {
            user,
            database,
            address,
            channel,
        };
        method(rules, &applicant).map_err(|error| {
            assert_eq!(error.code, SqlState::INVALID_AUTHORIZATION);
            error.message
        })
    }

    #[test]
    fn the_first_that_fits_decides() {
        let rules = [
            rule("mallory", "all", "all", RuleTls::Any, Method::Reject),
            rule("app", "app", "10.0.0.0/8 local", RuleTls::Any, Method::Md5),
            rule(
                "app",
                "all",
                "fd00::/8",
                RuleTls::Required,
                Method::Password,
            ),
            rule(
                "app batch",
                "logs",
                "192.168.1.7/32",
                RuleTls::None,
                Method::Scram,
            ),
            rule(
                "admin",
                "trunkline",
                "all",
                RuleTls::Certificate,
                Method::Scram,
            ),
            rule("robot", "all", "all", RuleTls::Any, Method::Certificate),
        ];
        for (applicant, expected) in [
            ("app@app 10.1.2.3 plain", Some(Method::Md5)),
            ("app@app 10.1.2.3 tls", Some(Method::Md5)),
            ("app@app ::ffff:10.1.2.3 plain", Some(Method::Md5)),
            ("app@app local plain", Some(Method::Md5)),
            ("app@logs local plain", None),
            ("app@app 11.1.2.3 plain", None),
            ("app@app fd00::1 plain", None),
            ("app@app fd00::1 tls", Some(Method::Password)),
            ("app@logs fd00::1 certified", Some(Method::Password)),
            ("app@logs 192.168.1.7 plain", Some(Method::Scram)),
            ("batch@logs 192.168.1.7 plain", Some(Method::Scram)),
            ("batch@logs 192.168.1.7 tls", None),
            ("batch@logs 192.168.1.8 plain", None),
            ("App@app 10.1.2.3 plain", None),
            ("ap@app 10.1.2.3 plain", None),
            ("admin@trunkline 127.0.0.1 certified", Some(Method::Scram)),
            ("robot@x ::1 certified", Some(Method::Certificate)),
        ] {
            assert_eq!(decide(&rules, applicant).ok(), expected, "{applicant}");
        }
    }

    #[test]
    fn refusals_say_what_was_asked() {
        let rules = [
            rule("mallory", "all", "all", RuleTls::Any, Method::Reject),
            rule("admin", "all", "all", RuleTls::Certificate, Method::Scram),
            rule("robot", "all", "all", RuleTls::Any, Method::Certificate),
        ];
        for (applicant, expected) in [
            (
                "app@db 127.0.0.1 plain",
                "no rule for host \"127.0.0.1\", user \"app\", database \"db\", no encryption",
            ),
            (
                "app@db local plain",
                "no rule for host \"[local]\", user \"app\", database \"db\", no encryption",
            ),
            (
                "app@db ::ffff:1.2.3.4 certified",
                "no rule for host \"1.2.3.4\", user \"app\", database \"db\", SSL encryption",
            ),
            (
                "mallory@db ::1 tls",
                "a rule rejects the connection for host \"::1\", user \"mallory\", database \"db\", SSL encryption",
            ),
            (
                "admin@db ::1 plain",
                "no rule for host \"::1\", user \"admin\", database \"db\", no encryption",
            ),
            (
                "admin@db ::1 tls",
                "connection requires a valid client certificate",
            ),
            (
                "robot@db ::1 tls",
                "connection requires a valid client certificate",
            ),
            (
                "robot@db ::1 plain",
                "connection requires a valid client certificate",
            ),
        ] {
            assert_eq!(
                decide(&rules, applicant),
                Err(expected.to_owned()),
                "{applicant}"
            );
        }
        assert!(decide(&[], "a@b ::1 tls").is_err());
    }
}
