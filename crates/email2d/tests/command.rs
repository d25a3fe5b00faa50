//! The program `email2d` as an administrator uses it.

#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helping functions too"
)]

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

struct Host {
    directory: TempDir,
}

impl Host {
    /// A host with what quickstart makes.
    fn new() -> (Host, Value) {
        let host = Host {
            directory: TempDir::new().unwrap(),
        };
        let data = host.path("data");
        let quickstart = host.run(&[
            "--json",
            "quickstart",
            "example.org",
            "--listen",
            "127.0.0.1",
            "--port-offset",
            "30000",
            "--data",
            data.to_str().unwrap(),
        ]);
        (host, json(&quickstart))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn program(&self, arguments: &[&str]) -> Command {
        let mut program = Command::new(env!("CARGO_BIN_EXE_email2d"));
        program
            .env_remove("EMAIL2_CONFIG")
            .arg("--config")
            .arg(self.path("etc/config.toml"))
            .args(arguments);
        program
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.program(arguments).output().unwrap()
    }

    /// Exit code and the sentence on standard error.
    fn refused(&self, arguments: &[&str]) -> (i32, String) {
        let output = self.run(arguments);
        let said = String::from_utf8(output.stderr).unwrap();
        (output.status.code().unwrap(), said)
    }
}

/// The one object that was printed.
fn json(output: &Output) -> Value {
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn quickstart_makes_all_that_a_server_needs() {
    let (host, said) = Host::new();
    assert_eq!(said["account"], "postmaster@example.org");
    assert_eq!(said["code"].as_str().unwrap().len(), 34);
    let records = said["records"].as_array().unwrap();
    assert_eq!(records.len(), 11);
    assert!(
        records[9]
            .as_str()
            .unwrap()
            .starts_with("e2ed._domainkey.example.org. TXT \"v=DKIM1; ")
    );
    // The same are printed at any time; the pin of a certificate for trying out is not.
    let dns = host.run(&["dns", "example.org"]);
    let lines: Vec<&str> = std::str::from_utf8(&dns.stdout).unwrap().lines().collect();
    let of_quickstart: Vec<&str> = records.iter().filter_map(Value::as_str).collect();
    let others = lines.iter().filter(|line| !line.contains(" TLSA 3 1 1 "));
    assert_eq!(others.copied().collect::<Vec<_>>(), of_quickstart);
    assert_eq!(lines.len(), of_quickstart.len() + 1);
    assert_eq!(mode(&host.path("data")), 0o700);
    for secret in [
        "etc/tls/key.pem",
        "data/keys/example.org.key",
        "data/store.sqlite",
    ] {
        assert_eq!(mode(&host.path(secret)), 0o600, "{secret}");
    }
    let check = json(&host.run(&["--json", "config", "check"]));
    assert_eq!(
        (&check["good"], &check["warnings"]),
        (&true.into(), &Value::Array(vec![]))
    );
    let told = String::from_utf8(host.run(&["config", "check"]).stdout).unwrap();
    let good = "config.toml: good; a server that runs takes it when it is restarted\n";
    assert!(told.ends_with(good), "{told}");
    let (code, again) = host.refused(&["quickstart", "example.org"]);
    assert_eq!(code, 73);
    assert!(again.contains("exists: move it away"), "{again}");
}

#[test]
fn accounts_are_added_listed_reset_and_removed() {
    let (host, _) = Host::new();
    let bob = "bob@example.org";
    let added = json(&host.run(&["--json", "user", "add", bob, "--quota", "1MiB"]));
    assert_eq!(added["address"], bob);
    assert_eq!(host.refused(&["user", "add", bob]).0, 65);
    assert_eq!(host.refused(&["user", "add", "bob@example.net"]).0, 68);
    assert_eq!(host.refused(&["user", "reset", "eve@example.org"]).0, 67);
    let list = host.run(&["--json", "user", "list"]);
    let first = String::from_utf8(list.stdout).unwrap();
    let first: Value = serde_json::from_str(first.lines().next().unwrap()).unwrap();
    assert_eq!(
        (&first["address"], &first["quota"]),
        (&bob.into(), &(1 << 20).into())
    );
    let password = json(&host.run(&["--json", "user", "password", bob, "--name", "mutt"]));
    assert_eq!(password["password"].as_str().unwrap().len(), 43);
    let reset = json(&host.run(&["--json", "user", "reset", bob]));
    assert_eq!(reset["devices_signed_out"], 1);
    assert_ne!(reset["code"], added["code"]);
    assert_eq!(host.refused(&["user", "remove", bob]).0, 65);
    assert!(host.run(&["user", "remove", bob, "--yes"]).status.success());
    assert_eq!(host.refused(&["user", "remove", bob, "--yes"]).0, 67);
}

#[test]
fn a_key_is_held_for_a_user_and_dropped() {
    let (host, _) = Host::new();
    let bob = "bob@example.org";
    json(&host.run(&["--json", "user", "add", bob]));
    assert_eq!(host.refused(&["user", "key", bob]).0, 64);
    assert_eq!(host.refused(&["user", "key", bob, "--drop"]).0, 67);
    let held = json(&host.run(&["--json", "user", "key", bob, "--hold"]));
    let shown = json(&host.run(&["--json", "key", "show", bob]));
    assert_eq!(
        (&shown["primary"], &shown["served"]),
        (&held["primary"], &true.into())
    );
    assert_eq!(mode(&host.path("data/keys/master.key")), 0o600);
    let list = String::from_utf8(host.run(&["user", "list"]).stdout).unwrap();
    let bobs = list.lines().find(|line| line.starts_with(bob)).unwrap();
    assert!(bobs.ends_with(" held by this server"), "{list}");
    // Once more changes nothing.
    let again = json(&host.run(&["--json", "user", "key", bob, "--hold"]));
    assert_eq!(again["primary"], held["primary"]);
    let dropped = json(&host.run(&["--json", "user", "key", bob, "--drop"]));
    assert_eq!(dropped["held"], false);
    let shown = json(&host.run(&["--json", "key", "show", bob]));
    assert_eq!(
        (&shown["served"], &shown["hard"]),
        (&false.into(), &true.into())
    );
    let other = json(&host.run(&["--json", "user", "key", bob, "--hold"]));
    assert_ne!(other["primary"], held["primary"]);
}

#[test]
fn keys_for_dkim_are_made_once_and_their_records_printed_again() {
    let (host, said) = Host::new();
    let again = json(&host.run(&["--json", "dkim", "example.org"]));
    let records = said["records"].as_array().unwrap();
    let printed = again["records"].as_array().unwrap();
    assert_eq!(printed.len(), 2);
    assert!(
        printed.iter().all(|record| records.contains(record)),
        "{records:?}"
    );
    assert_eq!(mode(&host.path("data/keys/example.org.e2rsa.dkim")), 0o600);
    assert_eq!(host.refused(&["dkim", "example.net"]).0, 68);
}

#[test]
fn names_of_the_smarthost_are_added_listed_and_removed() {
    let (host, _) = Host::new();
    let added = json(&host.run(&["--json", "smarthost", "add", "postfix"]));
    assert_eq!(added["password"].as_str().unwrap().len(), 43);
    assert_eq!(added["used"], false);
    let again = json(&host.run(&["--json", "smarthost", "add", "postfix"]));
    assert_ne!(again["password"], added["password"]);
    let told = || String::from_utf8(host.run(&["smarthost", "add", "postfix"]).stdout).unwrap();
    let hint = "\n\nNo door takes it yet: add names = [\"postfix\"] to a [[smarthost]] table of \
                the configuration and restart the server.\n";
    assert!(told().ends_with(hint), "{}", told());
    assert_eq!(host.refused(&["smarthost", "add", "a b"]).0, 65);
    let list = host.run(&["smarthost", "list"]);
    assert_eq!(list.stdout, b"postfix (no [[smarthost]] table names it)\n");
    let config = host.path("etc/config.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    let table = "[[smarthost]]\nlisten = [\"127.0.0.1:30026\"]\ndomains = [\"example.org\"]\n";
    std::fs::write(&config, format!("{text}\n{table}")).unwrap();
    let (code, said) = host.refused(&["config", "check"]);
    assert_eq!(code, 78);
    assert!(
        said.contains("smarthost.networks: nobody could use it"),
        "{said}"
    );
    std::fs::write(&config, format!("{text}\n{table}names = [\"postfix\"]\n")).unwrap();
    assert_eq!(host.run(&["smarthost", "list"]).stdout, b"postfix\n");
    let hint = "\n\nIt signs in from now on; only a server that was started before its \
                configuration named it has to be restarted.\n";
    assert!(told().ends_with(hint), "{}", told());
    json(&host.run(&["--json", "smarthost", "remove", "postfix"]));
    assert_eq!(host.refused(&["smarthost", "remove", "postfix"]).0, 67);
}

#[test]
fn keys_for_dkim_are_rotated_and_the_old_ones_dropped() {
    let (host, _) = Host::new();
    let (code, said) = host.refused(&["dkim"]);
    assert_eq!(code, 64, "{said}");
    let (code, said) = host.refused(&["dkim", "rotate", "example.org", "--activate"]);
    assert_eq!(code, 65);
    assert!(said.contains("no new pair waits"), "{said}");
    let next = json(&host.run(&["--json", "dkim", "rotate", "example.org"]));
    assert_eq!(
        (&next["pair"], &next["standing"]),
        (&2.into(), &"waiting".into())
    );
    let first = next["records"][0].as_str().unwrap();
    assert!(
        first.starts_with("e2ed2._domainkey.example.org. TXT"),
        "{first}"
    );
    // Both are wanted in the DNS, in this order.
    let dns = String::from_utf8(host.run(&["dns"]).stdout).unwrap();
    let at = |name: &str| dns.find(&format!("{name}._domainkey.example.org. TXT"));
    assert!(at("e2rsa").unwrap() < at("e2ed2").unwrap());
    let activate = ["--json", "dkim", "rotate", "example.org", "--activate"];
    assert_eq!(json(&host.run(&activate))["active"], 2);
    let shown = json(&host.run(&["--json", "dkim", "example.org"]));
    assert_eq!(shown["pairs"][0]["standing"], "old");
    let dropped = json(&host.run(&["--json", "dkim", "drop", "example.org"]));
    assert_eq!(dropped["dropped"][0], "e2ed._domainkey.example.org");
    let shown = json(&host.run(&["--json", "dkim", "example.org"]));
    assert_eq!(shown["pairs"].as_array().unwrap().len(), 1);
    assert_eq!(shown["pairs"][0]["standing"], "active");
    assert_eq!(host.refused(&["dkim", "drop", "example.net"]).0, 68);
}

#[test]
fn a_revoked_service_key_is_replaced() {
    let (host, _) = Host::new();
    let before = json(&host.run(&["--json", "key", "show", "@example.org"]));
    assert_eq!(before["served"], true);
    json(&host.run(&["--json", "key", "revoke", "@example.org"]));
    let show = host.run(&["--json", "key", "show", "@example.org"]);
    let lines = String::from_utf8(show.stdout).unwrap();
    let versions: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(
        (&versions[0]["served"], &versions[0]["hard"]),
        (&true.into(), &false.into())
    );
    assert_ne!(versions[0]["primary"], before["primary"]);
    let old = versions
        .iter()
        .filter(|version| version["primary"] == before["primary"]);
    assert!(old.clone().count() > 0 && old.into_iter().all(|version| version["hard"] == true));
    let armored = host.run(&["key", "show", "@example.org", "--armor"]);
    assert!(
        armored
            .stdout
            .starts_with(b"-----BEGIN PGP PUBLIC KEY BLOCK-----")
    );
    assert_eq!(host.refused(&["key", "show", "bob@example.org"]).0, 67);
    assert_eq!(host.refused(&["key", "revoke", "@example.net"]).0, 68);
}

#[test]
fn blocks_are_added_listed_and_removed() {
    let (host, _) = Host::new();
    let add = [
        "--json",
        "block",
        "add",
        "eve@example.net",
        "@bad.example",
        "*spam*",
    ];
    assert_eq!(json(&host.run(&add))["added"], 3);
    assert_eq!(json(&host.run(&add))["added"], 0);
    let list = host.run(&["block", "list"]);
    assert_eq!(list.stdout, b"eve@example.net\n@bad.example\n*spam*\n");
    let removed = json(&host.run(&["--json", "block", "remove", "@bad.example"]));
    assert_eq!(removed["removed"], 1);
    let whose = ["block", "list", "--user", "postmaster@example.org"];
    assert_eq!(host.run(&whose).stdout, b"");
}

#[test]
fn an_alias_of_ten_thousand_is_refused() {
    let (host, _) = Host::new();
    let targets: Vec<String> = (0..10_000)
        .map(|number| format!("p{number}@example.net"))
        .collect();
    let command = |most: usize| {
        let few = targets.iter().take(most).map(String::as_str);
        ["alias", "add", "all@example.org"]
            .into_iter()
            .chain(few)
            .collect::<Vec<_>>()
    };
    for most in [10_000, 21] {
        let (code, said) = host.refused(&command(most));
        assert_eq!(code, 65);
        let sentence =
            "an alias names at most 20 addresses; a list takes more: `email2d list create`";
        assert!(said.contains(sentence), "{said}");
    }
    assert!(host.run(&command(20)).status.success());
}

#[test]
fn what_is_wrong_is_said_in_one_line() {
    let (host, _) = Host::new();
    let config = host.path("etc/config.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replace("imaps = ", "imap = ")).unwrap();
    let (code, said) = host.refused(&["serve"]);
    assert_eq!(code, 78);
    assert!(
        said.contains("listen.imap: unknown key imap: did you mean imaps?"),
        "{said}"
    );
    std::fs::write(&config, &text).unwrap();
    std::fs::remove_file(host.path("etc/tls/certificate.pem")).unwrap();
    let (code, said) = host.refused(&["config", "check"]);
    assert_eq!(code, 78);
    assert!(said.contains("certificate.pem: No such file"), "{said}");
    std::fs::remove_file(&config).unwrap();
    let (code, said) = host.refused(&["user", "list"]);
    assert_eq!(code, 78);
    assert!(
        said.contains("`email2d quickstart DOMAIN` writes one"),
        "{said}"
    );
    assert_eq!(host.refused(&["frobnicate"]).0, 64);
}

#[test]
fn an_expired_certificate_is_said() {
    let (host, _) = Host::new();
    let key = rcgen::KeyPair::generate().unwrap();
    let names = vec!["mail.example.org".to_owned()];
    let mut params = rcgen::CertificateParams::new(names).unwrap();
    params.not_after = rcgen::date_time_ymd(2020, 1, 2);
    let certificate = params.self_signed(&key).unwrap();
    std::fs::write(host.path("etc/tls/certificate.pem"), certificate.pem()).unwrap();
    std::fs::write(host.path("etc/tls/key.pem"), key.serialize_pem()).unwrap();
    let (code, said) = host.refused(&["config", "check"]);
    assert_eq!(code, 78);
    assert!(
        said.contains("certificate.pem expired 2020-01-02T00:00:00Z: renew it"),
        "{said}"
    );
}

/// A command works beside a running server; a second server is refused.
#[test]
fn a_running_server_is_administered() {
    let (host, _) = Host::new();
    let mut server = host
        .program(&["serve"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let log = std::io::BufReader::new(server.stderr.take().unwrap());
    let mut lines = std::io::BufRead::lines(log).map_while(Result::ok);
    assert!(
        lines.any(|line| line.contains("ready")),
        "it says that it is ready"
    );
    assert!(
        host.run(&["user", "add", "bob@example.org"])
            .status
            .success()
    );
    let (code, said) = host.refused(&["serve"]);
    assert_eq!(code, 75);
    assert!(
        said.contains("store.lock: the store is in use by another process"),
        "{said}"
    );
    let pid = server.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-TERM", &pid])
            .status()
            .unwrap()
            .success()
    );
    assert!(server.wait().unwrap().success(), "SIGTERM is a clean end");
}

#[test]
fn a_quickstart_that_fails_halfway_leaves_nothing_behind() {
    let host = Host {
        directory: TempDir::new().unwrap(),
    };
    let data = host.path("data");
    std::fs::create_dir(&data).unwrap();
    // What is in the way of the service key, whose turn is after configuration and store.
    std::fs::write(data.join("keys"), "a file").unwrap();
    let arguments = ["quickstart", "example.org", "--data"];
    let (code, said) = host.refused(&[&arguments[..], &[data.to_str().unwrap()]].concat());
    assert_ne!(code, 0, "{said}");
    assert!(!host.path("etc").exists());
    let left = std::fs::read_dir(&data).unwrap();
    let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["keys"]);
    std::fs::remove_file(data.join("keys")).unwrap();
    let again = host.run(&[&arguments[..], &[data.to_str().unwrap()]].concat());
    let said = String::from_utf8(again.stdout).unwrap();
    let configuration = host.path("etc/config.toml").display().to_string();
    let serve = format!("Then: email2d --config {configuration} serve, and");
    assert!(said.contains(&serve), "{said}");
}

/// Puts a letter for example.net into the queue of `host`.
async fn put_into_queue(host: &Host, local: &str) {
    use email2_store::queue::{NewEntry, QueueRecipient, RecipientState};
    let now = 1_764_000_000;
    let data = host.path("data");
    let store = email2_store::Store::open(&data, email2_store::Opening::Visit, now).unwrap();
    let mut writer = store.write_body().await.unwrap();
    writer.push(b"Subject: x\r\n\r\nx\r\n").await.unwrap();
    let address = email2::Address::parse(&format!("{local}@example.net")).unwrap();
    let entry = NewEntry {
        group: format!("group-of-{local}"),
        domain: address.domain().clone(),
        mail_from: email2::ReversePath::parse("bob@example.org").unwrap(),
        announced: None,
        recipients: vec![QueueRecipient {
            address,
            etag: None,
            state: RecipientState::Waiting,
            reply: Some("451 4.7.1 later\u{1b}[2J".to_owned()),
        }],
        body: writer.finish().await.unwrap(),
        front: Vec::new(),
        details: String::new(),
        created: now,
        expires: now + 1000,
        next_attempt: now,
    };
    store.enqueue(vec![entry]).await.unwrap();
}

#[tokio::test]
async fn the_queue_is_listed_shown_held_and_dropped() {
    let (host, _) = Host::new();
    put_into_queue(&host, "dave").await;
    put_into_queue(&host, "erin").await;
    let out = |arguments: &[&str]| {
        let output = host.run(arguments);
        assert!(output.status.success(), "{arguments:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(out(&["queue", "list"]).lines().count(), 2);
    let one = out(&["queue", "list", "--group", "group-of-erin", "--json"]);
    let one: Value = serde_json::from_str(&one).unwrap();
    assert_eq!(one["recipients"][0]["address"], "erin@example.net");
    let shown = out(&["queue", "show", "1"]);
    assert!(
        shown.contains("dave@example.net: waiting: 451 4.7.1 later"),
        "{shown}"
    );
    assert!(shown.contains("not sealed"), "{shown}");
    assert!(
        !shown.contains('\u{1b}'),
        "a stranger's words move no cursor: {shown}"
    );
    let domains = out(&["queue", "domains"]);
    assert!(
        domains.starts_with("example.net: 2 entries, next "),
        "{domains}"
    );
    assert_eq!(out(&["queue", "hold", "1"]), "1 held.\n");
    assert!(out(&["queue", "list"]).contains("attempts, held\n"));
    assert_eq!(out(&["queue", "retry"]), "1 due now.\n");
    assert_eq!(out(&["queue", "release"]), "1 released.\n");
    let (code, said) = host.refused(&["queue", "drop"]);
    assert_eq!(code, 64, "{said}");
    assert_eq!(
        out(&["queue", "drop", "--domain", "example.net"]),
        "2 dropped.\n"
    );
    assert_eq!(out(&["queue", "list"]), "");
    assert_eq!(out(&["queue", "tls"]), "");
}

/// A list's owner in a script: it is made and changed.
#[test]
fn a_list_is_made_and_changed() {
    let (host, _) = Host::new();
    let (club, owner) = ("club@example.org", "postmaster@example.org");
    let data = |arguments: &[&str]| json(&host.run(&[&["--json"][..], arguments].concat()));
    let made = data(&["list", "create", club, "--owner", owner, "--open"]);
    assert_eq!(made["list"], club);
    assert_eq!(made["owner"], owner);
    assert_eq!(made["properties"], serde_json::json!(["open"]));
    let create = ["list", "create", club, "--owner", owner];
    assert_eq!(host.refused(&create).0, 65, "it is there");
    let none = ["list", "create", "x@example.net", "--owner", owner];
    assert_eq!(host.refused(&none).0, 68);
    let odd = ["list", "create", "a-request@example.org", "--owner", owner];
    assert!(host.refused(&odd).1.contains("-request is the list's own"));
    let nobody = [
        "list",
        "create",
        "y@example.org",
        "--owner",
        "who@example.org",
    ];
    assert_eq!(host.refused(&nobody).0, 67);
    let more = [
        "--moderated",
        "true",
        "--open",
        "false",
        "--one-click",
        "true",
    ];
    let changed = data(&[&["list", "change", club][..], &more].concat());
    let properties = serde_json::json!(["moderated", "one-click"]);
    assert_eq!(changed["properties"], properties);
    let (code, said) = host.refused(&["list", "change", "no@example.org", "--open", "true"]);
    assert_eq!(code, 67);
    assert!(
        said.contains("`email2d list show` shows what there is"),
        "{said}"
    );
}

/// Filled, looked after, emptied, removed.
#[test]
fn a_list_is_kept_by_its_owner() {
    let (host, _) = Host::new();
    let (club, owner) = ("club@example.org", "postmaster@example.org");
    let data = |arguments: &[&str]| json(&host.run(&[&["--json"][..], arguments].concat()));
    data(&["list", "create", club, "--owner", owner]);
    data(&["list", "add", club, "bob@example.net", "carol@example.com"]);
    let shown = data(&["list", "add", club, owner, "--moderator"]);
    let members = serde_json::json!([
        {"address": "carol@example.com", "standing": "member"},
        {"address": "bob@example.net", "standing": "member"},
        {"address": owner, "standing": "moderator"},
    ]);
    assert_eq!(shown["members"], members);
    assert_eq!(data(&["list", "show"])["list"], club);
    assert_eq!(
        data(&["list", "remove", club, "bob@example.net"])["removed"],
        1
    );
    assert_eq!(
        data(&["list", "remove", club, "bob@example.net"])["removed"],
        0
    );
    assert_eq!(
        host.refused(&["list", "remove", club]).0,
        65,
        "not without --yes"
    );
    assert!(host.run(&["list", "waiting", club]).stdout.is_empty());
    let (code, said) = host.refused(&["list", "approve", club, "17"]);
    assert_eq!(code, 67);
    assert!(
        said.contains("`email2d list waiting club@example.org`"),
        "{said}"
    );
    data(&["list", "remove", club, "--yes"]);
    assert_eq!(host.refused(&["list", "show", club]).0, 67);
}

/// Nothing of a list reaches another list (spec §14.4.1): that is said at once.
#[test]
fn a_list_is_no_member_of_a_list() {
    let (host, _) = Host::new();
    for list in ["club@example.org", "staff@example.org"] {
        let create = ["list", "create", list, "--owner", "postmaster@example.org"];
        assert!(host.run(&create).status.success());
    }
    for member in [
        "club@example.org",
        "staff@example.org",
        "staff-request@example.org",
    ] {
        let (code, said) = host.refused(&["list", "add", "club@example.org", member]);
        assert_eq!(code, 65, "{said}");
        assert!(said.contains("list"), "{said}");
    }
    let said = host
        .refused(&["list", "add", "club@example.org", "staff@example.org"])
        .1;
    assert!(said.contains("add its members instead"), "{said}");
}
