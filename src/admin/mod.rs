//! The console: commands, and the views (rows) that console, command line and HTTP all show.

use std::sync::Arc;

use crate::error::PgError;
use crate::session::Shared;
use crate::wire::Column;

/// What a command answers with.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// `None` for a command without rows.
    pub columns: Option<Vec<Column>>,
    pub rows: Vec<Vec<Option<String>>>,
    /// CommandComplete's tag.
    pub tag: String,
}

/// The admin database of one proxy.
pub struct Console {
    shared: Arc<Shared>,
}

impl Console {
    /// What drivers expect to be told when they connect.
    pub const PARAMETERS: [(&str, &str); 6] = [
        ("server_version", "15.0 (Trunkline)"),
        ("server_encoding", "UTF8"),
        ("client_encoding", "UTF8"),
        ("DateStyle", "ISO, MDY"),
        ("integer_datetimes", "on"),
        ("standard_conforming_strings", "on"),
    ];

    pub fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    pub async fn run(&self, text: &str) -> Result<View, PgError> {
        let _ = (&self.shared, text);
        Err(PgError::refusal("not yet", ""))
    }
}
