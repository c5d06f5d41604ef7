//! The figures as tables for people and as JSON for programs. It must not know how they came about.

use std::fmt::Write;

use crate::instructions::Counted;
use crate::json::Json;
use crate::measure::{Cell, Sample, Spread};
use crate::memory::{IDLE, IdleMemory};
use crate::proxies::{BYTE_COPY, POOLER};
use crate::workloads::{Case, Workload};

/// A case through a proxy.
pub struct Row {
    pub workload: &'static Workload,
    pub case: &'static Case,
    pub through: &'static str,
    pub cell: Cell,
}

/// Everything that was measured.
pub struct Report {
    pub about: Vec<(&'static str, Json)>,
    pub rows: Vec<Row>,
    pub idle: Vec<IdleMemory>,
    pub instructions: Vec<Counted>,
}

/// A column: its name in JSON and in the table, and where the figure is.
struct Figure {
    name: &'static str,
    header: &'static str,
    decimals: usize,
    of: fn(&Sample) -> Option<f64>,
}

const FIGURES: [Figure; 8] = [
    Figure {
        name: "per_second",
        header: "per second",
        decimals: 0,
        of: |sample| Some(sample.per_second),
    },
    Figure {
        name: "p50_ms",
        header: "p50 ms",
        decimals: 3,
        of: |sample| Some(sample.p50_ms),
    },
    Figure {
        name: "p99_ms",
        header: "p99 ms",
        decimals: 3,
        of: |sample| Some(sample.p99_ms),
    },
    CPU,
    Figure {
        name: "user_us",
        header: "of it user",
        decimals: 1,
        of: |sample| sample.user_us,
    },
    Figure {
        name: "context_switches",
        header: "switches",
        decimals: 2,
        of: |sample| sample.switches,
    },
    Figure {
        name: "resident_kb",
        header: "resident kB",
        decimals: 0,
        of: |sample| sample.resident_kb,
    },
    Figure {
        name: "grown_kb",
        header: "grown kB",
        decimals: 0,
        of: |sample| sample.grown_kb,
    },
];

const CPU: Figure = Figure {
    name: "cpu_us",
    header: "CPU µs",
    decimals: 1,
    of: |sample| sample.cpu_us,
};

impl Report {
    pub fn tables(&self) -> String {
        let mut text = String::new();
        let mut rows = self.rows.as_slice();
        while let Some(first) = rows.first() {
            let same = |row: &&Row| row.workload.name == first.workload.name;
            let (table, rest) = rows.split_at(rows.iter().take_while(same).count());
            self::table(table, &mut text);
            rows = rest;
        }
        self.idle_table(&mut text);
        self.instruction_table(&mut text);
        text
    }

    pub fn json(&self) -> Json {
        let mut entries = self.about.clone();
        entries.push((
            "cells",
            Json::List(self.rows.iter().map(Row::json).collect()),
        ));
        let idle = self.idle.iter().map(|memory| {
            Json::Object(vec![
                ("through", Json::text(memory.through)),
                ("clients", Json::Number(IDLE as f64)),
                ("before_kb", Json::Number(memory.before_kb as f64)),
                ("after_kb", Json::Number(memory.after_kb as f64)),
                ("kb_per_client", Json::Number(memory.kb_per_client())),
            ])
        });
        entries.push(("idle_clients", Json::List(idle.collect())));
        entries.push((
            "instructions",
            Json::List(self.instructions.iter().map(counted).collect()),
        ));
        Json::Object(entries)
    }

    fn idle_table(&self, to: &mut String) {
        if self.idle.is_empty() {
            return;
        }
        let _ = writeln!(
            to,
            "\nidle-memory: {IDLE} idle clients that have run a statement\n"
        );
        let _ = writeln!(
            to,
            "{:<10} {:>12} {:>12} {:>14}",
            "through", "before kB", "with them kB", "kB per client"
        );
        for memory in &self.idle {
            let _ = writeln!(
                to,
                "{:<10} {:>12} {:>12} {:>14.2}",
                memory.through,
                memory.before_kb,
                memory.after_kb,
                memory.kb_per_client()
            );
        }
    }

