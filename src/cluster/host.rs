//! What all servers of one process share.

use std::sync::Arc;

use super::{Account, Binaries, Error, Ports};

/// Binaries, account and ports of this machine.
#[derive(Debug)]
pub struct Host {
    pub binaries: Binaries,
    pub account: Account,
    pub ports: Ports,
}

impl Host {
    pub fn detect() -> Result<Arc<Self>, Error> {
        Ok(Arc::new(Self {
            binaries: Binaries::find()?,
            account: Account::detect()?,
            ports: Ports::new(std::process::id()),
        }))
    }
}
