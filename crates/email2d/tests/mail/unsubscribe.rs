//! Leaving a list with one click (RFC 8058, spec §14.4.6).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use email2_store::{List, Member, Standing};

use crate::house::{House, Person};
use crate::mediator::{join, letter, list_of, settled};
use crate::wire::Wire;

const CLUB: &str = "club@example.com";
const FORM: &str = "application/x-www-form-urlencoded";
const WISH: &str = "List-Unsubscribe=One-Click";

struct Club {
    house: House,
    list: List,
    bob: Person,
    carol: Person,
}

impl Club {
    async fn open() -> Club {
        let house = House::open().await;
        let alice = house.person("alice@example.com").await;
        let bob = house.person("bob@example.org").await;
        let carol = house.person("carol@example.org").await;
        let list = List {
            one_click: true,
            ..list_of(&house, CLUB, &alice)
        };
        house.store.add_list(&list).await.unwrap();
        for who in [&bob, &carol] {
            join(&house, &list, who, Standing::Member).await;
        }
        letter(&house, &bob, CLUB, "news\r\n").await;
        settled(&house).await;
        Club {
            house,
            list,
            bob,
            carol,
        }
    }

    /// The copy that somebody got, and the path of its link.
    async fn copy(&self, who: &Person) -> (String, String) {
        let inbox = self.house.inbox(&who.account).await;
        let [(stored, true)] = inbox.as_slice() else {
            panic!("{inbox:?}");
        };
        let link = stored.split("<https://mx.example.com").nth(1).unwrap();
        let link = link.split('>').next().unwrap().to_owned();
        (stored.clone(), link)
    }

    async fn members(&self) -> Vec<String> {
        let members = self.house.store.members(&self.list.address).await.unwrap();
        members.iter().map(|m| m.address.to_string()).collect()
    }

    /// The status line and the rest of an answer.
    async fn ask(&self, request: &str) -> (String, String) {
        let direct = self.house.running.listening().direct[0];
        let mut wire = Wire::secured(&self.house, direct, Some("http/1.1")).await;
        wire.send(request).await;
        let answer = String::from_utf8(wire.rest().await).unwrap();
        let (status, rest) = answer.split_once("\r\n").unwrap();
        (status.to_owned(), rest.to_owned())
    }

    async fn look(&self, method: &str, path: &str) -> (String, String) {
        self.ask(&format!(
            "{method} {path} HTTP/1.1\r\nHost: mx.example.com\r\nConnection: close\r\n\r\n"
        ))
        .await
    }

    async fn post(&self, path: &str, kind: &str, body: &str) -> String {
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: mx.example.com\r\nContent-Type: {kind}\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        self.ask(&request).await.0
    }
}

#[tokio::test]
async fn each_member_has_a_link_of_their_own_that_shows_nobody() {
    let club = Club::open().await;
    let (bobs, bob_link) = club.copy(&club.bob).await;
    let (carols, carol_link) = club.copy(&club.carol).await;
    assert_ne!(bob_link, carol_link);
    for (copy, link) in [(&bobs, &bob_link), (&carols, &carol_link)] {
        let between = copy.split("Email2-Seal:").nth(1).unwrap();
        let fields = format!(
            "List-Unsubscribe: <mailto:club-request@example.com?subject=unsubscribe>,\r\n \
             <https://mx.example.com{link}>\r\nList-Unsubscribe-Post: {WISH}\r\n"
        );
        assert!(between.contains(&fields), "under the list's seal: {copy}");
        assert_eq!(between.matches("List-Unsubscribe:").count(), 1, "{copy}");
        let token = link.strip_prefix("/unsubscribe/").unwrap();
        let octets = URL_SAFE_NO_PAD.decode(token).unwrap();
        let text = String::from_utf8_lossy(&octets);
        for word in ["bob", "carol", "club", "example"] {
            assert!(!text.contains(word), "{token}");
        }
    }
    assert!(!bobs.contains(&carol_link), "{bobs}");
}

