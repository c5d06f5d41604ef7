//! What PostgreSQL's grammar has and the parser's has not, taken out or replaced where the scopes, relations
//! and conditions stay the same without it. Only the analysis sees the result; servers get the client's text.
//!
//! Words are told apart by what stands around them, which is safe because of two things: the words are
//! reserved in PostgreSQL or the pattern is no valid SQL in another meaning, and the census that compares the
//! names of the client's own tokens with those in the tree comes after.

use std::borrow::Cow;

use super::lex::{Kind, Token};
use super::reserved::is_reserved;

/// Tokens between the brackets of a subscript, in the target of SET.
const SUBSCRIPT_TOKENS_MAX: usize = 16;
/// Tokens of a count of rows.
const COUNT_TOKENS_MAX: usize = 32;
/// Types of which PostgreSQL reads `type 'value'` as a constant, and the parser a column with a label. Not `path`, which
/// stands before a string in XMLTABLE.
const CONSTANT_TYPES: [&str; 21] = [
    "box",
    "cidr",
    "circle",
    "daterange",
    "inet",
    "int4range",
    "int8range",
    "line",
    "lseg",
    "macaddr",
    "macaddr8",
    "money",
    "numrange",
    "pg_lsn",
    "point",
    "polygon",
    "tsquery",
    "tsrange",
    "tstzrange",
    "tsvector",
    "xml",
];

/// The tokens for the parser.
///
/// Errors: the word that stands where we do not expect it.
pub(super) fn rewritten<'t>(tokens: &'t [Token<'_>]) -> Result<Cow<'t, [Token<'t>]>, String> {
    let mut rewriter = Rewriter {
        tokens,
        out: Vec::new(),
        copied: 0,
        changed: false,
        sets: false,
        conflicts: true,
    };
    let mut place = 0;
    while let Some(token) = tokens.get(place) {
        let next = match token.kind {
            Kind::Word => rewriter.word(place)?,
            Kind::Operator => rewriter.operator(place),
            Kind::String | Kind::StringSlot => rewriter.typed_string(place),
            _ => place + 1,
        };
        place = next.max(place + 1);
    }
    if !rewriter.changed {
        return Ok(Cow::Borrowed(tokens));
    }
    rewriter.copy(tokens.len());
    Ok(Cow::Owned(rewriter.out))
}

/// The name of a WITH member that is not in the client's text: no name there has a NUL.
pub(super) const NO_CTE: &str = "\0";

struct Rewriter<'t> {
    tokens: &'t [Token<'t>],
    out: Vec<Token<'t>>,
    /// Tokens before this one are in `out`, or left out.
    copied: usize,
    changed: bool,
    /// The word SET was met.
    sets: bool,
    /// Looking for the end of ON CONFLICT has not failed yet: that keeps it from being done again and again.
    conflicts: bool,
}

impl<'t> Rewriter<'t> {
    /// Each returns the place to go on from.
    fn word(&mut self, place: usize) -> Result<usize, String> {
        let next = place + 1;
        match &*self.tokens[place].value {
            "only" => return self.only(place),
            "table" => return self.table(place),
            "for" => return Ok(self.lock(place)),
            "on" if self.conflicts && self.is_word(next, "conflict") => {
                return Ok(self.conflict(place + 2));
            }
            "exclude" => return Ok(self.exclude(place)),
            "between" if self.is_word(next, "symmetric") || self.is_word(next, "asymmetric") => {
                // Which of the two bounds is the lower one; no condition is made of either.
                self.replace(next, next + 1, &[]);
                return Ok(next + 1);
            }
            "group" if self.is_word(next, "by") && self.is_word(next + 1, "distinct") => {
                // Of grouping sets that are the same, one.
                self.replace(next + 1, next + 2, &[]);
                return Ok(next + 2);
            }
            "fetch" => return Ok(self.fetch(place)),
            "tablesample" => return Ok(self.sample(place)),
            "rows" => return Ok(self.rows_from(place)),
            "name" => return Ok(self.xml_name(place)),
            "variadic"
                if self
                    .before(place)
                    .is_some_and(|b| b.is_op("(") || b.is_op(",")) =>
            {
                // A named argument: it is at no position.
                let named = [(Kind::Quoted, "variadic"), (Kind::Operator, "=>")];
                self.replace(place, next, &named);
            }
            "overriding" if self.is_word(next, "system") && self.is_word(place + 2, "value") => {
                self.replace(place, place + 3, &[]);
                return Ok(place + 3);
            }
            "values" if self.is_listed_query(place) => {
                // The parser knows a query in an expression by SELECT or WITH.
                let with = [
                    (Kind::Word, "with"),
                    (Kind::Quoted, NO_CTE),
                    (Kind::Word, "as"),
                    (Kind::Operator, "("),
                    (Kind::Word, "select"),
                    (Kind::Word, "null"),
                    (Kind::Operator, ")"),
                ];
                self.replace(place, place, &with);
            }
            "set" => self.sets = true,
            _ => {}
        }
        Ok(next)
    }

