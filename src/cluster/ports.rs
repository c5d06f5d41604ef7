//! Free TCP ports on loopback.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::Mutex;

use super::Error;

/// Below the range from which the kernel takes ports for outgoing connections (from 32768 on), so
/// that a client's connection cannot take a port between our look and the server's bind.
const FIRST: u16 = 20_000;
const LAST: u16 = 31_999;

/// Hands out each port once.
#[derive(Debug)]
pub struct Ports {
    next: Mutex<u16>,
}

impl Ports {
    /// `seed` spreads processes that run at the same time; the process id serves well.
    pub fn new(seed: u32) -> Self {
        let span = u32::from(LAST - FIRST) + 1;
        // A step of 61 ports for each process id keeps neighbours apart.
        let offset = (seed.wrapping_mul(61) % span) as u16;
        Self {
            next: Mutex::new(FIRST + offset),
        }
    }

    /// A port nothing listens on now.
    pub fn take(&self) -> Result<u16, Error> {
        let mut next = self
            .next
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        for _ in FIRST..=LAST {
            let port = *next;
            *next = if port == LAST { FIRST } else { port + 1 };
            if Self::is_free(port) {
                return Ok(port);
            }
        }
        Err(Error::NoPort {
            first: FIRST,
            last: LAST,
        })
    }

    /// `wanted` if nothing listens on it, else another.
    pub fn prefer(&self, wanted: u16) -> Result<u16, Error> {
        if Self::is_free(wanted) {
            Ok(wanted)
        } else {
            self.take()
        }
    }

    pub fn is_free(port: u16) -> bool {
        TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn taken_ports_are_skipped_and_none_comes_twice() {
        let ports = Ports::new(std::process::id());
        let first = ports.take().unwrap();
        let held = TcpListener::bind((Ipv4Addr::LOCALHOST, first + 1));
        let second = ports.take().unwrap();
        assert_ne!(first, second);
        if held.is_ok() {
            assert_ne!(second, first + 1);
        }
    }
}
