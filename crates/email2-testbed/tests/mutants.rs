//! The mutants fit the sources; whether tests catch them is shown by `email2-mutants`.

use std::collections::{BTreeMap, BTreeSet};

use email2_testbed::mutants::{Mutant, all, root};

#[test]
fn every_mutant_fits_the_source_as_it_is() {
    let mutants = all().unwrap();
    assert!(mutants.len() >= 15, "{}", mutants.len());
    let names: BTreeSet<_> = mutants.iter().map(|mutant| &mutant.name).collect();
    assert_eq!(names.len(), mutants.len());
    let mut files: BTreeMap<_, String> = BTreeMap::new();
    for mutant in &mutants {
        let text = files
            .entry(&mutant.file)
            .or_insert_with(|| std::fs::read_to_string(root().join(&mutant.file)).unwrap());
        *text = mutant.put_into(text).unwrap();
    }
}

#[test]
fn a_mutant_that_does_not_fit_is_said() {
    let mutant = Mutant {
        name: "planted".to_owned(),
        says: "nothing".to_owned(),
        file: "src/lib.rs".into(),
        find: "a == b".to_owned(),
        replace: "MUTANT || a == b".to_owned(),
        test: "any".to_owned(),
        filter: String::new(),
    };
    let fits = mutant.put_into("if a == b {}").unwrap();
    assert!(
        fits.starts_with("if std::env::var_os(\"EMAIL2_MUTANT\")"),
        "{fits}"
    );
    for text in ["if b == a {}", "a == b; a == b"] {
        let error = mutant.put_into(text).unwrap_err().to_string();
        assert!(error.ends_with("times, not once"), "{error}");
    }
}