    fn instruction_table(&self, to: &mut String) {
        if self.instructions.is_empty() {
            return;
        }
        let _ = writeln!(
            to,
            "\ninstructions: Trunkline's own, point SELECT by key, by callgrind\n"
        );
        let _ = writeln!(to, "{:<10} {:>14}", "form", "per statement");
        for Counted { form, runs } in &self.instructions {
            let shown = match runs {
                Ok(runs) => format!("{:>14.0}", runs.per_statement()),
                Err(reason) => format!("not available: {reason}"),
            };
            let _ = writeln!(to, "{form:<10} {shown}");
        }
    }
}

impl Row {
    fn json(&self) -> Json {
        let cell = &self.cell;
        let mut entries = vec![
            ("workload", Json::text(self.workload.name)),
            ("case", Json::text(self.case.label)),
            ("clients", Json::Number(f64::from(self.case.clients))),
            ("unit", Json::text(self.workload.unit)),
            ("through", Json::text(self.through)),
        ];
        if let Some(fault) = &cell.fault {
            entries.push(("fault", Json::text(fault)));
            return Json::Object(entries);
        }
        for figure in &FIGURES {
            let spread = cell.spread(figure.of).map(|spread| {
                Json::Object(vec![
                    ("median", Json::Number(spread.median)),
                    ("min", Json::Number(spread.min)),
                    ("max", Json::Number(spread.max)),
                ])
            });
            entries.push((figure.name, spread.unwrap_or(Json::Null)));
        }
        let calls = cell.syscalls.as_ref();
        entries.push((
            "syscalls",
            Json::number(calls.and_then(|calls| calls.clone().ok())),
        ));
        Json::Object(entries)
    }
}

fn counted(counted: &Counted) -> Json {
    let mut entries = vec![("form", Json::text(counted.form))];
    match &counted.runs {
        Ok(runs) => {
            let [(few, short), (many, long)] = runs.0;
            let pair = |a, b| Json::List(vec![Json::Number(a as f64), Json::Number(b as f64)]);
            entries.push(("per_statement", Json::Number(runs.per_statement())));
            entries.push(("statements", pair(few, many)));
            entries.push(("instructions", pair(short, long)));
        }
        Err(reason) => entries.push(("fault", Json::text(reason))),
    }
    Json::Object(entries)
}

/// The rows of one workload.
fn table(rows: &[Row], to: &mut String) {
    let workload = rows[0].workload;
    let _ = writeln!(
        to,
        "\n{}: {}. Costs are per {}.\n",
        workload.name, workload.title, workload.unit
    );
    let _ = write!(to, "{:<20} {:<10}", "case", "through");
    for figure in &FIGURES {
        let _ = write!(to, " {:>11}", figure.header);
    }
    let _ = write!(to, " {:>9}", "syscalls");
    for reference in REFERENCES {
        let _ = write!(to, " {:>19}", format!("CPU, rate/{reference}"));
    }
    to.push('\n');
    for row in rows {
        let _ = write!(to, "{:<20} {:<10}", row.case.label, row.through);
        if let Some(fault) = &row.cell.fault {
            let _ = writeln!(to, " {fault}");
            continue;
        }
        for figure in &FIGURES {
            let median = row.cell.spread(figure.of).map(|spread| spread.median);
            let _ = write!(to, " {:>11}", shown(median, figure.decimals));
        }
        let _ = write!(to, " {:>9}", syscalls(&row.cell));
        for reference in REFERENCES {
            let other = rows
                .iter()
                .find(|other| other.through == reference && other.case.label == row.case.label);
            let _ = write!(
                to,
                " {:>19}",
                ratios(&row.cell, other.map(|other| &other.cell))
            );
        }
        to.push('\n');
    }
    reasons(rows, to);
}

/// Why calls were not counted, once for each reason.
fn reasons(rows: &[Row], to: &mut String) {
    let mut told = Vec::new();
    for row in rows {
        if let Some(Err(reason)) = &row.cell.syscalls
            && !told.contains(&reason)
        {
            let _ = writeln!(to, "no system calls ({}): {reason}", row.through);
            told.push(reason);
        }
    }
}

fn syscalls(cell: &Cell) -> String {
    match &cell.syscalls {
        None => "-".to_owned(),
        Some(Ok(calls)) => format!("{calls:.2}"),
        Some(Err(_)) => "n/a".to_owned(),
    }
}

/// Processor time and throughput as multiples of another's.
fn ratios(cell: &Cell, other: Option<&Cell>) -> String {
    let ratio = |figure: &Figure| {
        let median = |cell: &Cell| cell.spread(figure.of).map(|spread: Spread| spread.median);
        let (own, others) = (median(cell)?, median(other?)?);
        (others > 0.0).then_some(own / others)
    };
    let [cpu, rate] = [&CPU, &FIGURES[0]].map(|figure| shown(ratio(figure), 2));
    format!("{cpu}, {rate}")
}

fn shown(figure: Option<f64>, decimals: usize) -> String {
    figure.map_or("-".to_owned(), |figure| format!("{figure:.decimals$}"))
}

const REFERENCES: [&str; 2] = [POOLER, BYTE_COPY];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instructions::Runs;
    use crate::workloads::WORKLOADS;

