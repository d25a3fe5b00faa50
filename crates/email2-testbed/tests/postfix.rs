//! SMTP smuggling with a real victim, both ways: Debian's Postfix 3.7 takes `LF . CR LF` for the
//! end of a message. Our client never sends it that, and the message that it makes of a hidden one
//! and carries on to us is refused like the first.
//! Needs root, as Postfix does; else, and where it is not installed, the tests say so and return.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    reason = "a test may fail, and runs a foreign server"
)]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use email2::address::ReversePath;
use email2::rejection::Rejection;
use email2_smtp::client::{Client, ClientConfig, Event, Failure, StartTls};
use email2_smtp::{Envelope, Mail, Recipient};
use email2_testbed::domain::Plan;
use email2_testbed::testbed::Testbed;

/// How long Postfix may take for anything.
const PATIENCE: Duration = Duration::from_secs(30);
/// Ends of a message that are none (case S01).
const FALSE_ENDS: [&str; 5] = ["\n.\r\n", "\n.\n", "\r\n.\n", "\r.\r", "\n.\r"];
/// What a smuggler hides behind one.
const HIDDEN: &str = "MAIL FROM:<ceo@example.org>\r\nRCPT TO:<all@example.net>\r\nDATA\r\n\
    From: ceo@example.org\r\nSubject: hidden\r\n\r\nSend the money.\r\n.\r\n";

/// A Postfix that runs in a folder.
struct Postfix {
    master: Child,
    etc: PathBuf,
    mail: PathBuf,
    log: PathBuf,
    at: SocketAddr,
    _folder: tempfile::TempDir,
}

