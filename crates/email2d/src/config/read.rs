//! Reading the file: every error names file, line and key, and says what is allowed.

use std::ops::Range;
use std::path::{Path, PathBuf};

use email2_io::suggestion::suggest;

use super::Config;

/// What is wrong with a configuration. Sysexits 78.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{}: {error}; `email2d quickstart DOMAIN` writes one", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// A line of it is wrong.
    #[error("{}", self.place())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1; none for what is missing.
        line: Option<usize>,
        /// The key, with its table.
        key: Option<String>,
        /// What is wrong, and what is allowed.
        reason: String,
    },
    /// The values do not fit each other or the world.
    #[error("{}: {key}: {reason}", path.display())]
    Value {
        /// The file.
        path: PathBuf,
        /// The key, with its table.
        key: String,
        /// What is wrong, and what is allowed.
        reason: String,
    },
}

impl ConfigError {
    fn place(&self) -> String {
        let Self::Line {
            path,
            line,
            key,
            reason,
        } = self
        else {
            return String::new();
        };
        let line = line.map(|line| format!(":{line}")).unwrap_or_default();
        let key = key
            .as_ref()
            .map(|key| format!(" {key}:"))
            .unwrap_or_default();
        format!("{}{line}:{key} {reason}", path.display())
    }
}

impl Config {
    /// Reads and checks a file; relative paths in it start at its directory.
    ///
    /// # Errors
    /// See [`ConfigError`].
    pub fn read(path: &Path) -> Result<Config, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|error| ConfigError::File {
            path: path.to_owned(),
            error,
        })?;
        Config::parse(&text, path)
    }

    /// Reads and checks the text of a file.
    ///
    /// # Errors
    /// See [`ConfigError`].
    pub fn parse(text: &str, path: &Path) -> Result<Config, ConfigError> {
        let mut config: Config =
            toml::from_str(text).map_err(|error| explain(text, path, &error))?;
        config.start_paths_at(path.parent().unwrap_or(Path::new("")));
        config.check(path)?;
        Ok(config)
    }

    fn start_paths_at(&mut self, directory: &Path) {
        let from = |path: &mut PathBuf| *path = directory.join(&*path);
        from(&mut self.data_directory);
        for tls in &mut self.tls {
            from(&mut tls.certificate);
            from(&mut tls.key);
        }
        let network = &mut self.network;
        for path in [&mut network.dnssec_anchor, &mut network.ca_file] {
            path.as_mut().map(from);
        }
    }
}

fn explain(text: &str, path: &Path, error: &toml::de::Error) -> ConfigError {
    let span = error.span();
    let (line, key) = span.map(|span| locate(text, &span)).unwrap_or_default();
    ConfigError::Line {
        path: path.to_owned(),
        line,
        key,
        reason: suggest(error.message()),
    }
}

/// The line of a span, and the key that stands there, with its table.
fn locate(text: &str, span: &Range<usize>) -> (Option<usize>, Option<String>) {
    let before = text.get(..span.start).unwrap_or(text);
    let number = before.matches('\n').count();
    let table = before.lines().rev().find_map(table_name);
    let line = text.lines().nth(number).unwrap_or_default();
    let key = line.split_once('=').map(|(key, _)| key.trim().to_owned());
    let named = match (table, key) {
        (Some(table), Some(key)) => Some(format!("{table}.{key}")),
        (None, key) => key,
        (table, None) => table,
    };
    (Some(number + 1), named)
}

/// `name` of a line `[name]` or `[[name]]`.
fn table_name(line: &str) -> Option<String> {
    let line = line.split('#').next().unwrap_or_default().trim();
    let inner = line.strip_prefix('[')?.strip_suffix(']')?;
    Some(inner.trim_matches(['[', ']', ' ']).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "hostname = \"mx.example.org\"\ndata_directory = \"data\"\n\
        [[domain]]\nname = \"example.org\"\n[listen]\nmx = [\"127.0.0.1:25\"]\n\
        [[tls]]\ncertificate = \"c.pem\"\nkey = \"c.key\"\n";

    fn error(text: &str) -> String {
        let read = Config::parse(text, Path::new("/etc/email2d/config.toml"));
        read.unwrap_err().to_string()
    }

    #[test]
    fn relative_paths_start_at_the_file() {
        let config = Config::parse(GOOD, Path::new("/etc/email2d/config.toml")).unwrap();
        assert_eq!(config.data_directory, Path::new("/etc/email2d/data"));
        assert_eq!(config.tls[0].key, Path::new("/etc/email2d/c.key"));
    }

    #[test]
    fn an_unknown_key_names_file_line_and_the_nearest_known_one() {
        let text = GOOD.replace("mx = ", "imap = [\"127.0.0.1:993\"]\nmx = ");
        let said = error(&text);
        assert!(
            said.starts_with(
                "/etc/email2d/config.toml:6: listen.imap: unknown key imap: did you mean imaps?"
            ),
            "{said}"
        );
        let said = error(&format!("colour = 1\n{GOOD}"));
        assert!(
            said.starts_with(
                "/etc/email2d/config.toml:1: colour: unknown key colour: known here are hostname,"
            ),
            "{said}"
        );
    }

    #[test]
    fn a_wrong_value_names_key_and_what_is_allowed() {
        let text = GOOD.replace(
            "name = \"example.org\"",
            "name = \"example.org\"\npolicy = \"strong\"",
        );
        assert_eq!(
            error(&text),
            "/etc/email2d/config.toml:5: domain.policy: \"strong\": allowed are \"strict\" and \"open\""
        );
        let said = error(&GOOD.replace("[\"127.0.0.1:25\"]", "[\"localhost\"]"));
        assert!(
            said.starts_with("/etc/email2d/config.toml:6: listen.mx: "),
            "{said}"
        );
    }

    #[test]
    fn a_catch_all_takes_no_mail_from_the_system_behind() {
        let both = "name = \"example.org\"\ninner = \"smtp://127.0.0.1:2525\"\n\
            catch_all = \"bob@example.org\"";
        let said = error(&GOOD.replace("name = \"example.org\"", both));
        assert_eq!(
            said,
            "/etc/email2d/config.toml: domain.catch_all: example.org has its mailboxes in a system \
             behind: let that one take mail for addresses that nobody has"
        );
    }

    #[test]
    fn what_is_missing_is_named() {
        let said = error(&GOOD.replace("hostname = \"mx.example.org\"\n", ""));
        assert!(said.contains("missing field `hostname`"), "{said}");
    }
}