    fn operator(&mut self, place: usize) -> usize {
        match &*self.tokens[place].value {
            "*" if self.is_inheritance_star(place) => self.replace(place, place + 1, &[]),
            "[" if self.sets => return self.subscript(place),
            _ => {}
        }
        place + 1
    }

    /// `ONLY t` and `ONLY (t)`: without partitions and children. They are on the same shards.
    fn only(&mut self, place: usize) -> Result<usize, String> {
        let Some(before) = self.before(place) else {
            return Err("ONLY".to_owned());
        };
        let kept = ["row", "rows", "as"]
            .iter()
            .any(|word| before.is_word(word));
        if kept || before.is_op(".") {
            return Ok(place + 1);
        }
        let table = ["from", "join", "update", "into", "using", "table"]
            .iter()
            .any(|word| before.is_word(word))
            || before.is_op(",")
            || before.is_op("(");
        let next = place + 1;
        if table && self.is_relation(next) {
            self.replace(place, next, &[]);
            return Ok(next);
        }
        let end = self.after_relation(next + 1);
        if table && self.is_op(next, "(") && self.is_op(end, ")") {
            self.replace(place, next + 1, &[]);
            self.replace(end, end + 1, &[]);
            return Ok(end + 1);
        }
        Err("ONLY".to_owned())
    }

    /// `TABLE t` is `SELECT * FROM t`.
    fn table(&mut self, place: usize) -> Result<usize, String> {
        let label = |before: &Token<'_>| before.is_word("as") || before.is_op(".");
        if self.before(place).is_some_and(label) {
            return Ok(place + 1);
        }
        if !self.is_relation(place + 1) && !self.is_word(place + 1, "only") {
            return Err("TABLE".to_owned());
        }
        let select = [
            (Kind::Word, "select"),
            (Kind::Operator, "*"),
            (Kind::Word, "from"),
        ];
        self.replace(place, place + 1, &select);
        Ok(place + 1)
    }

    /// For analysis the weaker locks are the stronger ones, and a list of relations is a lock of each.
    fn lock(&mut self, place: usize) -> usize {
        let mut next = place + 1;
        if self.is_word(next, "no") && self.is_word(next + 1, "key") {
            if !self.is_word(next + 2, "update") {
                return next;
            }
            self.replace(next, next + 2, &[]);
            next += 2;
        } else if self.is_word(next, "key") && self.is_word(next + 1, "share") {
            self.replace(next, next + 1, &[]);
            next += 1;
        } else if !self.is_word(next, "update") && !self.is_word(next, "share") {
            return next;
        }
        next += 1;
        if !self.is_word(next, "of") {
            return next;
        }
        next = self.after_relation(next + 1);
        while self.is_op(next, ",") && self.is_name(next + 1) {
            let another = [
                (Kind::Word, "for"),
                (Kind::Word, "update"),
                (Kind::Word, "of"),
            ];
            self.replace(next, next + 1, &another);
            next = self.after_relation(next + 1);
        }
        next
    }

    /// Which index decides on a conflict is no matter of routing: of `ON CONFLICT (…) WHERE … DO` only
    /// lists of columns are kept. `place` is after CONFLICT.
    fn conflict(&mut self, place: usize) -> usize {
        if !self.is_op(place, "(") {
            return place;
        }
        let mut depth = 0usize;
        let mut plain = true;
        for (at, token) in self.tokens.iter().enumerate().skip(place) {
            if token.is_op("(") {
                depth += 1;
                plain &= at == place;
            } else if token.is_op(")") {
                let Some(outer) = depth.checked_sub(1) else {
                    break;
                };
                depth = outer;
            } else if depth == 0 && token.is_word("do") {
                if !plain {
                    self.replace(place, at, &[]);
                }
                return at + 1;
            } else {
                plain &= depth > 0 && (token.is_name() || token.is_op(","));
            }
        }
        self.conflicts = false;
        place
    }

