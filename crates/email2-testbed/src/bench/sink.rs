//! Servers that keep nothing: one with our TLS and our SMTP, one with nothing at all. What is
//! measured of them is what no mail server over the same wire can be faster than.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use email2_io::drive::Driver;
use email2_io::net::{Connection, Stream};
use email2_io::tls::{CertificateFiles, ServerTls};
use email2_io::world::World;
use email2_smtp::server::{Answer, Auth, Event, Server, ServerConfig};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};

use crate::failure::{Outcome, Step};

/// Takes everything at `listen` under TLS by our own machine, and throws it away.
///
/// # Errors
/// The address or the certificate cannot be used.
pub async fn smtp(
    world: &World,
    listen: SocketAddr,
    certificate: &Path,
    key: &Path,
) -> Outcome<()> {
    let files = CertificateFiles {
        certificate: certificate.to_owned(),
        key: key.to_owned(),
    };
    let tls = ServerTls::new(&[files], Arc::clone(&world.clock)).step("TLS")?;
    let listener = world.net.listen(listen).await.step("listening")?;
    loop {
        let connection = listener.accept().await.step("connection")?;
        tokio::spawn(take(world.clone(), tls.clone(), connection));
    }
}

async fn take(world: World, tls: ServerTls, connection: Connection) {
    let config = ServerConfig {
        hostname: "sink.bench.example".to_owned(),
        tls: false,
        starttls: true,
        auth: Auth::NotOffered,
        size_limit: email2::limits::MESSAGE_OCTETS,
        recipients_limit: 1,
        postmaster: None,
    };
    let clock = Arc::clone(&world.clock);
    let machine = Server::new(config, clock.monotonic());
    let mut driver = Driver::new(machine, connection.stream, Arc::clone(&clock));
    while let Ok(Some(event)) = driver.next().await {
        let now = clock.monotonic();
        match event {
            Event::StartTls => {
                let secure = |stream| async { tls.accept(stream, &[]).await.map(|it| it.stream) };
                driver = match driver.upgrade(secure).await {
                    Ok(driver) => driver,
                    Err(_) => return,
                };
                driver.machine().tls_active(clock.monotonic());
            }
            Event::Mail(_) | Event::Recipient(_) => driver.machine().answer(Answer::Accepted, now),
            Event::ContentEnd(_) => {
                let answer = Answer::Stored("thrown away".to_owned());
                driver.machine().answer(answer, now);
            }
            Event::Closed => break,
            _ => {}
        }
    }
    driver.close().await;
}

/// Takes everything at `listen` in the clear, and looks at nothing but the ends of lines.
///
/// # Errors
/// The address cannot be used.
pub async fn nothing(world: &World, listen: SocketAddr) -> Outcome<()> {
    let listener = world.net.listen(listen).await.step("listening")?;
    loop {
        let connection = listener.accept().await.step("connection")?;
        tokio::spawn(swallow(connection.stream));
    }
}

async fn swallow(stream: Stream) -> std::io::Result<()> {
    let mut stream = BufReader::with_capacity(64 * 1024, stream);
    stream.write_all(b"220 nothing\r\n").await?;
    let (mut line, mut in_content) = (Vec::new(), false);
    loop {
        line.clear();
        if stream.read_until(b'\n', &mut line).await? == 0 {
            return Ok(());
        }
        let reply: &[u8] = match line.get(..4) {
            _ if in_content && line == b".\r\n" => b"250 gone\r\n",
            _ if in_content => continue,
            Some(b"DATA") => b"354 go on\r\n",
            Some(b"QUIT") => b"221 bye\r\n",
            _ => b"250 yes\r\n",
        };
        in_content = reply.starts_with(b"354");
        stream.write_all(reply).await?;
    }
}
