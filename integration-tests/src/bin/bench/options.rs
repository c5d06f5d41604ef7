//! The command line. It knows which words there are, not what they do.

use std::path::PathBuf;

/// How to run, with every word checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    pub seconds: u64,
    pub rounds: usize,
    pub json: PathBuf,
    pub soak: Option<u64>,
    only: Vec<String>,
    without: Vec<String>,
    through: Vec<String>,
}

/// What the arguments ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    Help,
    Run(Options),
}

/// The words that options may name.
#[derive(Clone, Debug)]
pub struct Words {
    /// What can be measured by itself.
    pub parts: Vec<&'static str>,
    /// Of these, what is measured only by its name.
    pub named_only: Vec<&'static str>,
    pub proxies: Vec<&'static str>,
}

impl Options {
    pub fn parse(
        arguments: impl IntoIterator<Item = String>,
        words: &Words,
    ) -> Result<Wanted, String> {
        let mut options = Self::default();
        let mut arguments = arguments.into_iter();
        while let Some(name) = arguments.next() {
            if matches!(name.as_str(), "-h" | "--help") {
                return Ok(Wanted::Help);
            }
            let (name, value) = match name.split_once('=') {
                Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
                None => (name, None),
            };
            let mut value = || {
                let value = value.clone().or_else(|| arguments.next());
                value.ok_or(format!("{name} needs a value"))
            };
            match name.as_str() {
                "--seconds" => options.seconds = number(&value()?)?,
                "--rounds" => options.rounds = number(&value()?)? as usize,
                "--json" => options.json = value()?.into(),
                "--soak" => options.soak = Some(number(&value()?)?),
                "--only" => options.only = list(&value()?, &words.parts)?,
                "--without" => {
                    let all = [words.parts.as_slice(), &[SYSCALLS]].concat();
                    options.without = list(&value()?, &all)?;
                }
                "--through" => options.through = list(&value()?, &words.proxies)?,
                _ => return Err(format!("there is no option {name}")),
            }
        }
        Ok(Wanted::Run(options))
    }

    pub fn wants(&self, part: &str) -> bool {
        let named = |list: &[String]| list.iter().any(|name| name == part);
        (self.only.is_empty() || named(&self.only)) && !named(&self.without)
    }

    /// Whether it is asked for by its name.
    pub fn names(&self, part: &str) -> bool {
        self.only.iter().any(|name| name == part)
    }

    /// System calls are counted for whatever is measured, unless that is not wanted.
    pub fn wants_syscalls(&self) -> bool {
        !self.without.iter().any(|name| name == SYSCALLS)
    }

    pub fn wants_proxy(&self, name: &str) -> bool {
        self.through.is_empty() || self.through.iter().any(|wanted| wanted == name)
    }

    /// The soak is about one proxy unless others are named.
    pub fn names_proxies(&self) -> bool {
        !self.through.is_empty()
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            seconds: 2,
            rounds: 5,
            json: "target/bench.json".into(),
            soak: None,
            only: Vec::new(),
            without: Vec::new(),
            through: Vec::new(),
        }
    }
}

pub fn usage(words: &Words) -> String {
    let defaults = Options::default();
    format!(
        "bench [OPTIONS]

  --seconds N       of each measurement ({seconds})
  --rounds N        of which the medians are shown ({rounds})
  --only LIST       what to measure, with commas between; {named_only} only so
  --without LIST    what not to measure; also: {SYSCALLS}
  --through LIST    which proxies
  --json FILE       where to write the figures ({json})
  --soak SECONDS    instead of all that: mixed load, and memory at intervals

what:    {parts}
proxies: {proxies}
",
        seconds = defaults.seconds,
        rounds = defaults.rounds,
        json = defaults.json.display(),
        named_only = words.named_only.join(", "),
        parts = words.parts.join(", "),
        proxies = words.proxies.join(", "),
    )
}

fn number(text: &str) -> Result<u64, String> {
    match text.parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(format!("not a number above zero: {text}")),
    }
}

fn list(text: &str, known: &[&str]) -> Result<Vec<String>, String> {
    let word = |word: &str| {
        if known.contains(&word) {
            Ok(word.to_owned())
        } else {
            Err(format!("{word} is none of {}", known.join(", ")))
        }
    };
    text.split(',').map(word).collect()
}

const SYSCALLS: &str = "syscalls";

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Wanted, String> {
        let words = Words {
            parts: vec!["point", "insert"],
            named_only: vec!["insert"],
            proxies: vec!["direct", "trunkline"],
        };
        Options::parse(line.split_whitespace().map(str::to_owned), &words)
    }

    fn run(line: &str) -> Options {
        match parse(line) {
            Ok(Wanted::Run(options)) => options,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn nothing_said_is_everything() {
        let options = run("");
        assert_eq!(options, Options::default());
        assert!(options.wants("point") && options.wants_proxy("direct"));
        assert!(options.wants_syscalls() && !options.names_proxies());
    }

    #[test]
    fn values_follow_or_are_joined() {
        let options = run("--seconds 7 --rounds=3 --json x.json --soak 60");
        assert_eq!((options.seconds, options.rounds), (7, 3));
        assert_eq!(
            (options.json, options.soak),
            (PathBuf::from("x.json"), Some(60))
        );
    }

    #[test]
    fn lists_choose() {
        let options = run("--only point,insert --without insert,syscalls --through trunkline");
        assert!(options.wants("point") && !options.wants("insert"));
        assert!(!options.wants_syscalls());
        assert!(options.names("point") && !run("").names("point"));
        assert!(options.wants_proxy("trunkline") && !options.wants_proxy("direct"));
    }

    #[test]
    fn unknown_words_are_refused() {
        for line in [
            "--only nothing",
            "--only syscalls",
            "--through point",
            "--seconds 0",
            "--rounds many",
            "--seconds",
            "5",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
        assert_eq!(parse("--only point --help"), Ok(Wanted::Help));
    }
}
