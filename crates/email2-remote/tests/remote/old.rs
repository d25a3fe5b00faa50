//! A mail host that has never heard of Email 2.0: line by line, by RFC 5321.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use email2_io::tls::ServerTls;
use email2_io::{Stream, World};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// How it behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Habit {
    /// It offers STARTTLS.
    Tls,
    /// It does not.
    Clear,
    /// It offers STARTTLS and closes the connection when it is taken at its word.
    BrokenTls,
    /// It offers STARTTLS and refuses it.
    RefusedTls,
    /// It knows HELO only.
    Helo,
}

/// What was said to it.
pub(crate) type Heard = Arc<Mutex<Vec<String>>>;

/// Serves at `address` until the test ends.
pub(crate) async fn serve(world: World, tls: ServerTls, at: SocketAddr, habit: Habit) -> Heard {
    let listener = world.net.listen(at).await.unwrap();
    let heard = Heard::default();
    let noted = Arc::clone(&heard);
    tokio::spawn(async move {
        loop {
            let connection = listener.accept().await.unwrap();
            let (tls, heard) = (tls.clone(), Arc::clone(&noted));
            tokio::spawn(async move { talk(connection.stream, tls, habit, &heard).await });
        }
    });
    heard
}

async fn talk(mut stream: Stream, tls: ServerTls, habit: Habit, heard: &Heard) -> Option<()> {
    say(&mut stream, "220 old.example ESMTP").await?;
    let mut secured = false;
    loop {
        let line = line(&mut stream).await?;
        heard.lock().unwrap().push(line.clone());
        let offers = !matches!(habit, Habit::Clear | Habit::Helo) && !secured;
        match line.split(' ').next() {
            Some("EHLO") if habit == Habit::Helo => say(&mut stream, "502 what?").await?,
            Some("EHLO") if offers => {
                say(&mut stream, "250-old.example\r\n250 STARTTLS").await?;
            }
            Some("EHLO" | "HELO") => say(&mut stream, "250 old.example").await?,
            Some("STARTTLS") if habit == Habit::RefusedTls => {
                say(&mut stream, "454 not now").await?;
            }
            Some("STARTTLS") if habit == Habit::BrokenTls => {
                say(&mut stream, "220 go on").await?;
                return None;
            }
            Some("STARTTLS") => {
                say(&mut stream, "220 go on").await?;
                stream = tls.accept(stream, &[]).await.ok()?.stream;
                secured = true;
            }
            _ => say(&mut stream, "221 bye").await?,
        }
    }
}

async fn say(stream: &mut Stream, text: &str) -> Option<()> {
    stream
        .write_all(format!("{text}\r\n").as_bytes())
        .await
        .ok()?;
    stream.flush().await.ok()
}

async fn line(stream: &mut Stream) -> Option<String> {
    let mut line = Vec::new();
    while !line.ends_with(b"\r\n") {
        line.push(stream.read_u8().await.ok()?);
    }
    Some(String::from_utf8_lossy(&line).trim_end().to_owned())
}
