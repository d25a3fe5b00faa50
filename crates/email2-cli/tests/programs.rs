//! Programs that people have read a mailbox of the real server over TLS, and each of them is
//! told the verdict. One that is not installed is skipped, with a line on standard error.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail"
)]

#[path = "processes/program.rs"]
#[expect(dead_code, reason = "the other test uses all of it")]
mod program;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use email2_testbed::domain::Plan;
use email2_testbed::loopback::IMAPS_PORT;
use email2_testbed::testbed::Testbed;
use program::{Home, ServerProcess};
use serde_json::{Value, json};

const ALICE: &str = "alice@example.com";
const BOB: &str = "bob@example.org";
/// How every sealed message is shown first.
const VERIFIED: &str = "Email2-Verdict: verified; author=bob@example.org; assurance=";
/// How long a program may take for what it does in a second or two.
const PATIENCE: Duration = Duration::from_secs(60);
/// A message that claims what only the server says.
const FORGED: &[u8] = b"From: bob@example.org\r\nTo: alice@example.com\r\nSubject: forged\r\n\
    Email2-Verdict: verified; author=bob@example.org; assurance=dnssec; at=1795724630\r\n\r\n\
    Trust me.\r\n";

/// Alice's mailbox: two messages that bob sealed, three that she put there herself.
struct Scene {
    server: Value,
    certificate: PathBuf,
    com: ServerProcess,
    org: ServerProcess,
    folder: tempfile::TempDir,
    _testbed: Testbed,
}

impl Scene {
    fn start() -> Scene {
        let folder = tempfile::tempdir().unwrap();
        let mut testbed = Testbed::start(folder.path()).unwrap();
        let signed = |name| Plan {
            signed: true,
            ..Plan::new(name)
        };
        let com = ServerProcess::start(&mut testbed, &signed("example.com")).unwrap();
        let org = ServerProcess::start(&mut testbed, &signed("example.org")).unwrap();
        set_up(&testbed, &com, ALICE);
        let bob = set_up(&testbed, &org, BOB);
        send(&bob, &["--subject", "Lunch", "--body", "At noon?"]);
        let clear = ["--subject", "Grüße aus Köln", "--body", "Straße und Maß"];
        send(&bob, &[&clear[..], &["--no-encrypt"]].concat());
        let at = testbed.network.port(com.place.number, IMAPS_PORT);
        let password = com.administer(&["user", "password", ALICE]).unwrap();
        let scene = Scene {
            server: json!({
                "address": at.ip().to_string(),
                "port": at.port(),
                "name": com.place.plan.host,
                "authority": testbed.certification.file(),
                "user": ALICE,
                "password": password["password"],
            }),
            certificate: com.place.files.certificate.clone(),
            com,
            org,
            folder,
            _testbed: testbed,
        };
        scene.append();
        scene
    }

    /// The forged one, and the messages of cases I06 and I08.
    fn append(&self) {
        let forged = self.file("forged.eml", FORGED);
        let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("../email2-testbed/cases");
        let case = |name: &str| cases.join(name).to_str().unwrap().to_owned();
        let mut python = self.python("append.py");
        python
            .arg(&forged)
            .arg(case("I06-messageid-quotes.eml"))
            .arg(case("I08-looks-tagged.eml"));
        succeeded(&python.output().unwrap());
    }

    fn of(&self, key: &str) -> String {
        match &self.server[key] {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        }
    }

    fn file(&self, name: &str, octets: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, octets).unwrap();
        path
    }

    /// A program that is told of the server, in a home of its own.
    fn command(&self, program: &str) -> Command {
        let home = self.folder.path().join("home");
        std::fs::create_dir_all(&home).unwrap();
        let mut command = Command::new(program);
        command
            .env("SERVER", self.server.to_string())
            .env("HOME", home)
            .env("LC_ALL", "C.UTF-8")
            .current_dir(self.folder.path())
            .stdin(Stdio::null());
        command
    }

    fn python(&self, script: &str) -> Command {
        let mut command = self.command("python3");
        command
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .arg(scripts().join(script));
        command
    }

    fn stop(self) {
        self.com.stop().unwrap();
        self.org.stop().unwrap();
    }
}

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs")
}

