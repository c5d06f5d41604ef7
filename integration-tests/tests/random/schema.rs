//! Types as far as the generator tells them apart, and the tables of the world.

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Type {
    Int2,
    Int4,
    Int8,
    Numeric,
    Real,
    Float,
    Bool,
    Text,
    Date,
    Timestamp,
    Timestamptz,
    Interval,
    Uuid,
    Bytea,
    Mood,
    Ints,
    Texts,
    Jsonb,
    /// Has neither an order nor equality.
    Json,
}

impl Type {
    pub const ALL: [Self; 19] = [
        Self::Int2,
        Self::Int4,
        Self::Int8,
        Self::Numeric,
        Self::Real,
        Self::Float,
        Self::Bool,
        Self::Text,
        Self::Date,
        Self::Timestamp,
        Self::Timestamptz,
        Self::Interval,
        Self::Uuid,
        Self::Bytea,
        Self::Mood,
        Self::Ints,
        Self::Texts,
        Self::Jsonb,
        Self::Json,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Int2 => "smallint",
            Self::Int4 => "int",
            Self::Int8 => "bigint",
            Self::Numeric => "numeric",
            Self::Real => "real",
            Self::Float => "double precision",
            Self::Bool => "boolean",
            Self::Text => "text",
            Self::Date => "date",
            Self::Timestamp => "timestamp",
            Self::Timestamptz => "timestamptz",
            Self::Interval => "interval",
            Self::Uuid => "uuid",
            Self::Bytea => "bytea",
            Self::Mood => "mood",
            Self::Ints => "int[]",
            Self::Texts => "text[]",
            Self::Jsonb => "jsonb",
            Self::Json => "json",
        }
    }

    pub fn is_integer(self) -> bool {
        matches!(self, Self::Int2 | Self::Int4 | Self::Int8)
    }

    /// The largest value either sign has.
    pub fn limit(self) -> f64 {
        match self {
            Self::Int2 => 32_767.0,
            Self::Int4 => 2_147_483_647.0,
            Self::Int8 => 9.2e18,
            _ => f64::INFINITY,
        }
    }

    /// Whether an expression of this type may stand where one of the other is wanted.
    pub fn fits(self, wanted: Self) -> bool {
        self == wanted || self.is_integer() && wanted.is_integer() && self <= wanted
    }

    /// Whether PostgreSQL has `min` and `max` of it.
    pub fn has_extremes(self) -> bool {
        !matches!(
            self,
            Self::Bool | Self::Uuid | Self::Bytea | Self::Jsonb | Self::Json
        )
    }
}

/// A column, or an output column of a subquery.
#[derive(Clone, Debug)]
pub struct Column {
    /// As it is written.
    pub name: String,
    pub ty: Type,
    /// No value is further from zero. Infinite: there may be infinities or NaN too, of dates as well.
    pub bound: f64,
    /// Values that are equal look the same: not so 1.0 and 1.00, 0 and -0, a day and 24 hours, 'a' and 'a ' of `char`.
    pub exact: bool,
}

pub struct Table {
    pub name: &'static str,
    /// About how many rows there are.
    pub rows: f64,
    pub columns: Vec<Column>,
    /// How many of the first columns are a key. Without one equal rows are there twice, and nothing tells them apart.
    pub key: usize,
    /// Conditions that leave few rows, `@` being the alias, and how many.
    pub restrictions: &'static [(&'static str, f64)],
}

fn column(name: &str, ty: Type, bound: f64, exact: bool) -> Column {
    Column {
        name: name.to_owned(),
        ty,
        bound,
        exact,
    }
}

/// A column of few or of ordinary values.
fn plain(name: &str, ty: Type, bound: f64) -> Column {
    column(name, ty, bound, true)
}

fn organizations() -> Column {
    plain("organization_id", Type::Int8, 1001.0)
}

const LARGE: f64 = f64::INFINITY;

