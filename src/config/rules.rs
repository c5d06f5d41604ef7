//! `tls` toward clients, and `rules`: who may log in how.

use std::net::IpAddr;
use std::path::PathBuf;

use ipnet::IpNet;

use super::reader::Context;
use super::resolved::{ClientTls, Method, Names, Origins, Rule, RuleTls, TlsVersion};
use super::yaml::{Node, Value};

/// Outside is a failure, inside is "off".
pub(super) fn client_tls(context: &Context<'_>, node: &Node) -> Option<Option<ClientTls>> {
    #[derive(Clone, Copy, PartialEq, Eq)]
    enum Mode {
        Off,
        Prefer,
        Require,
    }
    let mut map = context.map(node, "{ certificate, key, client_ca, mode, min_version }")?;
    let mode = match map.optional("mode") {
        // YAML reads the bare word as a truth value.
        Some(node) if matches!(&node.value, Value::Bool { value: false, .. }) => Some(Mode::Off),
        Some(node) => context.choice(
            node,
            &[
                ("off", Mode::Off),
                ("prefer", Mode::Prefer),
                ("require", Mode::Require),
            ],
        ),
        None => Some(Mode::Prefer),
    };
    let mut file = |key, required: bool| {
        let node = match required {
            true => map.required(key),
            false => map.optional(key),
        };
        let Some(node) = node.filter(|node| node.value != Value::Null) else {
            return Some(None).filter(|_| !required);
        };
        let path: PathBuf =
            super::resolve_path(context, context.text(node, "the path of a PEM file")?);
        if !path.is_file() {
            context.error(node.at, format!("there is no file {}", path.display()));
            return None;
        }
        Some(Some(path))
    };
    let needed = mode != Some(Mode::Off);
    let (certificate, key) = (file("certificate", needed), file("key", needed));
    let client_ca = file("client_ca", false);
    let min_version = map
        .optional("min_version")
        .map_or(Some(TlsVersion::Tls12), |node| {
            context.choice(
                node,
                &[("1.2", TlsVersion::Tls12), ("1.3", TlsVersion::Tls13)],
            )
        });
    map.finish();
    let (mode, certificate, key) = (mode?, certificate?, key?);
    let (client_ca, min_version) = (client_ca?, min_version?);
    if mode == Mode::Off {
        return Some(None);
    }
    Some(Some(ClientTls {
        certificate: certificate?,
        key: key?,
        client_ca,
        required: mode == Mode::Require,
        min_version,
    }))
}

/// What holds where no rules are given.
pub(super) fn everyone() -> Vec<Rule> {
    vec![Rule {
        users: Names::All,
        databases: Names::All,
        from: Origins::All,
        tls: RuleTls::Any,
        method: Method::Scram,
    }]
}

/// `offered` is the proxy's TLS; the outer `None` where that could not be read.
pub(super) fn rules(
    context: &Context<'_>,
    node: &Node,
    offered: Option<Option<&ClientTls>>,
) -> Option<Vec<Rule>> {
    let items = context.list(
        node,
        "a list of rules, each { users, databases, from, tls, method }",
    )?;
    if items.is_empty() {
        context.error(
            node.at,
            "without a rule nobody gets in: list one, or leave `rules` out",
        );
    }
    let rules: Vec<Option<Rule>> = items
        .iter()
        .map(|item| rule(context, item, offered))
        .collect();
    rules.into_iter().collect()
}

