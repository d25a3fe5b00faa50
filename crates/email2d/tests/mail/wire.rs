//! A client that types what a test tells it to.

use std::net::SocketAddr;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use email2_io::net::Stream;
use email2_io::tls::{AcceptedName, ClientTls, TlsAsk};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::house::{House, Person};

/// One connection.
pub(crate) struct Wire {
    stream: Stream,
    heard: Vec<u8>,
    tls: ClientTls,
}

impl Wire {
    /// In plaintext, before the greeting.
    pub(crate) async fn plain(house: &House, address: SocketAddr) -> Wire {
        let connection = house.world.net.connect(address).await.unwrap();
        let clock = Arc::clone(&house.world.clock);
        Wire {
            stream: connection.stream,
            heard: Vec::new(),
            tls: ClientTls::new(Some(&house.ca), clock).unwrap(),
        }
    }

    /// Under TLS from the first octet, before the greeting; `alpn` as given.
    pub(crate) async fn secured(
        house: &House,
        address: SocketAddr,
        alpn: Option<&'static str>,
    ) -> Wire {
        Wire::plain(house, address).await.handshake(alpn).await
    }

    pub(crate) async fn handshake(mut self, alpn: Option<&'static str>) -> Wire {
        let ask = TlsAsk {
            sni: "mx.example.com".to_owned(),
            names: vec![AcceptedName::Host("mx.example.com".to_owned())],
            alpn: alpn.map(str::as_bytes),
            pins: None,
        };
        self.stream = self.tls.connect(self.stream, &ask).await.unwrap().stream;
        self.heard.clear();
        self
    }

    /// At the mail exchanger's door, behind STARTTLS and EHLO.
    pub(crate) async fn mx(house: &House) -> Wire {
        let mut wire = Wire::plain(house, house.running.listening().mx[0]).await;
        assert!(wire.hear().await.starts_with("220 mx.example.com "));
        wire.ask("EHLO client.example.net").await;
        assert!(wire.ask("STARTTLS").await.starts_with("220 "));
        let mut wire = wire.handshake(None).await;
        assert!(
            wire.ask("EHLO client.example.net")
                .await
                .contains("EMAIL2 1")
        );
        wire
    }

    /// At the submission door, behind EHLO.
    pub(crate) async fn submission(house: &House) -> Wire {
        let address = house.running.listening().submissions[0];
        let mut wire = Wire::secured(house, address, None).await;
        wire.hear().await;
        wire.ask("EHLO client.example.net").await;
        wire
    }

    /// Signed in at the submission door.
    pub(crate) async fn signed_in(house: &House, who: &Person) -> Wire {
        let mut wire = Wire::submission(house).await;
        let reply = wire.sign_in(who.address.to_string(), &who.token).await;
        assert!(reply.starts_with("235 "), "{reply}");
        wire
    }

    pub(crate) async fn sign_in(&mut self, name: String, password: &str) -> String {
        let response = STANDARD.encode(format!("\0{name}\0{password}"));
        self.ask(&format!("AUTH PLAIN {response}")).await
    }

    /// Sends a line and gives the reply, all of its lines.
    pub(crate) async fn ask(&mut self, line: &str) -> String {
        self.send(&format!("{line}\r\n")).await;
        self.hear().await
    }

    /// The code of the reply to a line.
    pub(crate) async fn code(&mut self, line: &str) -> String {
        self.ask(line).await.chars().take(3).collect()
    }

    /// Sends content by DATA, dots put in, and gives the reply to its end.
    pub(crate) async fn data(&mut self, content: &str) -> String {
        assert_eq!(self.code("DATA").await, "354");
        let stuffed = content.replace("\r\n.", "\r\n..");
        self.send(&format!("{stuffed}.\r\n")).await;
        self.hear().await
    }

    /// Sends content in one chunk.
    pub(crate) async fn bdat(&mut self, content: &str) -> String {
        self.send(&format!("BDAT {} LAST\r\n{content}", content.len()))
            .await;
        self.hear().await
    }

    /// The whole transaction of a sealed message; gives the reply to its end.
    pub(crate) async fn deliver(&mut self, author: &Person, to: &[&str], message: &str) -> String {
        assert_eq!(self.code(&author.announces()).await, "250");
        for to in to {
            assert_eq!(self.code(&format!("RCPT TO:<{to}>")).await, "250", "{to}");
        }
        self.data(message).await
    }

    pub(crate) async fn send(&mut self, text: &str) {
        self.send_octets(text.as_bytes()).await;
    }

    pub(crate) async fn send_octets(&mut self, octets: &[u8]) {
        self.stream.write_all(octets).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    /// Nothing more is sent; what is said is still heard.
    pub(crate) async fn no_more(&mut self) {
        self.stream.shutdown().await.unwrap();
    }

    /// All that comes until the connection ends.
    pub(crate) async fn rest(&mut self) -> Vec<u8> {
        let mut rest = std::mem::take(&mut self.heard);
        let _ = self.stream.read_to_end(&mut rest).await;
        rest
    }

    /// The next reply, all of its lines; empty when the connection ended.
    pub(crate) async fn hear(&mut self) -> String {
        loop {
            if let Some(end) = reply_end(&self.heard) {
                let reply = self.heard.drain(..end).collect();
                return String::from_utf8(reply).unwrap();
            }
            let mut some = [0; 4096];
            match self.stream.read(&mut some).await {
                Ok(count) if count > 0 => self.heard.extend(some.iter().take(count)),
                _ => return String::new(),
            }
        }
    }
}

/// Behind the last line of the reply in front: the one without a hyphen after its code.
fn reply_end(heard: &[u8]) -> Option<usize> {
    let mut end = 0;
    for line in heard.split_inclusive(|&octet| octet == b'\n') {
        end += line.len();
        if line.ends_with(b"\r\n") && line.get(3) != Some(&b'-') {
            return Some(end);
        }
    }
    None
}