fn readings() -> Vec<Column> {
    let mut columns = vec![
        organizations(),
        plain("reading_id", Type::Int8, 1000.0),
        plain("small_n", Type::Int2, 32_768.0),
        plain("int_n", Type::Int4, 2_147_483_648.0),
        plain("big_n", Type::Int8, LARGE),
        column("real_n", Type::Real, LARGE, false),
        column("double_n", Type::Float, LARGE, false),
        column("numeric_n", Type::Numeric, LARGE, false),
        plain("price", Type::Numeric, 1e8),
        plain("valid", Type::Bool, 1.0),
        plain("day", Type::Date, LARGE),
        plain("local_at", Type::Timestamp, LARGE),
        plain("seen_at", Type::Timestamptz, LARGE),
        column("lasted", Type::Interval, 1.0, false),
        plain("note", Type::Text, 1.0),
        column("code", Type::Text, 1.0, false),
        plain("title", Type::Text, 1.0),
        plain("raw", Type::Bytea, 1.0),
        plain("device", Type::Uuid, 1.0),
        plain("payload", Type::Jsonb, 1.0),
        plain("numbers", Type::Ints, LARGE),
        plain("words", Type::Texts, 1.0),
        plain("feeling", Type::Mood, 1.0),
        plain("\"Mixed \"\"Case\"\"\"", Type::Int4, 10.0),
    ];
    let long = "a_name_of_sixty_three_bytes_which_is_as_long_as_postgres_allows";
    columns.push(plain(long, Type::Text, 1.0));
    columns
}

/// The tables and views, and how often each is read.
pub fn tables() -> Vec<(u64, Table)> {
    let mut tables = sharded();
    tables.extend(small());
    tables.extend(views());
    tables
}

fn match_id() -> Column {
    plain("match_id", Type::Int8, 9_100.0)
}

/// With a number of rows, and of key columns.
fn table(
    name: &'static str,
    rows: f64,
    key: usize,
    columns: Vec<Column>,
    restrictions: &'static [(&'static str, f64)],
) -> Table {
    Table {
        name,
        rows,
        columns,
        key,
        restrictions,
    }
}

fn sharded() -> Vec<(u64, Table)> {
    use Type::*;
    let lonely = vec![
        organizations(),
        plain("id", Int8, 10.0),
        plain("n", Int4, 100.0),
        plain("label", Text, 1.0),
    ];
    let empty_rows = vec![
        organizations(),
        plain("id", Int8, 10.0),
        plain("n", Int4, 10.0),
        plain("amount", Numeric, 10.0),
        plain("ratio", Float, 10.0),
        plain("label", Text, 1.0),
    ];
    let of_readings: &[_] = &[
        ("@.organization_id < 20", 35.0),
        ("@.reading_id = 1", 42.0),
        ("@.organization_id in (2, 151, -5)", 13.0),
        ("@.feeling = 'meh'", 20.0),
    ];
    let tags = vec![organizations(), match_id(), plain("tag", Text, 1.0)];
    let of_tags: &[_] = &[
        ("@.tag = 'final'", 18.0),
        ("@.organization_id < 8", 30.0),
        ("@.match_id = 2", 30.0),
    ];
    vec![
        (22, organization_table()),
        (22, match_table()),
        (14, detection_table()),
        (20, table("readings", 130.0, 2, readings(), of_readings)),
        (16, table("tags", 130.0, 3, tags, of_tags)),
        (5, table("lonely", 6.0, 2, lonely, &[])),
        (2, table("empty_rows", 1.0, 1, empty_rows, &[])),
    ]
}

fn organization_table() -> Table {
    let columns = vec![
        organizations(),
        plain("name", Type::Text, 1.0),
        column("country", Type::Text, 1.0, false),
        plain("created_at", Type::Timestamptz, 1.0),
    ];
    let restrictions = &[
        ("@.organization_id < 12", 11.0),
        ("@.organization_id in (1, 7, 42, 150, 200)", 5.0),
        ("@.country = 'DE'", 25.0),
        ("@.name like '%7'", 20.0),
        ("@.organization_id % 17 = 3", 12.0),
    ];
    table("organizations", 200.0, 1, columns, restrictions)
}