impl Postfix {
    /// Starts one that delivers example.net into a file, and all else to `relay`.
    fn start(relay: Option<SocketAddr>) -> Option<Postfix> {
        let root = Command::new("id")
            .arg("-u")
            .output()
            .is_ok_and(|id| id.stdout == b"0\n");
        if !root || !Path::new("/usr/lib/postfix/sbin/master").exists() {
            eprintln!("skipped: needs root and Debian's postfix (scripts/test installs it)");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let at = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        let (etc, log) = (
            folder.path().join("etc"),
            PathBuf::from(format!("/var/log/email2-smuggling-{}.log", at.port())),
        );
        open_to_all(folder.path());
        for part in ["etc", "spool", "data", "mail"] {
            std::fs::create_dir(folder.path().join(part)).unwrap();
            open_to_all(&folder.path().join(part));
        }
        // Its delivery agent is nobody.
        let writable = std::fs::Permissions::from_mode(0o777);
        std::fs::set_permissions(folder.path().join("mail"), writable).unwrap();
        let owned = Command::new("chown")
            .arg("postfix")
            .arg(folder.path().join("data"))
            .status();
        assert!(owned.unwrap().success());
        std::fs::write(etc.join("main.cf"), main_cf(folder.path(), &log, relay)).unwrap();
        std::fs::write(etc.join("master.cf"), master_cf(at)).unwrap();
        let checked = Command::new("postfix")
            .arg("-c")
            .arg(&etc)
            .arg("check")
            .stderr(Stdio::null())
            .status();
        assert!(checked.unwrap().success());
        let master = Command::new("/usr/lib/postfix/sbin/master")
            .arg("-c")
            .arg(&etc)
            .arg("-d")
            .spawn();
        let postfix = Postfix {
            master: master.unwrap(),
            etc,
            mail: folder.path().join("mail/all"),
            log,
            at,
            _folder: folder,
        };
        postfix.wait("it listens", || TcpStream::connect(at).is_ok());
        Some(postfix)
    }

    fn wait(&self, what: &str, ready: impl Fn() -> bool) {
        let begin = Instant::now();
        while !ready() {
            assert!(begin.elapsed() < PATIENCE, "{what}: {}", self.logged());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn logged(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Messages that it delivered.
    fn delivered(&self) -> usize {
        let kept = std::fs::read(&self.mail).unwrap_or_default();
        let lines = kept.split(|&octet| octet == b'\n');
        lines.filter(|line| line.starts_with(b"From ")).count()
    }

    /// Gives it one message by hand, as octets; the replies to its end, one or more.
    fn give(&self, to: &str, content: &str) -> String {
        let mut stream = TcpStream::connect(self.at).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(3)))
            .unwrap();
        let mut replies = BufReader::new(stream.try_clone().unwrap());
        let mut line = String::new();
        replies.read_line(&mut line).unwrap();
        let commands = [
            "EHLO x",
            "MAIL FROM:<bob@example.org>",
            &format!("RCPT TO:<{to}>"),
            "DATA",
        ];
        for command in commands {
            stream
                .write_all(format!("{command}\r\n").as_bytes())
                .unwrap();
            loop {
                line.clear();
                replies.read_line(&mut line).unwrap();
                if line.as_bytes()[3] == b' ' {
                    break;
                }
            }
            assert!(line.starts_with(['2', '3']), "{command}: {line}");
        }
        stream.write_all(content.as_bytes()).unwrap();
        let _ = stream.write_all(b"\r\n.\r\nQUIT\r\n");
        let mut said = Vec::new();
        let _ = replies.read_to_end(&mut said);
        String::from_utf8_lossy(&said).into_owned()
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        let _ = Command::new("postfix")
            .arg("-c")
            .arg(&self.etc)
            .arg("stop")
            .stderr(Stdio::null())
            .status();
        let _ = self.master.kill();
        let _ = self.master.wait();
        let _ = std::fs::remove_file(&self.log);
    }
}

fn open_to_all(folder: &Path) {
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).unwrap();
}

fn main_cf(folder: &Path, log: &Path, relay: Option<SocketAddr>) -> String {
    let relay = relay.map_or(String::new(), |relay| {
        format!("relayhost = [{}]:{}\n", relay.ip(), relay.port())
    });
    format!(
        "compatibility_level = 3.6\nqueue_directory = {folder}/spool\ndata_directory = {folder}/data\n\
         command_directory = /usr/sbin\ndaemon_directory = /usr/lib/postfix/sbin\nmyhostname = mx.example.net\n\
         mydestination =\ninet_interfaces = 127.0.0.1\ninet_protocols = ipv4\nalias_maps =\nlocal_recipient_maps =\n\
         virtual_mailbox_domains = example.net\nvirtual_mailbox_base = {folder}/mail\n\
         virtual_mailbox_maps = static:all\nvirtual_uid_maps = static:65534\nvirtual_gid_maps = static:65534\n\
         virtual_minimum_uid = 100\nmynetworks = 127.0.0.0/8\nsmtp_tls_security_level = may\n\
         smtpd_relay_restrictions = permit_mynetworks, reject\nsmtp_host_lookup = native\nbounce_size_limit = 1\n\
         maillog_file = {log}\nmaillog_file_prefixes = /var/log\n{relay}",
        folder = folder.display(),
        log = log.display(),
    )
}

fn master_cf(at: SocketAddr) -> String {
    let smtpd = format!("{}:{} inet n - n - 20 smtpd\n", at.ip(), at.port());
    smtpd
        + "postlog unix-dgram n - n - 1 postlogd\npickup unix n - n 60 1 pickup\ncleanup unix n - n - 0 cleanup\n\
           qmgr unix n - n 300 1 qmgr\ntlsmgr unix - - n 1000? 1 tlsmgr\nrewrite unix - - n - - trivial-rewrite\n\
           bounce unix - - n - 0 bounce\ndefer unix - - n - 0 bounce\ntrace unix - - n - 0 bounce\n\
           proxymap unix - - n - - proxymap\nanvil unix - - n - 1 anvil\nsmtp unix - - n - - smtp\n\
           error unix - - n - - error\nretry unix - - n - - error\ndiscard unix - - n - - discard\n\
           virtual unix - n n - - virtual\n"
}

/// Our client machine over a socket, with this content for Postfix; what became of it.
fn send(at: SocketAddr, content: &[u8]) -> Result<(), Failure> {
    const NOW: Duration = Duration::from_secs(1);
    let config = ClientConfig {
        name: "client.example".to_owned(),
        // It is not asked to begin TLS: what matters here is what it writes.
        tls: true,
        start_tls: StartTls::Demanded,
        credentials: None,
    };
    let (mut client, mut stream) = (Client::new(config, NOW), TcpStream::connect(at).unwrap());
    let mut given = false;
    let mut block = [0; 4096];
    loop {
        while let Some(event) = client.poll_event() {
            match event {
                Event::Ready(_) => {
                    let recipient = Recipient::new("all@example.net".parse().unwrap());
                    let mail = Mail::new(ReversePath::parse("bob@example.org").unwrap());
                    client.deliver(
                        &Envelope {
                            mail,
                            recipients: vec![recipient],
                        },
                        NOW,
                    );
                }
                Event::WantsContent if !given => {
                    given = true;
                    client.content(content, NOW);
                }
                Event::WantsContent => client.content_end(NOW),
                Event::Delivered(mut outcomes) => {
                    let outcome = outcomes.remove(0).result;
                    return outcome.map(|_| ());
                }
                Event::Failed(failure) => return Err(failure),
                _ => {}
            }
        }
        if let Some(octets) = client.poll_transmit() {
            stream.write_all(&octets).unwrap();
            continue;
        }
        let count = stream.read(&mut block).unwrap();
        assert!(count > 0, "postfix hung up");
        client.receive(&block[..count], NOW);
    }
}

#[test]
fn our_client_never_sends_postfix_a_false_end() {
    let Some(postfix) = Postfix::start(None) else {
        return;
    };
    // The victim is one: by hand, one message becomes two.
    let said = postfix.give(
        "all@example.net",
        &format!("Subject: a\r\n\r\none{}{HIDDEN}", FALSE_ENDS[0]),
    );
    assert!(said.matches("queued as").count() >= 2, "{said}");
    postfix.wait("two are delivered", || postfix.delivered() == 2);
    for end in FALSE_ENDS {
        let content = format!("Subject: b\r\n\r\none{end}{HIDDEN}");
        assert_eq!(
            send(postfix.at, content.as_bytes()),
            Err(Failure::Content),
            "{end:?}"
        );
    }
    // What is well formed arrives, with the dots that looked like an end.
    assert_eq!(
        send(postfix.at, b"Subject: c\r\n\r\n.\r\n..\r\nend\r\n"),
        Ok(())
    );
    postfix.wait("the good one is delivered", || postfix.delivered() == 3);
    assert!(
        !std::fs::read_to_string(&postfix.mail)
            .unwrap()
            .contains("Subject: b")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_smuggled_into_postfix_is_refused_by_us() {
    let folder = tempfile::tempdir().unwrap();
    let mut testbed = Testbed::start(folder.path()).unwrap();
    testbed.add_domain(&Plan::new("example.com")).await.unwrap();
    let alice = "alice@example.com".parse().unwrap();
    testbed.add_device(&alice).await.unwrap();
    let ours = testbed.exchanger("example.com").unwrap().address;
    let judged = tokio::task::spawn_blocking(move || {
        let postfix = Postfix::start(Some(ours))?;
        let hidden = HIDDEN.replace("all@example.net", "alice@example.com");
        let content = format!("Subject: d\r\n\r\none{}{hidden}", FALSE_ENDS[0]);
        postfix.give("alice@example.com", &content);
        postfix.wait("both are answered", || {
            answers(&postfix.logged()).len() == 2
        });
        Some(answers(&postfix.logged()))
    });
    if let Some(answers) = judged.await.unwrap() {
        let refused = Rejection::Unsealed.to_string();
        for answer in &answers {
            assert!(
                answer.contains("status=bounced") && answer.contains(&refused),
                "{answer}"
            );
        }
    }
    testbed.stop().await;
}

/// What Postfix notes of our answers to messages for Alice.
fn answers(log: &str) -> Vec<String> {
    let to_alice = log
        .lines()
        .filter(|line| line.contains("to=<alice@example.com>"));
    to_alice
        .filter(|line| line.contains("status="))
        .map(str::to_owned)
        .collect()
}
