//! What is noted of an entry, in words (the queue's own column for it).

use std::fmt;

/// The words of an entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Words {
    /// The next server must offer 8BITMIME.
    pub(crate) eight_bit: bool,
    /// The next server must offer SMTPUTF8.
    pub(crate) utf8: bool,
    /// The octets are those of an ordinary program: to be protected and sealed before they leave.
    pub(crate) unprotected: bool,
    /// They lack a Date.
    pub(crate) date: bool,
    /// They lack a Message-ID.
    pub(crate) message_id: bool,
    /// This server protected them, with a key that it holds for the author.
    pub(crate) held: bool,
    /// They are made once more, for a key that changed.
    pub(crate) rekeyed: bool,
    /// They were judged here, and go to the mail system behind.
    pub(crate) behind: bool,
    /// They come from a mail system behind, which vouches for their author.
    pub(crate) vouched: bool,
    /// Whoever the reverse-path names sealed them on the way here, and that was verified.
    pub(crate) sealed: bool,
    /// They came as ordinary mail, and SPF of the reverse-path's domain passed.
    pub(crate) spf: bool,
    /// A report of ours about ordinary mail, From the daemon of a domain of ours.
    pub(crate) daemon: bool,
}

impl Words {
    fn named(self) -> [(bool, &'static str); 12] {
        [
            (self.eight_bit, "8bitmime"),
            (self.utf8, "smtputf8"),
            (self.unprotected, "unprotected"),
            (self.date, "no-date"),
            (self.message_id, "no-message-id"),
            (self.held, "held"),
            (self.rekeyed, "rekeyed"),
            (self.behind, "behind"),
            (self.vouched, "vouched"),
            (self.sealed, "sealed"),
            (self.spf, "spf"),
            (self.daemon, "daemon"),
        ]
    }

    /// Reads them; others are not ours and are passed over.
    pub(crate) fn parse(details: &str) -> Words {
        let said = |word: &str| details.split(' ').any(|said| said == word);
        Words {
            eight_bit: said("8bitmime"),
            utf8: said("smtputf8"),
            unprotected: said("unprotected"),
            date: said("no-date"),
            message_id: said("no-message-id"),
            held: said("held"),
            rekeyed: said("rekeyed"),
            behind: said("behind"),
            vouched: said("vouched"),
            sealed: said("sealed"),
            spf: said("spf"),
            daemon: said("daemon"),
        }
    }
}

impl fmt::Display for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = self.named().into_iter().filter(|(said, _)| *said);
        let said: Vec<&str> = said.map(|(_, word)| word).collect();
        f.write_str(&said.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_as_they_were_written() {
        let words = Words {
            utf8: true,
            unprotected: true,
            message_id: true,
            ..Words::default()
        };
        assert_eq!(words.to_string(), "smtputf8 unprotected no-message-id");
        assert_eq!(Words::parse(&words.to_string()), words);
        assert_eq!(Words::parse(""), Words::default());
        assert_eq!(
            Words::parse("else held"),
            Words {
                held: true,
                ..Words::default()
            }
        );
    }
}
