//! Rust source as the gates need it: code without comments and string contents, the
//! string literals beside it, the production part, the functions. Lexical on purpose:
//! rustfmt has fixed the layout, so no parser is needed.

/// A file, taken apart.
pub(crate) struct Source {
    /// Line by line, with comments removed and string contents blanked.
    pub(crate) code: Vec<String>,
    /// String literals with the line (from 1) where they begin.
    pub(crate) strings: Vec<(usize, String)>,
}

/// A function's extent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Function {
    pub(crate) name: String,
    /// Line of `fn`, from 1.
    pub(crate) line: usize,
    /// Lines of code from `fn` to its closing brace: no blank ones, no comments.
    pub(crate) length: usize,
}

/// The text before the file's test module.
pub(crate) fn production(text: &str) -> &str {
    text.split("\n#[cfg(test)]\nmod ").next().unwrap_or(text)
}

/// What the lexer is inside of.
enum Inside {
    Code,
    LineComment,
    BlockComment(u32),
    Text { hashes: Option<usize> },
}

/// Takes `text` apart.
pub(crate) fn take_apart(text: &str) -> Source {
    let mut lexer = Lexer {
        rest: text.chars().collect(),
        at: 0,
        line: 1,
        source: Source {
            code: vec![String::new()],
            strings: Vec::new(),
        },
    };
    let mut inside = Inside::Code;
    while lexer.at < lexer.rest.len() {
        inside = lexer.step(inside);
    }
    lexer.source
}

struct Lexer {
    rest: Vec<char>,
    at: usize,
    line: usize,
    source: Source,
}

impl Lexer {
    fn peek(&self, ahead: usize) -> char {
        self.rest.get(self.at + ahead).copied().unwrap_or('\0')
    }

    /// Takes one character; keeps it as code when `keep`.
    fn take(&mut self, keep: bool) -> char {
        let c = self.peek(0);
        self.at += 1;
        if c == '\n' {
            self.line += 1;
            self.source.code.push(String::new());
        } else if keep && let Some(line) = self.source.code.last_mut() {
            line.push(c);
        }
        c
    }

    fn step(&mut self, inside: Inside) -> Inside {
        match inside {
            Inside::Code => self.code(),
            Inside::LineComment => match self.take(false) {
                '\n' => Inside::Code,
                _ => Inside::LineComment,
            },
            Inside::BlockComment(depth) => self.block_comment(depth),
            Inside::Text { hashes } => self.string(hashes),
        }
    }

    fn code(&mut self) -> Inside {
        match (self.peek(0), self.peek(1)) {
            ('/', '/') => Inside::LineComment,
            ('/', '*') => Inside::BlockComment(0),
            ('"', _) => self.open(None),
            ('r', '"' | '#') if self.raw_hashes().is_some() => self.open(self.raw_hashes()),
            ('\'', _) => self.quote(),
            _ => {
                self.take(true);
                Inside::Code
            }
        }
    }

    /// The number of hashes when a raw string begins here.
    fn raw_hashes(&self) -> Option<usize> {
        let before = self.at.checked_sub(1).and_then(|at| self.rest.get(at));
        if before.is_some_and(|c| (c.is_alphanumeric() && *c != 'b') || *c == '_') {
            return None;
        }
        let hashes = (1..).take_while(|&ahead| self.peek(ahead) == '#').count();
        (self.peek(hashes + 1) == '"').then_some(hashes)
    }

    fn open(&mut self, hashes: Option<usize>) -> Inside {
        let opening = hashes.map_or(1, |hashes| hashes + 2);
        for _ in 0..opening {
            self.take(true);
        }
        self.source.strings.push((self.line, String::new()));
        Inside::Text { hashes }
    }

