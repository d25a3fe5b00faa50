//! An unknown key or word of a configuration, and the one that was meant.

/// What a TOML parser says of a key, or of a word that is one of a few, with the nearest known
/// one put to an unknown one.
#[must_use]
pub fn suggest(message: &str) -> String {
    let mut names = message.split('`').skip(1).step_by(2);
    let kind = match message.split_whitespace().nth(1) {
        Some("field") => "key",
        Some("variant") => "word",
        _ => return message.to_owned(),
    };
    let unknown = message.starts_with("unknown ").then(|| names.next());
    let Some(unknown) = unknown.flatten() else {
        return message.to_owned();
    };
    let known: Vec<&str> = names.collect();
    let nearest = known
        .iter()
        .map(|name| (distance(unknown, name), name))
        .min();
    let meant = nearest.filter(|(distance, _)| *distance <= 1 + unknown.len() / 3);
    let allowed = known.join(", ");
    match meant {
        Some((_, name)) => {
            format!("unknown {kind} {unknown}: did you mean {name}? Known here are {allowed}")
        }
        None => format!("unknown {kind} {unknown}: known here are {allowed}"),
    }
}

/// How many letters must be changed, put in or left out (Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (number, letter) in one.chars().enumerate() {
        let mut next = vec![number + 1];
        for (pair, theirs) in row.windows(2).zip(&other) {
            let [diagonal, above] = pair else { continue };
            let change = diagonal + usize::from(letter != *theirs);
            let left = next.last().copied().unwrap_or_default();
            next.push(change.min(above + 1).min(left + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_known_key_is_named() {
        let said = "unknown field `mx_prot`, expected one of `dns`, `ca_file`, `mx_port`";
        let told =
            "unknown key mx_prot: did you mean mx_port? Known here are dns, ca_file, mx_port";
        assert_eq!(suggest(said), told);
        let far = suggest("unknown field `colour`, expected `dns` or `ca_file`");
        assert_eq!(far, "unknown key colour: known here are dns, ca_file");
        assert_eq!(suggest("invalid type"), "invalid type");
        let word = suggest("unknown variant `rejct`, expected `reject`");
        assert_eq!(
            word,
            "unknown word rejct: did you mean reject? Known here are reject"
        );
    }

    #[test]
    fn letters_are_counted() {
        assert_eq!(distance("imap", "imaps"), 1);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("hostname", "hotsname"), 2);
    }
}