fn match_table() -> Table {
    let columns = vec![
        organizations(),
        match_id(),
        plain("home", Type::Text, 1.0),
        plain("away", Type::Text, 1.0),
        plain("played_on", Type::Date, 1.0),
        plain("spectators", Type::Int4, 60_000.0),
    ];
    let restrictions = &[
        ("@.organization_id between 30 and 45", 30.0),
        ("@.spectators > 56000", 30.0),
        ("@.organization_id in (3, 9, 42)", 6.0),
        ("@.match_id = 2 and @.organization_id < 60", 30.0),
        ("@.home = 'Team 3'", 12.0),
    ];
    table("matches", 420.0, 2, columns, restrictions)
}

/// Its key is the first and the third column; with the second it is one all the more.
fn detection_table() -> Table {
    let columns = vec![
        organizations(),
        match_id(),
        plain("detection_id", Type::Int8, 100_000.0),
        plain("class_id", Type::Int4, 12.0),
        plain("score", Type::Numeric, 1.0),
        plain("detected_at", Type::Timestamptz, 1.0),
        plain("label", Type::Text, 1.0),
        plain("payload", Type::Jsonb, 1.0),
    ];
    let restrictions = &[
        ("@.detection_id = 1 and @.organization_id < 40", 40.0),
        ("@.score > 0.99", 28.0),
        ("@.organization_id in (3, 42)", 15.0),
        ("@.class_id = 5 and @.score < 0.1", 23.0),
    ];
    table("detections", 2_800.0, 3, columns, restrictions)
}

/// Reference tables, then unsharded ones.
fn small() -> Vec<(u64, Table)> {
    let name = || plain("name", Type::Text, 1.0);
    let classes = vec![plain("class_id", Type::Int4, 12.0), name()];
    let levels = vec![plain("level", Type::Int4, 10.0), name()];
    let countries = vec![
        column("code", Type::Text, 1.0, false),
        name(),
        plain("continent", Type::Text, 1.0),
    ];
    let notes = vec![
        plain("id", Type::Int4, 10.0),
        organizations(),
        plain("body", Type::Text, 1.0),
    ];
    vec![
        (5, table("classes", 12.0, 1, classes, &[])),
        (5, table("levels", 5.0, 1, levels, &[])),
        (4, table("countries", 9.0, 1, countries, &[])),
        (4, table("notes", 9.0, 1, notes, &[])),
    ]
}

fn views() -> Vec<(u64, Table)> {
    use Type::*;
    let spectators = || plain("spectators", Int4, 60_000.0);
    let sheets = vec![
        organizations(),
        match_id(),
        plain("pairing", Text, 1.0),
        plain("played_on", Date, 1.0),
        spectators(),
    ];
    let places = vec![
        organizations(),
        match_id(),
        plain("played_on", Date, 1.0),
        spectators(),
        plain("organization", Text, 1.0),
        column("country", Text, 1.0, false),
    ];
    let crowds = vec![
        organizations(),
        plain("matches", Int8, 1e6),
        plain("crowd", Int8, 1e9),
        plain("last_played", Date, 1.0),
    ];
    let of_sheets: &[_] = &[("@.organization_id between 30 and 45", 30.0)];
    let of_places: &[_] = &[("@.spectators > 56000", 30.0)];
    let of_crowds: &[_] = &[("@.matches > 2", 12.0), ("@.organization_id < 20", 19.0)];
    vec![
        (3, table("match_sheets", 420.0, 2, sheets, of_sheets)),
        (3, table("match_places", 420.0, 2, places, of_places)),
        (3, table("organization_crowds", 200.0, 1, crowds, of_crowds)),
    ]
}