    /// Which rows of a partition a frame leaves out.
    fn exclude(&mut self, place: usize) -> usize {
        let forms: [&[&str]; 4] = [
            &["current", "row"],
            &["group"],
            &["ties"],
            &["no", "others"],
        ];
        for form in forms {
            let end = place + 1 + form.len();
            let fits = form.iter().enumerate();
            let fits = fits.fold(true, |fits, (at, word)| {
                fits && self.is_word(place + 1 + at, word)
            });
            if fits && self.is_op(end, ")") {
                self.replace(place, end, &[]);
                return end;
            }
        }
        place + 1
    }

    /// `FETCH FIRST (…) ROWS ONLY`: how many does not matter. Only where nothing in the parentheses has a name.
    fn fetch(&mut self, place: usize) -> usize {
        let open = place + 2;
        let first = self.is_word(place + 1, "first") || self.is_word(place + 1, "next");
        if !first || !self.is_op(open, "(") {
            return place + 1;
        }
        let inside = self.tokens.iter().skip(open).take(COUNT_TOKENS_MAX);
        let mut depth = 0usize;
        for (at, token) in inside.enumerate() {
            if token.is_op("(") {
                depth += 1;
            } else if token.is_op(")") {
                depth -= 1;
            } else if token.is_name() {
                return place + 1;
            }
            if depth == 0 {
                self.replace(open, open + at + 1, &[(Kind::Word, "null")]);
                return open + at + 1;
            }
        }
        place + 1
    }

    /// `TABLESAMPLE BERNOULLI (n)` and `SYSTEM (n)`: any rows of the table may be those, of a part of it as well. Not so
    /// with REPEATABLE, which gives the same ones again.
    fn sample(&mut self, place: usize) -> usize {
        let method = self.is_word(place + 1, "bernoulli") || self.is_word(place + 1, "system");
        let number = self.tokens.get(place + 3).is_some_and(|token| {
            matches!(
                token.kind,
                Kind::Number | Kind::IntegerSlot | Kind::NumberSlot
            )
        });
        let end = place + 5;
        let closed = self.is_op(place + 2, "(") && self.is_op(end - 1, ")");
        if method && number && closed && !self.is_word(end, "repeatable") {
            self.replace(place, end, &[]);
            return end;
        }
        place + 1
    }

    /// `ROWS FROM (f(…), g(…))` gives what `unnest` of several arrays does: a row for each row of the longest.
    fn rows_from(&mut self, place: usize) -> usize {
        let source = ["from", "join", "lateral"];
        let is_source = self
            .before(place)
            .is_some_and(|before| source.iter().any(|word| before.is_word(word)));
        let called = place + 3;
        let calls = self.is_name(called) && self.is_op(self.after_relation(called), "(");
        if is_source && self.is_word(place + 1, "from") && self.is_op(place + 2, "(") && calls {
            self.replace(place, place + 2, &[(Kind::Word, "unnest")]);
            return place + 2;
        }
        place + 1
    }

    /// `xmlelement(NAME tag, …)`, where the tag is no expression.
    fn xml_name(&mut self, place: usize) -> usize {
        let element = place >= 2
            && self.is_op(place - 1, "(")
            && (self.is_word(place - 2, "xmlelement") || self.is_word(place - 2, "xmlpi"));
        let end = place + 2;
        let ends = self.is_op(end, ",") || self.is_op(end, ")");
        if element && self.is_name(place + 1) && ends {
            self.replace(place, end, &[(Kind::Word, "null")]);
            return end;
        }
        place + 1
    }

    /// `inet '10.0.0.1'`, where the parser does not know the type.
    fn typed_string(&mut self, place: usize) -> usize {
        let Some(before) = place.checked_sub(1).and_then(|name| self.tokens.get(name)) else {
            return place + 1;
        };
        let name = CONSTANT_TYPES.iter().find(|name| before.is_word(name));
        let labelled = place >= 2 && (self.is_op(place - 2, ".") || self.is_word(place - 2, "as"));
        if let Some(name) = name.filter(|_| !labelled) {
            self.replace(place - 1, place, &[]);
            let cast = [(Kind::Operator, "::"), (Kind::Word, *name)];
            self.replace(place + 1, place + 1, &cast);
        }
        place + 1
    }

