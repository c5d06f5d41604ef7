//! Findings about the certificate that clients are shown.

use std::time::{Duration, SystemTime};

use super::Finding;
use crate::config::Config;
use crate::net::Acceptor;

/// Reads the files under `tls`, as `serve` would.
pub(super) fn findings(config: &Config, now: SystemTime) -> Vec<Finding> {
    let Some(tls) = &config.tls else {
        return Vec::new();
    };
    match Acceptor::load(tls) {
        Ok(acceptor) => {
            let file = tls.certificate.display().to_string();
            let end = acceptor.not_after();
            end.and_then(|end| ending(&file, end, now))
                .into_iter()
                .collect()
        }
        Err(error) => vec![Finding::error(
            None,
            "TLS toward clients",
            error.to_string(),
            "mend the files under `tls`: neither a start nor a reload takes them",
        )],
    }
}

/// A warning, since `serve` shows an expired certificate too; clients that verify it refuse it.
fn ending(file: &str, end: SystemTime, now: SystemTime) -> Option<Finding> {
    let message = match end.duration_since(now) {
        Err(_) => "the certificate has expired".to_owned(),
        Ok(left) if left < SOON => {
            format!("the certificate expires in {} days", left.as_secs() / DAY)
        }
        Ok(_) => return None,
    };
    let way_out = "renew it, then reload";
    Some(Finding::warning(None, file, message, way_out))
}

const DAY: u64 = 24 * 60 * 60;
const SOON: Duration = Duration::from_secs(14 * DAY);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warns_before_the_end_and_after_it() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000 * DAY);
        let told = |end| ending("own.crt", end, now).map(|finding| finding.to_string());
        assert_eq!(told(now + SOON), None);
        assert_eq!(
            told(now + Duration::from_secs(2 * DAY + 1)).as_deref(),
            Some(
                "warning: own.crt: the certificate expires in 2 days\n  way out: renew it, then reload"
            )
        );
        let expired = told(now - Duration::from_secs(1)).expect("a finding");
        assert!(expired.contains("has expired"), "{expired}");
    }
}
