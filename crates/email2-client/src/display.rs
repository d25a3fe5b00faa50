//! Text that others wrote, made safe for a terminal (spec §5.7.3): control
//! characters, escape sequences and bidirectional controls become visible.

use std::fmt::Write;

/// One line: line feed and tab are made visible too.
#[must_use]
pub fn shown(text: &str) -> String {
    escaped(text, |_| false)
}

/// Several lines: line feed and tab stay.
#[must_use]
pub fn shown_text(text: &str) -> String {
    let lines = text.replace("\r\n", "\n");
    escaped(&lines, |c| matches!(c, '\n' | '\t'))
}

fn escaped(text: &str, stays: fn(char) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if stays(c) || !is_hostile(c) {
            out.push(c);
        } else {
            // Writing to a string does not fail.
            let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
        }
    }
    out
}

/// Can it move the cursor, change the direction of text, or hide?
pub(crate) fn is_hostile(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_moves_the_cursor_comes_through() {
        let hostile = "a\u{1b}[2Jb\rc\u{9b}31m\u{202e}gnp\u{7}";
        let safe = shown(hostile);
        assert!(!safe.chars().any(is_hostile), "{safe:?}");
        assert_eq!(shown("Grüße, 日本"), "Grüße, 日本");
        assert_eq!(shown_text("a\r\n\tb"), "a\n\tb");
    }
}
