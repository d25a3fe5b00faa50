//! A letter as it stands in an editor: four fields, an empty line, the text.

use super::compose::Letter;

/// Why what an editor left is no letter. Sysexits 65.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {0} is none of To:, Cc:, Bcc: and Subject:; an empty line comes before the text")]
pub struct TemplateError(pub usize);

/// The letter for an editor.
#[must_use]
pub fn write(letter: &Letter) -> String {
    let mut out = String::new();
    for (name, people) in [("To", &letter.to), ("Cc", &letter.cc), ("Bcc", &letter.bcc)] {
        out.push_str(&format!("{name}: {}\n", people.join(", ")));
    }
    out.push_str(&format!("Subject: {}\n\n{}", letter.subject, letter.body));
    out
}

/// What the editor left: recipients, subject and text in place of those of `letter`; its files
/// and its thread stay.
///
/// # Errors
/// [`TemplateError`]: a line above the text that is none of the four fields.
pub fn read(text: &str, letter: Letter) -> Result<Letter, TemplateError> {
    let text = text.replace("\r\n", "\n");
    let (head, body) = text.split_once("\n\n").unwrap_or((text.as_str(), ""));
    let mut letter = Letter {
        to: Vec::new(),
        cc: Vec::new(),
        bcc: Vec::new(),
        subject: String::new(),
        body: body.to_owned(),
        ..letter
    };
    for (number, line) in head.lines().enumerate() {
        let (name, value) = line.split_once(':').ok_or(TemplateError(number + 1))?;
        match name.trim().to_ascii_lowercase().as_str() {
            "to" => letter.to.extend(people(value)),
            "cc" => letter.cc.extend(people(value)),
            "bcc" => letter.bcc.extend(people(value)),
            "subject" => value.trim().clone_into(&mut letter.subject),
            _ => return Err(TemplateError(number + 1)),
        }
    }
    Ok(letter)
}

/// The text with a signature below it (RFC 3676 §4.3).
#[must_use]
pub fn with_signature(body: &str, signature: &str) -> String {
    format!("{}\n\n-- \n{}\n", body.trim_end(), signature.trim_end())
}

/// The recipients between the commas; a comma in quotes is part of a name.
fn people(value: &str) -> Vec<String> {
    let (mut all, mut one) = (Vec::new(), String::new());
    let (mut quoted, mut escaped) = (false, false);
    for sign in value.chars() {
        if sign == ',' && !quoted {
            all.push(std::mem::take(&mut one));
            continue;
        }
        quoted ^= sign == '"' && !escaped;
        escaped = sign == '\\' && !escaped;
        one.push(sign);
    }
    all.push(one);
    let all = all.iter().map(|one| one.trim());
    all.filter(|one| !one.is_empty())
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter() -> Letter {
        Letter {
            to: vec!["alice@example.com".to_owned()],
            cc: vec!["\"M\u{fc}ller, Bob\" <bob@example.org>".to_owned()],
            subject: "Re: lunch: when?".to_owned(),
            body: "At noon.\n\n> When?\n".to_owned(),
            in_reply_to: Some("a@example.com".to_owned()),
            ..Letter::default()
        }
    }

    #[test]
    fn what_was_not_changed_is_read_back() {
        let text = write(&letter());
        let read = read(&text, letter()).unwrap();
        assert_eq!(write(&read), text);
        assert_eq!(
            (read.cc, read.in_reply_to),
            (letter().cc, letter().in_reply_to)
        );
    }

    #[test]
    fn recipients_stand_between_commas_and_fields_in_any_order() {
        let text = "subject: x\nBcc:\nTo: a@x.example, \"C, \\\"D\" <c@x.example>,\nTo: e@x.example\n\nhi\n";
        let read = read(text, letter()).unwrap();
        let to = ["a@x.example", "\"C, \\\"D\" <c@x.example>", "e@x.example"];
        assert_eq!(read.to, to);
        assert!(read.cc.is_empty() && read.bcc.is_empty());
        assert_eq!((read.subject.as_str(), read.body.as_str()), ("x", "hi\n"));
    }

    #[test]
    fn another_line_is_named() {
        let wrong = read("To: a@x.example\nhello\n\ntext", letter());
        assert_eq!(wrong.unwrap_err(), TemplateError(2));
        let wrong = read("Reply-To: a@x.example\n\ntext", letter());
        assert_eq!(wrong.unwrap_err(), TemplateError(1));
    }

    #[test]
    fn a_signature_stands_below_its_mark() {
        assert_eq!(with_signature("hi\n\n", "Bob\n"), "hi\n\n-- \nBob\n");
        assert_eq!(with_signature("", "Bob"), "\n\n-- \nBob\n");
    }
}
