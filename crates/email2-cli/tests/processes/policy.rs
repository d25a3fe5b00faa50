//! A person's own server that nothing authenticates but the enforced MTA-STS policy of its domain
//! (spec §2.2, way b; §2.6.1). The authority is one of the system's and nobody's in particular.

use std::sync::{Arc, Mutex};

use email2_testbed::domain::Plan;
use email2_testbed::failure::{Outcome, Step};
use email2_testbed::loopback::HTTPS_PORT;
use email2_testbed::rogue::{Act, Rogue};
use email2_testbed::testbed::Testbed;

use crate::program::{Home, ServerProcess};
use crate::text;

/// The host of the policy.
const POLICY: u8 = 220;
/// Refused (docs/conventions.md).
const REFUSED: Option<i32> = Some(77);

/// The domain's record says that there is a policy.
fn announce(testbed: &mut Testbed, server: &ServerProcess, id: u8) -> Outcome<()> {
    let zone = server.place.zone(&testbed.network)?;
    let record = format!("v=STSv1; id={id}");
    let zone = zone
        .text("_mta-sts.example.org", &record)
        .address("mta-sts.example.org", testbed.network.host(POLICY));
    testbed.publish(zone)
}

/// Serves a policy that names the host in `named`.
async fn serve(testbed: &Testbed, named: &Arc<Mutex<&'static str>>) -> Outcome<Rogue> {
    let named = Arc::clone(named);
    let name = "mta-sts.example.org";
    let files = testbed.certification.issue(name, &[name])?;
    let at = testbed.network.port(POLICY, HTTPS_PORT);
    let script = Arc::new(move |said: email2_testbed::rogue::Said<'_>| {
        if !said.is("GET /.well-known/mta-sts.txt ") {
            return Act::Say(Vec::new());
        }
        let mx = named.lock().map_or("", |named| *named);
        let policy = format!("version: STSv1\nmode: enforce\nmx: {mx}\nmax_age: 86400\n");
        let length = policy.len();
        let answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n\
             Connection: close\r\n\r\n{policy}"
        );
        Act::SayAndClose(answer.into_bytes())
    });
    Rogue::start_secured(&testbed.world, at, &files, script).await
}

#[tokio::test(flavor = "multi_thread")]
async fn ones_own_server_is_believed_by_the_policy_of_its_domain() -> Outcome<()> {
    let folder = tempfile::tempdir().step("folder")?;
    let mut testbed = Testbed::start(folder.path())?;
    let plan = Plan {
        certified: false,
        ..Plan::new("example.org")
    };
    let server = ServerProcess::start(&mut testbed, &plan)?;
    let bob = "bob@example.org";
    let added = server.administer(&["user", "add", bob])?;
    let home = Home::with_system_authority(&testbed, bob)?;
    let code = home.file("code", text(added.get("code").step("code")?).as_bytes())?;
    let setup = ["setup", bob, "--code-file", &code, "--no-backup"];
    let why = "mx.example.org is not authenticated for example.org: its certificate does not name \
               email2.example.org, DNSSEC does not secure its DNS record, no enforced MTA-STS \
               policy of example.org names it";
    let (exit, words) = home.refused(&setup)?;
    assert_eq!(exit, REFUSED, "{words}");
    assert!(words.contains(why), "{words}");

    let named = Arc::new(Mutex::new("mx.example.net"));
    let _web = serve(&testbed, &named).await?;
    announce(&mut testbed, &server, 1)?;
    let (exit, words) = home.refused(&setup)?;
    assert_eq!(exit, REFUSED, "{words}");
    assert!(words.contains(why), "{words}");

    *named.lock().step("policy")? = "mx.example.org";
    announce(&mut testbed, &server, 2)?;
    let done = home.run(&setup)?;
    assert_eq!(done.get("trusted_by").map(text), Some("mta-sts"), "{done}");
    let inbox = home.run(&["inbox"])?;
    assert_eq!(inbox.as_array().map(Vec::len), Some(0), "{inbox}");
    server.stop()?;
    testbed.stop().await;
    Ok(())
}
