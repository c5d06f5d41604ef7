//! Statements that fail, in whatever order they are evaluated: on every row, or before there are any.

use crate::generator::{Generator, Made};
use crate::node::{Node, tree};

/// Tables that have rows, on more than one shard, and a number of theirs.
const TABLES: [(&str, &str); 5] = [
    ("organizations", "organization_id"),
    ("matches", "match_id"),
    ("detections", "detection_id"),
    ("readings", "reading_id"),
    ("organization_crowds", "matches"),
];

impl Generator {
    pub fn failing(mut self) -> Made {
        self.used("failing");
        let tree = match self.below(3) {
            0..2 => self.failing_on_rows(),
            _ => self.failing_at_once(),
        };
        Made {
            tree,
            form: self.form,
            features: self.features,
            failing: true,
        }
    }

    fn failing_on_rows(&mut self) -> Node {
        let (table, column) = self.pick(&TABLES);
        let x = self.pick(&[
            "1 / (# - #)",
            "# % (# - #)",
            "(# / 0.0)",
            "('x' || #)::int",
            "(# || '-13-01')::date",
            "(# || '!')::numeric",
            "(# + 9223372036854775807)",
            "(# + 70000)::smallint",
            "sqrt(-1 - abs(#))",
            "ln(# - #)",
            "chr((# - #)::int)",
            "repeat('a', 1)::uuid::text || #",
            "(array[#])[1] / (# - #)",
            "('{\"a\": ' || #)::jsonb",
            "(# - # || ' mood')::mood",
        ]);
        let x = x.replace('#', column);
        tree![match self.below(10) {
            0..3 => format!("select {x} from {table}"),
            3 => format!("select {x} from {table} where organization_id > 0 order by 1"),
            4 => format!("select organization_id from {table} where {x} is null"),
            5 => format!("select max({x}) from {table}"),
            6 =>
                format!("select organization_id, count({x}) from {table} group by organization_id"),
            7 => format!(
                "select count(*) from {table} group by organization_id having max({x}) is null"
            ),
            8 => format!("select organization_id from {table} order by {x}"),
            _ => format!(
                "select o from (select organization_id as o, {x} as x from {table}) d where x is null"
            ),
        }]
    }

    fn failing_at_once(&mut self) -> Node {
        tree![self.pick(&[
            "select no_such_column from organizations",
            "select count(*) from organizations where no_such_column > 1",
            "select organization_id from organizations o join matches m on true",
            "select name from organizations group by country",
            "select sum(name) from organizations",
            "select organization_id from matches where home > 5",
            "select organization_id from organizations union select name from organizations",
            "select organization_id from organizations union select 1, 2 from matches",
            "select (select organization_id, name from organizations) from matches",
            "select (select organization_id from organizations) from matches",
            "select * from organizations where organization_id = (select organization_id from matches)",
            "select no_such_function(organization_id) from organizations",
            "select * from organizations limit -1",
            "select * from organizations order by 9",
            "select distinct name from organizations order by organization_id",
            "select distinct on (name) * from organizations order by organization_id",
            "select count(*) from organizations where count(*) > 1",
            "select sum(count(*)) from organizations",
            "select rank() over () from organizations where rank() over () > 1",
            "select organization_id from organizations o natural join matches o",
            "select payload from readings group by payload::json",
            "select * from readings where feeling = 'unknown mood'",
            "select * from organizations where organization_id = 'x'",
            "select * from organizations fetch first 2 rows with ties",
            "select string_agg(name) from organizations",
            "select home || from matches",
            "select * from organizations where name ~ '('",
            "with w as (select * from matches) select x from w",
            "select o.no_such from organizations o, lateral (select o.organization_id) l",
        ])]
    }
}
