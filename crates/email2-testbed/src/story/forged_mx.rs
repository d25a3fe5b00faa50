//! The forger who owns the DNS: a forged MX leads to a server of their own, with a valid
//! certificate for its own host, that serves their key as that of somebody at the bank.

use email2::address::Address;
use email2::rejection::Rejection;
use hickory_proto::rr::rdata::MX;
use hickory_proto::rr::{RData, RecordType};

use super::attempt;
use super::narrator::{Narrator, Step as Told};
use crate::authority::Fault;
use crate::domain::{Domain, Plan};
use crate::failure::{Outcome, Step};
use crate::forger::{Claim, Forger};
use crate::testbed::Testbed;
use crate::zone::{self, Zone};

const BANK: &str = "bank.example";
const HOST: &str = "mx.evil.example";

/// Plays it; the forger's server, to be stopped at the end.
///
/// # Errors
/// The world cannot be set up.
pub async fn play(
    testbed: &mut Testbed,
    forger: &Forger,
    narrator: &mut Narrator<'_>,
) -> Outcome<Domain> {
    let record = format!("_email2.{BANK}");
    let bank = Zone::new(BANK).mx(BANK, 10, "mx.bank.example")?;
    let bank = bank.text(&record, "v=EMAIL2; p=strict; id=1");
    testbed.authority.publish(bank)?;
    let plan = Plan {
        host: HOST.to_owned(),
        certified: false,
        ..Plan::new(BANK)
    };
    let impostor = testbed.impostor(&plan).await?;
    let teller = Address::parse("teller@bank.example").step("address")?;
    let device = testbed.add_device_at(&impostor, &teller).await?;
    let forged = RData::MX(MX::new(1, zone::name(HOST)?));
    let (mx, lie) = (Some(RecordType::MX), Fault::Forged(vec![forged]));
    testbed.authority.fault(BANK, mx, lie)?;

    let from = teller.to_string();
    let letter = forger.sealed(&Claim::now(&teller, &from, &device.secret))?;
    let got = attempt(testbed, &letter).await?.to_string();
    let expected = Rejection::DomainUnauthenticated {
        domain: teller.domain().clone(),
        why: String::new(),
    };
    let expected = expected.to_string();
    narrator.tell(Told {
        step: "forged-mx".to_owned(),
        actor: "mallory".to_owned(),
        did: format!("forges the MX of {BANK} to {HOST}, whose certificate is valid, and seals"),
        ok: got == expected,
        expected,
        got,
    });
    testbed.authority.heal();
    Ok(impostor)
}
