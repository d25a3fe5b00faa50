//! Every rule cites its sentence: no reference to the specification is dead, and no
//! numbered MUST of it is without code, test or vector.

use std::collections::BTreeSet;

use crate::hold;
use crate::tree::{self, File};

/// A section, or one numbered requirement inside it: `4.2` or `4.2.3`.
type Number = String;

/// What the specification defines.
#[derive(Default)]
struct Specification {
    sections: BTreeSet<Number>,
    requirements: BTreeSet<Number>,
}

fn specification(chapters: &[File]) -> Specification {
    let mut found = Specification::default();
    for line in chapters.iter().flat_map(|chapter| chapter.text.lines()) {
        if let Some(heading) = line.strip_prefix('#') {
            let heading = heading.trim_start_matches(['#', ' ', '§']);
            found.sections.extend(number_at_start(heading));
        } else if let Some(requirement) = line.strip_prefix("**") {
            let number = number_at_start(requirement);
            let closed = |n: &Number| requirement.starts_with(&format!("{n}**"));
            found.requirements.extend(number.filter(closed));
        }
    }
    found
}

/// The dotted number that the text begins with.
fn number_at_start(text: &str) -> Option<Number> {
    let digits: String = text
        .chars()
        .take_while(|c| c.is_ascii_digit() || *c == '.')
        .collect();
    let number = digits.trim_end_matches('.');
    (!number.is_empty()).then(|| number.to_owned())
}

/// Every `spec §x.y[.z]` of the text; more than one may follow (`spec §4.2, §4.3`).
fn references(text: &str) -> Vec<Number> {
    let mut found = Vec::new();
    for after in text.split("spec §").skip(1) {
        let mut rest = after;
        while let Some(number) = number_at_start(rest) {
            let behind = rest.get(number.len()..).unwrap_or_default();
            found.push(number);
            let next = [", §", " and §", "; §", "–§"];
            match next.iter().find_map(|join| behind.strip_prefix(join)) {
                Some(following) => rest = following,
                None => break,
            }
        }
    }
    found
}

fn dead(files: &[File], specification: &Specification) -> Vec<String> {
    let mut found = Vec::new();
    for file in files {
        let known = |number: &Number| {
            specification.sections.contains(number) || specification.requirements.contains(number)
        };
        let dead = references(&file.text).into_iter().filter(|n| !known(n));
        found.extend(dead.map(|number| format!("{}: spec §{number} does not exist", file.path)));
    }
    found
}

fn uncited(files: &[File], specification: &Specification) -> Vec<String> {
    let cited: BTreeSet<Number> = files
        .iter()
        .flat_map(|file| references(&file.text))
        .collect();
    let missing = specification.requirements.difference(&cited);
    missing
        .map(|number| format!("spec §{number} is cited by no code, test or vector"))
        .collect()
}

fn chapters() -> Vec<File> {
    tree::files("docs/spec", "md")
}

/// Code, tests and the vectors' index; not this gate, whose tests plant references.
fn citing() -> Vec<File> {
    let mut files = tree::rust_files();
    files.retain(|file| !file.path.ends_with("architecture/references.rs"));
    files.extend(tree::files("docs/spec/vectors", "json"));
    files
}

#[test]
fn no_reference_is_dead() {
    hold(
        "dead references",
        &dead(&citing(), &specification(&chapters())),
    );
}

#[test]
fn every_requirement_is_cited() {
    hold("uncited", &uncited(&citing(), &specification(&chapters())));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planted() -> Specification {
        let chapter = "# 4 The seal\n## 4.2 Signature\n**4.2.1** A signer MUST sign.\n\
                       **4.2.2** It MUST NOT lie.\n**bold** text\n";
        specification(&[File::new("04-seal.md", chapter)])
    }

    #[test]
    fn sections_and_requirements_are_found() {
        let found = planted();
        assert_eq!(found.sections.len(), 2);
        assert_eq!(found.requirements.len(), 2);
    }

    #[test]
    fn a_dead_reference_is_seen() {
        let text = "// spec §4.2.1, §4.2.9 and spec §4.7. Also RFC 5321 §4.5.2\n";
        let found = dead(&[File::new("a.rs", text)], &planted());
        assert_eq!(found.len(), 2, "{found:?}");
    }

    #[test]
    fn an_uncited_requirement_is_seen() {
        let found = uncited(&[File::new("a.rs", "/// (spec §4.2.1)")], &planted());
        assert_eq!(found, ["spec §4.2.2 is cited by no code, test or vector"]);
    }
}
