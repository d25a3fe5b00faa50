//! A text that is looked for in a stream, in any case of ASCII, in linear
//! time and without keeping the stream (Knuth, Morris and Pratt).

/// A text, and how far the stream has matched it.
#[derive(Clone, Debug)]
pub(crate) struct Needle {
    text: Vec<u8>,
    /// For each beginning of the text, how much of it also ends there.
    falls: Vec<usize>,
    matched: usize,
    found: bool,
}

impl Needle {
    /// Looks for `text`, which is in lower case.
    pub(crate) fn new(text: &str) -> Self {
        let text = text.as_bytes().to_vec();
        let mut needle = Self {
            falls: Vec::with_capacity(text.len()),
            found: text.is_empty(),
            matched: 0,
            text: Vec::new(),
        };
        for (index, &octet) in text.iter().enumerate() {
            if index > 0 {
                needle.advance(octet);
            }
            needle.text.push(octet);
            needle.falls.push(needle.matched);
        }
        needle.text = text;
        needle.matched = 0;
        needle
    }

    fn advance(&mut self, octet: u8) {
        while self.matched > 0 && self.text.get(self.matched) != Some(&octet) {
            self.matched = self
                .falls
                .get(self.matched - 1)
                .copied()
                .unwrap_or_default();
        }
        if self.text.get(self.matched) == Some(&octet) {
            self.matched += 1;
        }
    }

    /// What comes next does not continue what came.
    pub(crate) fn restart(&mut self) {
        self.matched = 0;
    }

    /// Looks at more of the stream; whether the text was found by now.
    pub(crate) fn push(&mut self, octets: &[u8]) -> bool {
        for octet in octets {
            if self.found {
                break;
            }
            self.advance(octet.to_ascii_lowercase());
            self.found = self.matched == self.text.len();
        }
        self.found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_found_across_pieces() {
        for (text, stream, found) in [
            ("abab", ["xABA", "babx"], true),
            ("aab", ["aaa", "ab"], true),
            ("abc", ["ab", "dabx"], false),
            ("", ["", ""], true),
        ] {
            let mut needle = Needle::new(text);
            needle.push(stream[0].as_bytes());
            assert_eq!(needle.push(stream[1].as_bytes()), found, "{text}");
        }
    }
}