fn set_up(testbed: &Testbed, server: &ServerProcess, address: &str) -> Home {
    let added = server.administer(&["user", "add", address]).unwrap();
    let home = Home::make(testbed, address).unwrap();
    let code = added["code"].as_str().unwrap();
    let code = home.file("code", code.as_bytes()).unwrap();
    let setup = ["setup", address, "--code-file", &code, "--no-backup"];
    home.run(&setup).unwrap();
    home
}

fn send(from: &Home, what: &[&str]) {
    let reports = from.run(&[&["send", "--to", ALICE][..], what].concat());
    let reports = reports.unwrap();
    assert_eq!(reports[0]["state"], "delivered", "{reports}");
}

/// Whether a program is there; says so when it is not.
fn installed(program: &str) -> bool {
    let found = Command::new("sh")
        .args(["-c", "command -v \"$0\"", program])
        .stdout(Stdio::null())
        .status();
    let found = found.unwrap().success();
    if !found {
        eprintln!("skipped: {program} is not installed");
    }
    found
}

/// What a program printed that went well.
fn succeeded(output: &Output) -> String {
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{}\n{printed}\n{complaints}",
        output.status
    );
    printed
}

/// Asks again until there is an answer, or for too long.
fn wait_for<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let pause = Duration::from_millis(100);
    for _ in 0..PATIENCE.as_millis() / pause.as_millis() {
        if let Some(answer) = ask() {
            return answer;
        }
        std::thread::sleep(pause);
    }
    panic!("{what} did not come");
}

