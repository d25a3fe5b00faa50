//! A mail host of ordinary mail on a simulated machine, with the habits that a test wants: it
//! answers what it is told at one step of a dialogue, hangs there, floods or hangs up.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use email2_io::{Stream, World};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

/// A step of a dialogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Greeting,
    Hello,
    Mail,
    Recipient,
    Data,
    Content,
    End,
}

/// What it does there in place of the right thing.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// Says this.
    Says(&'static str),
    /// Says nothing for ever.
    Hangs,
    /// Says what is no reply.
    Garbage,
    /// Says a reply of more than 64 KiB.
    Floods,
    /// Ends the connection.
    HangsUp,
}

/// Where it does what; `None`: nowhere.
pub(crate) type Habit = Option<(Step, Act)>;

/// One connection that came.
#[derive(Clone, Debug)]
pub(crate) struct Visit {
    pub(crate) at: Duration,
    pub(crate) from: IpAddr,
}

/// The host.
#[derive(Debug, Default)]
pub(crate) struct Exchanger {
    /// Of the next connections, one each; then it behaves.
    pub(crate) habits: Mutex<VecDeque<Habit>>,
    /// Recipients that it does not know.
    pub(crate) unknown: Mutex<Vec<String>>,
    pub(crate) visits: Mutex<Vec<Visit>>,
    /// Recipients and content of what it took.
    pub(crate) taken: Mutex<Vec<(Vec<String>, String)>>,
    /// Whether it offers 8BITMIME and SMTPUTF8.
    pub(crate) old: bool,
    /// It hangs up, without a word, when it took so many messages on a connection.
    pub(crate) messages: Option<usize>,
}

impl Exchanger {
    pub(crate) fn with(habits: Vec<Habit>) -> Arc<Exchanger> {
        Arc::new(Exchanger {
            habits: Mutex::new(habits.into()),
            ..Exchanger::default()
        })
    }

    pub(crate) fn taken_by(&self, recipient: &str) -> usize {
        let taken = self.taken.lock().unwrap();
        let of = |(to, _): &&(Vec<String>, String)| to.iter().any(|to| to == recipient);
        taken.iter().filter(of).count()
    }

    /// Serves at `at` until its machine goes down.
    pub(crate) async fn serve(self: Arc<Self>, world: World, at: SocketAddr) {
        let listener = world.net.listen(at).await.unwrap();
        loop {
            let connection = listener.accept().await.unwrap();
            let at = world.clock.monotonic();
            let from = connection.peer.ip();
            self.visits.lock().unwrap().push(Visit { at, from });
            let habit = self.habits.lock().unwrap().pop_front().flatten();
            let talk = Talk {
                stream: BufReader::new(connection.stream),
                habit,
                to: Vec::new(),
                messages: 0,
            };
            let host = Arc::clone(&self);
            drop(tokio::spawn(async move { talk.go_on(&host).await }));
        }
    }
}

struct Talk {
    stream: BufReader<Stream>,
    habit: Habit,
    to: Vec<String>,
    messages: usize,
}

impl Talk {
    async fn go_on(mut self, host: &Exchanger) -> Option<()> {
        self.step(Step::Greeting, "220 mail.example.net ESMTP\r\n")
            .await?;
        loop {
            let line = self.line().await?;
            let verb = line.get(..4).unwrap_or_default().to_ascii_uppercase();
            match verb.as_str() {
                "EHLO" => self.step(Step::Hello, extensions(host)).await?,
                "MAIL" => self.step(Step::Mail, "250 2.1.0 ok\r\n").await?,
                "RCPT" => self.recipient(host, &line).await?,
                "DATA" => self.data(host).await?,
                "QUIT" => {
                    self.say("221 2.0.0 bye\r\n").await?;
                    return None;
                }
                _ => self.say("250 2.0.0 ok\r\n").await?,
            }
        }
    }

    async fn recipient(&mut self, host: &Exchanger, line: &str) -> Option<()> {
        let address = line.split(['<', '>']).nth(1).unwrap_or_default().to_owned();
        if host.unknown.lock().unwrap().contains(&address) {
            return self.say("550 5.1.1 no such person\r\n").await;
        }
        self.step(Step::Recipient, "250 2.1.5 ok\r\n").await?;
        if !matches!(self.habit, Some((Step::Recipient, _))) {
            self.to.push(address);
        }
        Some(())
    }

    async fn data(&mut self, host: &Exchanger) -> Option<()> {
        self.step(Step::Data, "354 go\r\n").await?;
        if matches!(self.habit, Some((Step::Data, _))) {
            return Some(());
        }
        let mut content = String::new();
        loop {
            let line = self.line().await?;
            if line == ".\r\n" {
                break;
            }
            content.push_str(&line);
            if matches!(self.habit, Some((Step::Content, _))) {
                return self.step(Step::Content, "").await;
            }
        }
        let to = std::mem::take(&mut self.to);
        if self.habit.is_none() {
            host.taken.lock().unwrap().push((to, content));
        }
        self.step(Step::End, "250 2.0.0 taken\r\n").await?;
        self.messages += 1;
        (host.messages != Some(self.messages)).then_some(())
    }

    /// The right reply, unless its habit is another one here.
    async fn step(&mut self, step: Step, right: &str) -> Option<()> {
        let act = match &self.habit {
            Some((at, act)) if *at == step => act.clone(),
            _ => return self.say(right).await,
        };
        match act {
            Act::Says(reply) => self.say(reply).await,
            Act::Hangs => std::future::pending().await,
            Act::Garbage => self.say("\u{0}\u{1}hello, world\r\n2\r\n").await,
            Act::Floods => {
                let lines = "250-and so on, and so on, and so on\r\n".repeat(4000);
                self.say(&lines).await
            }
            Act::HangsUp => None,
        }
    }

    async fn say(&mut self, text: &str) -> Option<()> {
        self.stream.write_all(text.as_bytes()).await.ok()?;
        self.stream.flush().await.ok()
    }

    async fn line(&mut self) -> Option<String> {
        let mut line = Vec::new();
        let octets = self.stream.read_until(b'\n', &mut line).await.ok()?;
        (octets > 0).then(|| String::from_utf8_lossy(&line).into_owned())
    }
}

fn extensions(host: &Exchanger) -> &'static str {
    match host.old {
        true => "250-mail.example.net\r\n250 PIPELINING\r\n",
        false => {
            "250-mail.example.net\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 ENHANCEDSTATUSCODES\r\n"
        }
    }
}