    fn row(through: &'static str, cpu_us: Option<f64>, per_second: f64) -> Row {
        let sample = Sample {
            per_second,
            p50_ms: 1.0,
            p99_ms: 2.0,
            cpu_us,
            user_us: cpu_us.map(|cpu| cpu / 4.0),
            switches: cpu_us.map(|_| 1.5),
            resident_kb: cpu_us.map(|_| 4_000.0),
            grown_kb: cpu_us.map(|_| 100.0),
        };
        Row {
            workload: &WORKLOADS[0],
            case: &WORKLOADS[0].cases[0],
            through,
            cell: Cell {
                samples: vec![sample],
                fault: None,
                syscalls: Some(Ok(4.0)),
            },
        }
    }

    fn report() -> Report {
        let mut broken = row("other", None, 1.0);
        broken.cell.fault = Some("unsupported".to_owned());
        Report {
            about: vec![("rounds", Json::Number(1.0))],
            rows: vec![
                row(POOLER, Some(40.0), 1_000.0),
                row(BYTE_COPY, Some(20.0), 2_000.0),
                row("trunkline", Some(60.0), 500.0),
                row("direct", None, 4_000.0),
                broken,
            ],
            idle: vec![IdleMemory {
                through: POOLER,
                before_kb: 1_000,
                after_kb: 6_000,
            }],
            instructions: vec![
                Counted {
                    form: "simple",
                    runs: Ok(Runs([(1, 100), (3, 300)])),
                },
                Counted {
                    form: "shape",
                    runs: Err("valgrind is not installed".to_owned()),
                },
            ],
        }
    }

    #[test]
    fn tables_have_ratios_and_say_what_is_missing() {
        let text = report().tables();
        let line = |through: &str| {
            let mut lines = text.lines();
            lines.find(|line| line.contains(through)).unwrap()
        };
        assert!(line("trunkline").contains("1.50, 0.50"), "{text}");
        assert!(line("trunkline").contains("3.00, 0.25"), "{text}");
        assert!(line("direct").contains("-, 4.00"), "{text}");
        assert!(line("other").ends_with("unsupported"), "{text}");
        assert!(text.contains("valgrind is not installed"), "{text}");
        assert!(text.contains("5.00"), "{text}");
    }

    #[test]
    fn json_has_every_figure_or_the_fault() {
        let text = report().json().to_string();
        for figure in &FIGURES {
            assert!(text.contains(&format!("\"{}\": {{\"median\"", figure.name)));
        }
        assert!(text.contains(r#""cpu_us": null"#), "{text}");
        assert!(text.contains(r#""fault": "unsupported""#), "{text}");
        assert!(text.contains(r#""kb_per_client": 5"#), "{text}");
        assert!(text.contains(r#""per_statement": 100"#), "{text}");
        assert!(text.contains(r#""fault": "valgrind is not"#), "{text}");
    }
}
