//! People as they are shown: by the address that was checked, never by the name
//! alone (spec §5.7.1).

use email2::Address;
use mail_parser::Message;
use serde::Serialize;

/// One mailbox of a header field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Person {
    /// The address; as written when it is none in normal form.
    pub address: String,
    /// The name, decoded; `None` when there is none, or it holds an address.
    pub name: Option<String>,
    /// Why the name is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl Person {
    /// A person by name and address. A name that looks like an address is left
    /// out: it stands where the checked one is looked for.
    #[must_use]
    pub fn new(name: Option<&str>, address: &str) -> Person {
        let name = name.map(str::trim).filter(|name| !name.is_empty());
        let claims = name.is_some_and(|name| name.contains(['@', '\u{ff20}', '\u{fe6b}']));
        let note =
            claims.then(|| format!("the name of {address} holds another address; it is not shown"));
        Person {
            address: address.to_owned(),
            name: name.filter(|_| !claims).map(str::to_owned),
            note,
        }
    }

    /// The domain in normal form, as far as there is one.
    #[must_use]
    pub fn domain(&self) -> Option<String> {
        let address = Address::parse(&self.address).ok()?;
        Some(address.domain().as_str().to_owned())
    }

    /// Name and address, for one line.
    #[must_use]
    pub fn line(&self) -> String {
        match &self.name {
            Some(name) => format!("{name} <{}>", self.address),
            None => self.address.clone(),
        }
    }
}

impl Person {
    /// Name and address as a recipient is written (RFC 5322 §3.4): a name with a comma stays one
    /// name.
    #[must_use]
    pub fn recipient(&self) -> String {
        let plain = |c: char| c.is_alphanumeric() || c == ' ' || c == '-';
        match &self.name {
            Some(name) if !name.chars().all(plain) => {
                let visible: String = name.chars().filter(|c| !c.is_control()).collect();
                let escaped = visible.replace('\\', "\\\\").replace('"', "\\\"");
                format!("\"{escaped}\" <{}>", self.address)
            }
            _ => self.line(),
        }
    }
}

/// The mailboxes of all fields of that name; names of groups are left out.
pub(super) fn list(parsed: &Message<'_>, name: &str) -> Vec<Person> {
    let values = parsed.header_values(name);
    let lists = values.filter_map(|value| value.as_address());
    let mailboxes = lists.flat_map(|list| list.iter());
    mailboxes
        .filter_map(|one| {
            let address = one.address.as_deref()?;
            let normal = Address::parse(address).map_or(address.to_owned(), |a| a.to_string());
            Some(Person::new(one.name.as_deref(), &normal))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_an_address_is_left_out() {
        let person = Person::new(Some("Alice Ceo <ceo@example.com>"), "bob@example.org");
        assert_eq!(person.line(), "bob@example.org");
        assert!(person.note.is_some());
        let plain = Person::new(Some("Bob, M\u{fc}ller"), "bob@example.org");
        assert_eq!(plain.line(), "Bob, M\u{fc}ller <bob@example.org>");
        assert_eq!(plain.recipient(), "\"Bob, M\u{fc}ller\" <bob@example.org>");
        assert_eq!(plain.domain().as_deref(), Some("example.org"));
    }
}