#[tokio::test]
async fn to_look_changes_nothing_and_one_click_leaves_for_its_member_alone() {
    let club = Club::open().await;
    let (_, link) = club.copy(&club.carol).await;
    let (status, page) = club.look("GET", &link).await;
    assert_eq!(status, "HTTP/1.1 200 OK");
    assert!(
        page.contains("content-type: text/html; charset=utf-8\r\n"),
        "{page}"
    );
    assert!(
        page.contains("content-security-policy: default-src 'none';"),
        "{page}"
    );
    let button = "<button name=\"List-Unsubscribe\" value=\"One-Click\">";
    assert!(
        page.contains("<form method=\"post\">") && page.contains(button),
        "{page}"
    );
    assert!(page.contains(CLUB) && !page.contains("carol"), "{page}");
    assert_eq!(club.look("HEAD", &link).await.0, "HTTP/1.1 200 OK");
    for method in ["PUT", "DELETE", "OPTIONS"] {
        let (status, fields) = club.look(method, &link).await;
        assert_eq!(status, "HTTP/1.1 405 Method Not Allowed");
        assert!(fields.contains("allow: GET, HEAD, POST\r\n"), "{fields}");
    }
    let both = ["bob@example.org", "carol@example.org"];
    assert_eq!(club.members().await, both);
    assert_eq!(club.post(&link, FORM, WISH).await, "HTTP/1.1 200 OK");
    assert_eq!(club.members().await, ["bob@example.org"]);
    assert_eq!(
        club.post(&link, FORM, WISH).await,
        "HTTP/1.1 200 OK",
        "again"
    );
    // Who comes again is not thrown out by what was posted long ago.
    let again = Member {
        address: club.carol.address.clone(),
        standing: Standing::Member,
        since: club.house.world.now() + 60,
    };
    let set = club.house.store.set_member(&club.list.address, &again);
    set.await.unwrap();
    assert_eq!(club.post(&link, FORM, WISH).await, "HTTP/1.1 200 OK");
    assert_eq!(club.members().await, both);
}

#[tokio::test]
async fn a_mail_program_may_post_it_as_a_form_of_parts() {
    let club = Club::open().await;
    let (_, link) = club.copy(&club.bob).await;
    let parts = "--b\r\nContent-Disposition: form-data; name=\"List-Unsubscribe\"\r\n\r\n\
                 One-Click\r\n--b--\r\n";
    let kind = "multipart/form-data; boundary=b";
    assert_eq!(club.post(&link, kind, parts).await, "HTTP/1.1 200 OK");
    assert_eq!(club.members().await, ["carol@example.org"]);
}

#[tokio::test]
async fn nothing_else_that_is_posted_takes_anybody_off() {
    let club = Club::open().await;
    let (_, link) = club.copy(&club.carol).await;
    let long = format!("{WISH}{}", " ".repeat(2_000));
    for body in ["", "List-Unsubscribe=No", "unsubscribe=One-Click", &long] {
        let status = club.post(&link, FORM, body).await;
        assert_eq!(status, "HTTP/1.1 400 Bad Request", "{body}");
    }
    let mut forged = link.clone().into_bytes();
    let place = forged.len() - 20;
    forged[place] = if forged[place] == b'A' { b'B' } else { b'A' };
    let forged = String::from_utf8(forged).unwrap();
    for path in [
        forged.as_str(),
        "/unsubscribe/",
        "/unsubscribe/x",
        "/unsubscribe",
    ] {
        let (status, _) = club.look("GET", path).await;
        assert_eq!(status, "HTTP/1.1 404 Not Found", "{path}");
    }
    assert_eq!(
        club.post(&forged, FORM, WISH).await,
        "HTTP/1.1 404 Not Found"
    );
    assert_eq!(club.members().await.len(), 2);
}

/// Then one copy goes to all of a domain, as ever.
#[tokio::test]
async fn a_list_without_the_option_has_no_links() {
    let house = House::open().await;
    let bob = house.person("bob@example.org").await;
    let list = list_of(&house, CLUB, &bob);
    house.store.add_list(&list).await.unwrap();
    join(&house, &list, &bob, Standing::Member).await;
    letter(&house, &bob, CLUB, "news\r\n").await;
    settled(&house).await;
    let (stored, _) = house.inbox(&bob.account).await.remove(0);
    assert!(!stored.contains("List-Unsubscribe-Post"), "{stored}");
    let leave = "List-Unsubscribe: <mailto:club-request@example.com?subject=unsubscribe>\r\n";
    assert!(stored.contains(leave), "{stored}");
}
