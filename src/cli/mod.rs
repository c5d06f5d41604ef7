//! The command line: `serve`, `check`, `explain`, `demo`; one file each.

mod explain;

use std::process::ExitCode;

pub fn run() -> ExitCode {
    ExitCode::SUCCESS
}