    /// `ANY (VALUES …)` and the like; after IN the parser looks closer.
    fn is_listed_query(&self, place: usize) -> bool {
        let words = ["any", "some", "all"];
        place >= 2
            && self.is_op(place - 1, "(")
            && words.iter().any(|word| self.is_word(place - 2, word))
    }

    /// `FROM t *`: with children, which is meant without the star too.
    fn is_inheritance_star(&self, place: usize) -> bool {
        let mut name = place;
        if name >= 3 && self.is_op(name - 2, ".") {
            name -= 2;
        }
        let Some(name) = name.checked_sub(1).filter(|name| self.is_name(*name)) else {
            return false;
        };
        let table = ["from", "join", "update", "using", "into", "only"];
        let before = self.before(name);
        if !before.is_some_and(|before| table.iter().any(|word| before.is_word(word))) {
            return false;
        }
        let ends = [
            "where",
            "as",
            "set",
            "on",
            "inner",
            "cross",
            "natural",
            "join",
            "order",
            "group",
            "limit",
            "using",
            "returning",
        ];
        match self.tokens.get(place + 1) {
            None => true,
            Some(next) => {
                ends.iter().any(|word| next.is_word(word))
                    || [")", ",", ";"].iter().any(|op| next.is_op(op))
            }
        }
    }

    /// `SET a[1] = …`: the column is `a`. A key's type has no elements.
    fn subscript(&mut self, place: usize) -> usize {
        let target = place >= 2
            && self.is_name(place - 1)
            && self
                .before(place - 1)
                .is_some_and(|before| before.is_word("set") || before.is_op(","));
        if !target {
            return place + 1;
        }
        let mut end = place;
        while self.is_op(end, "[") {
            let inside = self.tokens.iter().skip(end + 1).take(SUBSCRIPT_TOKENS_MAX);
            let Some(length) = inside.clone().position(|token| token.is_op("]")) else {
                return place + 1;
            };
            if inside
                .take(length)
                .any(|token| token.is_op("(") || token.is_op("["))
            {
                return place + 1;
            }
            end += length + 2;
        }
        if self.is_op(end, "=") {
            self.replace(place, end, &[]);
            return end;
        }
        place + 1
    }

    fn before(&self, place: usize) -> Option<&Token<'t>> {
        place
            .checked_sub(1)
            .and_then(|before| self.tokens.get(before))
    }

    fn is_word(&self, place: usize, word: &str) -> bool {
        self.tokens
            .get(place)
            .is_some_and(|token| token.is_word(word))
    }

    fn is_op(&self, place: usize, op: &str) -> bool {
        self.tokens.get(place).is_some_and(|token| token.is_op(op))
    }

    fn is_name(&self, place: usize) -> bool {
        self.tokens.get(place).is_some_and(Token::is_name)
    }

    fn is_relation(&self, place: usize) -> bool {
        self.tokens.get(place).is_some_and(|token| {
            token.is_name() && !(token.kind == Kind::Word && is_reserved(&token.value))
        })
    }

    /// The place after a name of one part or two.
    fn after_relation(&self, place: usize) -> usize {
        if self.is_op(place + 1, ".") {
            place + 3
        } else {
            place + 1
        }
    }

    /// Puts tokens in the place of others, which come after those of earlier calls.
    fn replace(&mut self, from: usize, to: usize, with: &[(Kind, &'static str)]) {
        self.copy(from);
        let (start, end) = self.tokens.get(from).map_or((0, 0), |t| (t.start, t.end));
        let with = with.iter().map(|(kind, value)| Token {
            kind: *kind,
            start,
            end,
            value: Cow::Borrowed(*value),
        });
        self.out.extend(with);
        self.copied = to;
        self.changed = true;
    }

    fn copy(&mut self, to: usize) {
        let tokens = self.tokens.get(self.copied..to).unwrap_or_default();
        let borrowed = tokens.iter().map(|token| Token {
            kind: token.kind,
            start: token.start,
            end: token.end,
            value: Cow::Borrowed(&*token.value),
        });
        self.out.extend(borrowed);
        self.copied = to;
    }
}
