//! A crash must not write what is in memory, passwords among it, to a disk.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Lowers the soft limit on core dumps to nothing. Whoever needs one can raise it again from outside
/// (`prlimit --core`), because the hard limit stays.
///
/// Source: `core(5)`; a handler in `core_pattern` that is a program decides for itself, those in use
/// (systemd-coredump, apport) keep to the limit.
pub(super) fn forbid() {
    let limit = getrlimit(Resource::Core);
    let none = Rlimit {
        current: Some(0),
        maximum: limit.maximum,
    };
    if let Err(error) = setrlimit(Resource::Core, none) {
        tracing::warn!(%error, "core dumps could not be switched off");
    }
}
