//! The client's configuration file. It is optional: everything has a default.

use std::path::{Path, PathBuf};

use email2_io::NetworkConfig;
use email2_io::suggestion::suggest;
use serde::Deserialize;

/// The whole file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// DNS, trust and addresses that may be connected to.
    pub network: NetworkConfig,
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{}: {error}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// It holds something that is not allowed there.
    #[error("{}: {what}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// Where and what, as the parser says it.
        what: String,
    },
}

impl Config {
    /// Reads the file. Without one at `path` everything has its default, unless it was
    /// `demanded` by name.
    ///
    /// # Errors
    /// See [`ConfigError`].
    pub fn read(path: &Path, demanded: bool) -> Result<Config, ConfigError> {
        match std::fs::read_to_string(path) {
            Ok(text) => Config::parse(&text).map_err(|what| ConfigError::Content {
                path: path.to_owned(),
                what,
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && !demanded => {
                Ok(Config::default())
            }
            Err(error) => Err(ConfigError::Read {
                path: path.to_owned(),
                error,
            }),
        }
    }

    fn parse(text: &str) -> Result<Config, String> {
        toml::from_str(text).map_err(|error: toml::de::Error| {
            let before = error.span().and_then(|span| text.get(..span.start));
            let line = before.unwrap_or(text).matches('\n').count() + 1;
            format!("line {line}: {}", suggest(error.message()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_key_is_named_with_its_line_and_the_nearest_known_one() {
        let wrong = Config::parse("[network]\nmx_prot = 25\n").unwrap_err();
        let told = "line 2: unknown key mx_prot: did you mean mx_port?";
        assert!(wrong.starts_with(told), "{wrong}");
    }
}
