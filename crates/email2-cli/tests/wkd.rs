//! GnuPG finds the key of a user of ours by the Web Key Directory, as `quickstart` sets it up:
//! in a network namespace of its own with Debian's Knot as the DNS and the server's authority in
//! place of the system's, both by bind mounts that nobody else sees. Needs root; else, and where
//! a program is not installed, the test says so and returns.

#![expect(clippy::unwrap_used, reason = "a test may fail")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Programs that it needs besides ours.
const PROGRAMS: [&str; 7] = ["gpg", "dirmngr", "knotd", "kdig", "ip", "unshare", "mount"];
/// How long all of it may take, seconds.
const PATIENCE: &str = "120";

/// What is done in the namespace.
const SCRIPT: &str = r#"
ip link set lo up
email2d --config org/config.toml quickstart example.org --account bob@example.org \
  --data org/data --listen 127.0.0.2 | tee org.txt
{ echo '@ SOA ns hostmaster 1 3600 600 86400 60'
  echo '@ NS ns'
  echo 'ns A 127.0.0.4'
  sed -nE 's/^  (.+ (MX|A|CNAME|TXT|SRV) .+)/\1/p' org.txt; } > example.org.zone
cat > knot.conf <<END
server:
    listen: 127.0.0.4@53
    rundir: "$PWD"
database:
    storage: "$PWD"
zone:
  - domain: example.org
    storage: "$PWD"
    dnssec-signing: on
    zonefile-sync: -1
END
knotd --config knot.conf > knot.log 2>&1 &
echo 'nameserver 127.0.0.4' > resolver
mount --bind resolver "$(realpath /etc/resolv.conf)"
cp org/tls/authority.pem authorities
chmod 644 authorities
mount --bind authorities "$(realpath /etc/ssl/certs/ca-certificates.crt)"
until kdig @127.0.0.4 example.org DNSKEY +timeout=1 +retry=0 +noall +answer \
    | grep DNSKEY > anchor.key; do sleep 0.2; done

printf 'dns = ["127.0.0.4:53"]\ndnssec_anchor = "%s"\nca_file = "%s"\n' \
  "$PWD/anchor.key" "$PWD/org/tls/authority.pem" > network
echo 'allow_addresses = ["127.0.0.0/8"]' >> network
cat network >> org/config.toml
EMAIL2D_LOG=debug email2d --config org/config.toml serve 2> org.log &
until grep -qs ready org.log; do sleep 0.2; done

mkdir bob && { echo '[network]'; cat network; } > bob/config.toml
echo 'correct horse battery staple' > passphrase
sed -n 's/.*one-time code.*: //p' org.txt > code
EMAIL2_HOME=$PWD/bob EMAIL2_PASSPHRASE_FILE=$PWD/passphrase \
  email2 setup bob@example.org --no-backup < code

mkdir -m 700 gnupg
echo standard-resolver > gnupg/dirmngr.conf
gpg() { command gpg --homedir "$PWD/gnupg" --batch --no-tty --trust-model always "$@"; }
gpg --auto-key-locate clear,wkd --locate-external-keys bob@example.org
if gpg --auto-key-locate clear,wkd --locate-external-keys eve@example.org; then exit 1; fi
gpg --with-colons --list-keys
echo 'At noon?' | gpg --recipient bob@example.org --encrypt > letter.pgp
gpg --list-packets letter.pgp || true
gpgconf --homedir "$PWD/gnupg" --kill all
"#;

fn installed(program: &str) -> bool {
    let mut command = Command::new("sh");
    let command = command.args(["-c", "command -v \"$0\"", program]);
    let found = command.env("PATH", path()).stdout(Stdio::null()).status();
    found.unwrap().success()
}

/// Our programs stand in front.
fn path() -> String {
    let own = Path::new(env!("CARGO_BIN_EXE_email2")).parent().unwrap();
    let system = std::env::var("PATH").unwrap();
    format!("{}:{system}:/usr/sbin:/sbin", own.display())
}

/// A command in a namespace of its own, with everything that it starts.
fn namespace() -> Command {
    let mut command = Command::new("unshare");
    let apart = ["--mount", "--net", "--pid", "--fork", "--kill-child"];
    command.args(apart).arg("--mount-proc").env("PATH", path());
    command
}

/// May this process have a namespace of its own?
fn permitted() -> bool {
    let tried = namespace().arg("true").stderr(Stdio::null()).status();
    tried.is_ok_and(|status| status.success())
}

/// What the script printed, and what the server noted.
fn run(folder: &Path) -> (String, String) {
    let script = folder.join("script");
    std::fs::write(&script, SCRIPT).unwrap();
    let printed: PathBuf = folder.join("printed");
    let output = std::fs::File::create(&printed).unwrap();
    let complaints = output.try_clone().unwrap();
    let mut command = namespace();
    let command = command
        .args(["timeout", PATIENCE, "bash", "-euo", "pipefail"])
        .arg(&script)
        .current_dir(folder)
        .env("HOME", folder)
        .stdin(Stdio::null());
    let status = command.stdout(output).stderr(complaints).status().unwrap();
    let read = |name: &str| {
        let octets = std::fs::read(folder.join(name)).unwrap_or_default();
        String::from_utf8_lossy(&octets).into_owned()
    };
    let (printed, noted) = (read("printed"), read("org.log"));
    assert!(status.success(), "{status}\n{printed}\n{noted}");
    (printed, noted)
}

#[test]
fn gnupg_finds_a_key_of_ours_by_the_web_key_directory() {
    if let Some(program) = PROGRAMS.iter().find(|program| !installed(program)) {
        eprintln!("skipped: {program} is not installed");
        return;
    }
    if !permitted() {
        eprintln!("skipped: a network namespace needs root");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (printed, noted) = run(folder.path());
    for words in [
        "openpgpkey.example.org. CNAME mail.example.org.",
        "_mta-sts.example.org. TXT \"v=STSv1; id=",
        "uid           [ unknown] bob@example.org",
        // The key for encryption that GnuPG knows, and no other.
        ":pubkey enc packet: version 3, algo 18",
    ] {
        assert!(printed.contains(words), "{words:?} is not in\n{printed}");
    }
    let keys = printed.lines().filter(|line| line.starts_with("sub:"));
    assert!(keys.clone().count() >= 2, "{printed}");
    assert!(keys.clone().all(|line| !line.contains(":35:")), "{printed}");
    assert!(noted.contains("status=404"), "{noted}");
}