fn rule(context: &Context<'_>, node: &Node, offered: Option<Option<&ClientTls>>) -> Option<Rule> {
    let mut map = context.map(node, "a rule: { users, databases, from, tls, method }")?;
    let users = map
        .optional("users")
        .map_or(Some(Names::All), |node| names(context, node, "a user"));
    let databases = map
        .optional("databases")
        .map_or(Some(Names::All), |node| names(context, node, "a database"));
    let from = map
        .optional("from")
        .map_or(Some(Origins::All), |node| origins(context, node));
    let encryption = map.optional("tls");
    let rule_tls = encryption.map_or(Some(RuleTls::Any), |node| {
        context.choice(
            node,
            &[
                ("any", RuleTls::Any),
                ("none", RuleTls::None),
                ("required", RuleTls::Required),
                ("certificate", RuleTls::Certificate),
            ],
        )
    });
    let method_node = map.required("method");
    let method = method_node.and_then(|node| {
        context.choice(
            node,
            &[
                ("scram", Method::Scram),
                ("md5", Method::Md5),
                ("password", Method::Password),
                ("certificate", Method::Certificate),
                ("reject", Method::Reject),
            ],
        )
    });
    let verifies = offered.is_none_or(|tls| tls.is_some_and(|tls| tls.client_ca.is_some()));
    let encrypts = offered.is_none_or(|tls| tls.is_some());
    if let (Some(node), Some(wanted)) = (encryption, rule_tls) {
        if wanted == RuleTls::Certificate && !verifies {
            context.error(
                node.at,
                "`tls: certificate` needs `tls.client_ca` at the top",
            );
        } else if wanted == RuleTls::Required && !encrypts {
            context.error(
                node.at,
                "`tls: required` fits no client, because no TLS is offered (`tls` at the top)",
            );
        }
    }
    if let (Some(node), Some(Method::Certificate)) = (method_node, method) {
        if !verifies {
            context.error(
                node.at,
                "`method: certificate` needs `tls.client_ca` at the top",
            );
        } else if rule_tls == Some(RuleTls::None) {
            context.error(
                node.at,
                "`method: certificate` does not work with `tls: none`",
            );
        }
    }
    map.finish();
    Some(Rule {
        users: users?,
        databases: databases?,
        from: from?,
        tls: rule_tls?,
        method: method?,
    })
}

/// A list, one name, or `all`.
fn names(context: &Context<'_>, node: &Node, what: &str) -> Option<Names> {
    if matches!(&node.value, Value::Text(text) if text == "all") {
        return Some(Names::All);
    }
    let items = one_or_more(context, node, &format!("a list of names of {what}, or all"))?;
    let expected = format!("the name of {what}");
    let names: Vec<Option<String>> = items
        .iter()
        .map(|item| context.text(item, &expected).map(str::to_owned))
        .collect();
    names.into_iter().collect::<Option<_>>().map(Names::Listed)
}

/// Networks, addresses, `local` for Unix sockets; or `all`.
fn origins(context: &Context<'_>, node: &Node) -> Option<Origins> {
    const EXPECTED: &str = "a network such as 10.0.0.0/8 or fd00::/8, an address, or local";
    if matches!(&node.value, Value::Text(text) if text == "all") {
        return Some(Origins::All);
    }
    let mut networks = Vec::new();
    let mut local = false;
    let items = one_or_more(context, node, &format!("a list, each {EXPECTED}"))?;
    for item in items {
        let text = context.text(item, EXPECTED)?;
        let network = text
            .parse::<IpNet>()
            .or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        match network {
            _ if text == "local" => local = true,
            Ok(network) if network.addr() != network.network() => context.error(
                item.at,
                format!(
                    "{text} has bits beyond its mask, did you mean {}?",
                    network.trunc()
                ),
            ),
            // Clients' addresses are compared in their own form.
            Ok(IpNet::V6(network)) if network.addr().to_ipv4_mapped().is_some() => {
                context.error(
                    item.at,
                    format!("{text} stands for IPv4 addresses: write it as IPv4"),
                );
            }
            Ok(network) => networks.push(network),
            Err(_) => context.error(item.at, format!("expected {EXPECTED}, found {text:?}")),
        }
    }
    Some(Origins::Listed { networks, local })
}

fn one_or_more<'n>(context: &Context<'_>, node: &'n Node, expected: &str) -> Option<&'n [Node]> {
    let items = match &node.value {
        Value::List(items) => items.as_slice(),
        Value::Text(_) | Value::Number(_) | Value::Bool { .. } => std::slice::from_ref(node),
        _ => return context.unexpected(node, expected),
    };
    if items.is_empty() {
        context.error(node.at, format!("expected {expected}, found an empty list"));
    }
    Some(items)
}
