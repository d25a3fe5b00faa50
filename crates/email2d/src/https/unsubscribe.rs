//! Leaving a list with one click (RFC 8058, spec §14.4.6): a mail program posts what the field
//! of the message says. To look at the link changes nothing: a page asks first.

use email2::address::Domain;
use http_body_util::{BodyExt as _, Limited};
use hyper::Method;
use hyper::body::Incoming;

use super::Reply;
use crate::mediator::unsubscribe::{self, Leaving, PATH, WISH};
use crate::site::Site;

/// Octets of a wish that are read.
const WISH_OCTETS: usize = 1024;

/// The end of a link of this server, if that is one.
pub(super) fn token<'a>(hostname: &Domain, host: &str, path: &'a str) -> Option<&'a str> {
    let token = path.strip_prefix(PATH)?;
    (Domain::parse(host).ok()? == *hostname).then_some(token)
}

/// Answers for a link; `kind` is the type of the body.
pub(super) async fn answer(
    site: &Site,
    method: &Method,
    token: &str,
    kind: &str,
    body: Incoming,
) -> Reply {
    let Some(leaving) = unsubscribe::read(site, token) else {
        return Reply::Nothing;
    };
    match *method {
        Method::GET | Method::HEAD => Reply::Page(question(&leaving)),
        Method::POST => {
            let wish = Limited::new(body, WISH_OCTETS).collect().await;
            match wish.is_ok_and(|wish| is_wish(kind, &wish.to_bytes())) {
                true => leave(site, &leaving).await,
                false => Reply::Unfit,
            }
        }
        _ => Reply::Not("GET, HEAD, POST"),
    }
}

/// Who left before is told the same.
async fn leave(site: &Site, leaving: &Leaving) -> Reply {
    match unsubscribe::leave(site, leaving).await {
        Ok(_) => Reply::Page(page(&format!(
            "<p>You get no more letters of {}.</p>",
            leaving.list
        ))),
        Err(error) => {
            tracing::error!(%error, "the store failed");
            Reply::Unavailable
        }
    }
}

/// Both forms of RFC 8058 §3.2, and of what the page sends.
fn is_wish(kind: &str, body: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(body) else {
        return false;
    };
    let (name, value) = WISH;
    if !kind.to_ascii_lowercase().starts_with("multipart/form-data") {
        return text.trim_end() == format!("{name}={value}");
    }
    let named = format!("name=\"{name}\"");
    let mut lines = text.lines();
    lines.any(|line| line.contains(&named))
        && lines.any(str::is_empty)
        && lines.next() == Some(value)
}

/// A list's address holds nothing that HTML would read (`email2d list create`).
fn question(leaving: &Leaving) -> String {
    let (name, value) = WISH;
    page(&format!(
        "<form method=\"post\"><p>You get letters of {}.</p>\
         <p><button name=\"{name}\" value=\"{value}\">Get no more of them</button></p></form>",
        leaving.list
    ))
}

fn page(text: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>Mailing list</title>\n\
         <body>{text}</body></html>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_comes_in_both_forms_of_the_web_and_in_no_other() {
        let form = "application/x-www-form-urlencoded";
        assert!(is_wish(form, b"List-Unsubscribe=One-Click"));
        assert!(is_wish("", b"List-Unsubscribe=One-Click\r\n"));
        let parts = "--b\r\nContent-Disposition: form-data; name=\"List-Unsubscribe\"\r\n\r\n\
                     One-Click\r\n--b--\r\n";
        let multipart = "multipart/form-data; boundary=b";
        assert!(is_wish(multipart, parts.as_bytes()));
        for (kind, body) in [
            (form, ""),
            (form, "List-Unsubscribe=One-Clicks"),
            (form, "x=1&List-Unsubscribe=One-Click"),
            (form, parts),
            (multipart, "List-Unsubscribe=One-Click"),
            (multipart, "--b\r\nname=\"List-Unsubscribe\"\r\n\r\nTwo\r\n"),
        ] {
            assert!(!is_wish(kind, body.as_bytes()), "{body}");
        }
        assert!(!is_wish(form, b"\xff"));
    }

    #[test]
    fn links_stand_on_the_servers_own_host() {
        let own: Domain = "mx.example.com".parse().unwrap();
        assert_eq!(token(&own, "MX.example.com", "/unsubscribe/x"), Some("x"));
        assert_eq!(token(&own, "example.com", "/unsubscribe/x"), None);
        assert_eq!(token(&own, "mx.example.com", "/else/x"), None);
    }
}