    /// A character literal is skipped whole; a lifetime is code.
    fn quote(&mut self) -> Inside {
        let length = match (self.peek(1), self.peek(2)) {
            ('\\', _) => (3..12).find(|&ahead| self.peek(ahead) == '\''),
            (_, '\'') => Some(2),
            _ => None,
        };
        for _ in 0..=length.unwrap_or(0) {
            self.take(length.is_none());
        }
        Inside::Code
    }

    fn block_comment(&mut self, depth: u32) -> Inside {
        let next = match (self.peek(0), self.peek(1)) {
            ('/', '*') => Inside::BlockComment(depth + 1),
            ('*', '/') if depth <= 1 => Inside::Code,
            ('*', '/') => Inside::BlockComment(depth - 1),
            _ => {
                self.take(false);
                return Inside::BlockComment(depth);
            }
        };
        self.take(false);
        self.take(false);
        next
    }

    fn string(&mut self, hashes: Option<usize>) -> Inside {
        let c = self.peek(0);
        let closes = c == '"' && (1..=hashes.unwrap_or(0)).all(|ahead| self.peek(ahead) == '#');
        if closes {
            for _ in 0..=hashes.unwrap_or(0) {
                self.take(true);
            }
            return Inside::Code;
        }
        if c == '\\' && hashes.is_none() {
            self.keep_text();
        }
        self.keep_text();
        Inside::Text { hashes }
    }

    fn keep_text(&mut self) {
        let c = self.take(false);
        if let Some((_, text)) = self.source.strings.last_mut() {
            text.push(c);
        }
    }
}

/// The functions of rustfmt-formatted code, in order.
pub(crate) fn functions(code: &[String]) -> Vec<Function> {
    let mut found = Vec::new();
    for (index, line) in code.iter().enumerate() {
        let Some(name) = function_name(line) else {
            continue;
        };
        let indent = line.len() - line.trim_start().len();
        let closing = format!("{}}}", " ".repeat(indent));
        let rest = code.iter().skip(index);
        let length = if line.ends_with('}') || line.ends_with(';') {
            1
        } else {
            let body = rest.take_while(|line| **line != closing);
            1 + body.filter(|line| !line.trim().is_empty()).count()
        };
        found.push(Function {
            name,
            line: index + 1,
            length,
        });
    }
    found
}

/// The name when the line begins a function.
fn function_name(line: &str) -> Option<String> {
    let line = line.trim_start();
    let (before, after) = line.split_once("fn ")?;
    let qualifiers = ["pub", "pub(crate)", "pub(super)", "const", "async"];
    let only_qualifiers = before.split_whitespace().all(|w| qualifiers.contains(&w));
    let name: String = after
        .chars()
        .take_while(|c| c.is_alphanumeric() || *c == '_')
        .collect();
    (only_qualifiers && !name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_strings_leave_the_code() {
        let text = "let a = \"x // 550\"; // 551\n/* 552 */ let b = r#\"q\"#; let c = '\"';\n";
        let source = take_apart(text);
        assert_eq!(source.code[0], "let a = \"\"; ");
        assert_eq!(source.code[1], " let b = r#\"\"#; let c = ;");
        assert_eq!(source.strings[0], (1, "x // 550".to_owned()));
        assert_eq!(source.strings[1], (2, "q".to_owned()));
    }

    #[test]
    fn a_lifetime_is_no_character() {
        let source = take_apart("fn f<'a>(x: &'a str) -> char { '\\'' }");
        assert_eq!(source.code[0], "fn f<'a>(x: &'a str) -> char {  }");
    }

    #[test]
    fn functions_are_measured() {
        let text = "impl A {\n    pub async fn b(&self) {\n        c();\n    }\n    fn d() {}\n}\n";
        let found = functions(&take_apart(text).code);
        assert_eq!((found[0].name.as_str(), found[0].length), ("b", 3));
        assert_eq!((found[1].name.as_str(), found[1].length), ("d", 1));
    }

    #[test]
    fn tests_are_not_production() {
        assert_eq!(production("a\n#[cfg(test)]\nmod tests {\n"), "a");
    }
}