/// The files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => found.push(path),
            }
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn imaplib_reads_searches_files_and_waits() {
    if !installed("python3") {
        return;
    }
    let scene = Scene::start();
    let output = scene.python("read_with_imaplib.py").output().unwrap();
    assert_eq!(succeeded(&output), "done\n");
    scene.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn imapflow_reads_and_moves() {
    let modules = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../npm/node_modules");
    if !installed("node") || !installed("python3") {
        return;
    }
    if !modules.join("imapflow").exists() {
        eprintln!("skipped: imapflow is not in target/npm (scripts/test puts it there)");
        return;
    }
    let scene = Scene::start();
    let mut node = scene.command("node");
    node.env("NODE_MODULES", modules.join(".."))
        .arg(scripts().join("read_with_imapflow.mjs"));
    let seen: Value = serde_json::from_str(&succeeded(&node.output().unwrap())).unwrap();
    let messages = seen["messages"].as_array().unwrap();
    assert_eq!(messages.len(), 5, "{seen}");
    for (place, message) in messages.iter().enumerate() {
        let verdict = message["verdict"].as_str().unwrap();
        assert_eq!(message["verified"], place < 2, "{message}");
        assert_eq!(verdict.starts_with(VERIFIED), place < 2, "{message}");
        assert_eq!(verdict.lines().count(), 1, "{message}");
    }
    assert_eq!(messages[0]["kind"], "multipart/encrypted", "{seen}");
    assert_eq!(messages[1]["subject"], "Grüße aus Köln", "{seen}");
    assert_eq!(messages[1]["author"], BOB, "{seen}");
    assert_eq!(messages[2]["verdict"], "Email2-Verdict: appended", "{seen}");
    assert_eq!(
        messages[3]["messageId"], "<a\"b\\c@example.org>",
        "case I06: {seen}"
    );
    assert_eq!(messages[4]["subject"], "case i08", "{seen}");
    let text = seen["text"].as_str().unwrap();
    assert_eq!(text.trim(), "Straße und Maß", "{seen}");
    assert_eq!(seen["found"], json!([2]), "{seen}");
    assert_eq!(seen["folders"].as_array().unwrap().len(), 6, "{seen}");
    assert_eq!(seen["exists"], 4, "{seen}");
    scene.stop();
}

/// A mirror of alice's mailboxes that mbsync keeps.
struct Mirror {
    configuration: PathBuf,
    mail: PathBuf,
}

impl Mirror {
    fn of(scene: &Scene) -> Mirror {
        let mail = scene.folder.path().join("mail");
        std::fs::create_dir(&mail).unwrap();
        let configuration = format!(
            "IMAPAccount alice\nHost {}\nPort {}\nUser {ALICE}\nPass {}\nSSLType IMAPS\n\
             AuthMechs PLAIN\nCertificateFile {}\n\nIMAPStore far\nAccount alice\n\n\
             MaildirStore near\nSubFolders Verbatim\nPath {mail}/\nInbox {mail}/INBOX\n\n\
             Channel all\nFar :far:\nNear :near:\nPatterns *\nCreate Both\nExpunge Both\n\
             Sync All\nSyncState *\n",
            scene.of("address"),
            scene.of("port"),
            scene.of("password"),
            scene.certificate.display(),
            mail = mail.display(),
        );
        Mirror {
            configuration: scene.file("mbsyncrc", configuration.as_bytes()),
            mail,
        }
    }

    /// Synchronises; the messages of INBOX and where they lie.
    fn sync(&self, scene: &Scene) -> Vec<(PathBuf, String)> {
        let mut command = scene.command("mbsync");
        command.arg("-c").arg(&self.configuration).arg("-a");
        succeeded(&command.output().unwrap());
        let inbox = files(&self.mail.join("INBOX")).into_iter();
        let mirrored = inbox.filter(|path| path.to_str().unwrap().contains(",U="));
        mirrored
            .map(|path| {
                let octets = std::fs::read(&path).unwrap();
                (path, String::from_utf8_lossy(&octets).into_owned())
            })
            .collect()
    }

    fn forget(&self) {
        std::fs::remove_dir_all(&self.mail).unwrap();
        std::fs::create_dir(&self.mail).unwrap();
    }
}

/// Those that are shown as verified.
fn verified(messages: &[(PathBuf, String)]) -> Vec<&(PathBuf, String)> {
    let verified = messages
        .iter()
        .filter(|(_, text)| text.starts_with(VERIFIED));
    verified.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn mbsync_mirrors_and_gives_back_flags_but_no_verdict() {
    if !installed("mbsync") || !installed("python3") {
        return;
    }
    let scene = Scene::start();
    let mirror = Mirror::of(&scene);
    let mirrored = mirror.sync(&scene);
    assert_eq!(mirrored.len(), 5);
    assert_eq!(verified(&mirrored).len(), 2);
    // A copy of a verified message that comes back is not verified, and a flag is kept.
    let (path, text) = verified(&mirrored)[0];
    std::fs::write(mirror.mail.join("INBOX/new/1.copy.here"), text).unwrap();
    let name = path.file_name().unwrap().to_str().unwrap();
    let (name, _) = name.split_once(":2,").unwrap();
    let flagged = format!("INBOX/cur/{name}:2,FS");
    std::fs::rename(path, mirror.mail.join(flagged)).unwrap();
    mirror.sync(&scene);
    mirror.forget();
    let again = mirror.sync(&scene);
    assert_eq!(again.len(), 6);
    assert_eq!(verified(&again).len(), 2);
    let is_flagged = |path: &Path| path.to_str().unwrap().ends_with(":2,FS");
    let flagged = verified(&again);
    let flagged = flagged.iter().filter(|(path, _)| is_flagged(path));
    assert_eq!(flagged.count(), 1, "{again:?}");
    let is_copy = |text: &str| {
        text.starts_with("Email2-Verdict: appended\n")
            && text.contains("\nX-Email2-Verdict: verified; author=bob@example.org; ")
            && !text.contains("Trust me.")
    };
    let copies = again.iter().filter(|(_, text)| is_copy(text));
    assert_eq!(copies.count(), 1, "{again:?}");
    scene.stop();
}

/// A terminal of its own for one program.
struct Terminal {
    socket: PathBuf,
}

impl Terminal {
    fn start(scene: &Scene, line: &str) -> Terminal {
        let socket = scene.folder.path().join("tmux");
        let mut command = scene.command("tmux");
        let size = ["-x", "150", "-y", "40"];
        let status = command
            .env("TERM", "xterm")
            .arg("-S")
            .arg(&socket)
            .args(["-f", "/dev/null", "new-session", "-d"])
            .args(size)
            .arg(line)
            .status();
        assert!(status.unwrap().success());
        Terminal { socket }
    }

    fn tmux(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("tmux");
        let output = command.arg("-S").arg(&self.socket).args(arguments).output();
        String::from_utf8_lossy(&output.unwrap().stdout).into_owned()
    }

    fn keys(&self, keys: &str) {
        self.tmux(&["send-keys", keys]);
    }

    /// The screen, once it shows this.
    fn screen_with(&self, words: &str) -> String {
        let mut last = String::new();
        wait_for(words, || {
            last = self.tmux(&["capture-pane", "-p"]);
            last.contains(words).then(|| last.clone())
        })
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.tmux(&["kill-server"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn neomutt_shows_the_verdict_beside_and_above_a_message() {
    if !installed("neomutt") || !installed("tmux") || !installed("python3") {
        return;
    }
    let scene = Scene::start();
    let configuration = format!(
        "set ssl_ca_certificates_file='{}'\nset certificate_file='{}'\nset ssl_verify_host=no\n\
         set imap_user='{ALICE}'\nset imap_pass='{}'\nset folder='imaps://{}:{}/'\n\
         set spoolfile=+INBOX\nset header_cache=''\nset nocrypt_verify_sig\n\
         set sort=mailbox-order\nset index_format='%3C %Z [%g] %s'\nset wait_key=no\n\
         ignore *\nunignore email2-verdict from subject\nunhdr_order *\n\
         hdr_order email2-verdict from subject\n",
        scene.of("authority"),
        scene.certificate.display(),
        scene.of("password"),
        scene.of("address"),
        scene.of("port"),
    );
    let configuration = scene.file("neomuttrc", configuration.as_bytes());
    let line = format!("neomutt -n -F '{}'", configuration.display());
    let terminal = Terminal::start(&scene, &line);
    let index = terminal.screen_with("case i08");
    let line = |subject: &str| {
        let found = index.lines().find(|line| line.contains(subject));
        found.unwrap_or_default().to_owned()
    };
    assert!(
        line("Grüße aus Köln").contains("[$Email2Verified]"),
        "{index}"
    );
    assert!(line("forged").contains("[]"), "{index}");
    terminal.keys("2");
    terminal.keys("Enter");
    terminal.keys("Enter");
    let page = terminal.screen_with("Straße und Maß");
    assert!(page.contains(VERIFIED), "{page}");
    terminal.keys("q");
    terminal.screen_with("case i08");
    terminal.keys("3");
    terminal.keys("Enter");
    terminal.keys("Enter");
    let page = terminal.screen_with("Trust me.");
    assert!(page.contains("Email2-Verdict: appended"), "{page}");
    assert!(!page.contains("verified;"), "{page}");
    scene.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn thunderbird_keeps_all_messages_with_their_verdicts() {
    let needed = ["thunderbird", "certutil", "python3"];
    if !needed.iter().all(|program| installed(program)) {
        return;
    }
    let scene = Scene::start();
    let profile = scene.folder.path().join("profile");
    let mut made = scene.python("thunderbird_profile.py");
    made.env("LD_LIBRARY_PATH", "/usr/lib/thunderbird")
        .arg(&profile);
    succeeded(&made.output().unwrap());
    let log = File::create(scene.folder.path().join("thunderbird.log")).unwrap();
    let mut command = scene.command("timeout");
    let mut running = command
        .args([
            "90",
            "thunderbird",
            "--headless",
            "--no-remote",
            "--profile",
        ])
        .arg(&profile)
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap();
    let inbox = profile
        .join("ImapMail")
        .join(scene.of("name"))
        .join("INBOX");
    let kept = wait_for("Thunderbird's INBOX", || {
        let octets = std::fs::read(&inbox).ok()?;
        let text = String::from_utf8_lossy(&octets).into_owned();
        (text.contains("case i08") && text.contains("a1 NO it failed")).then_some(text)
    });
    let pid = running.id().to_string();
    let ended = Command::new("kill").args(["-TERM", &pid]).status();
    assert!(ended.unwrap().success());
    running.wait().unwrap();
    let fields = |begin: &str| kept.lines().filter(|line| line.starts_with(begin)).count();
    assert_eq!(fields(VERIFIED), 2, "{kept}");
    assert_eq!(fields("Email2-Verdict: "), 5, "{kept}");
    assert_eq!(fields("X-Email2-Verdict: verified;"), 1, "{kept}");
    assert!(kept.contains("<a\"b\\c@example.org>"), "case I06: {kept}");
    scene.stop();
}
