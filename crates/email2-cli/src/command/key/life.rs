//! One's own key over its life.

use std::path::Path;
use std::process::ExitCode;

use email2::certificate::{Certificate, RevocationReason};
use email2_client::{backup, keyring, own_key};
use time::format_description::well_known::Iso8601;
use time::{Date, OffsetDateTime};

use super::super::context::Context;
use super::super::setup::read;
use super::kit::{self, Files};
use super::{fingerprint, show};
use crate::args::{KeyCommand, Reason};
use crate::exit::{Code, Failure, Outcome};
use crate::passphrase;

/// Runs a command that changes one's own key, publishes it or backs it up.
pub(super) async fn run(context: &Context, command: KeyCommand) -> Outcome {
    if let KeyCommand::Restore {
        kit,
        key_passphrase_file,
    } = command
    {
        return restore(context, &kit, key_passphrase_file.as_deref()).await;
    }
    let client = context.client()?;
    let (key, own) = context.key_and_passphrase(&client)?;
    let now = client.world().now();
    let certificate = match command {
        KeyCommand::Import {
            file,
            key_passphrase_file,
        } => {
            let octets = read(&file)?;
            let opening = match key_passphrase_file {
                Some(file) => passphrase::of_file(Some(&file), "")?,
                None => own.clone(),
            };
            own_key::import(&client, &octets, &opening, &own).await?
        }
        KeyCommand::Revoke { reason, subkey } => {
            let subkey = subkey.as_deref().map(fingerprint).transpose()?;
            own_key::revoke(&client, &key, subkey.as_ref(), because(reason)).await?
        }
        KeyCommand::Expire { when } => own_key::expire(&client, &key, time(&when, now)?).await?,
        KeyCommand::Extend { when } => own_key::extend(&client, &key, time(&when, now)?).await?,
        KeyCommand::Replace => replaced(context, own_key::replace(&client, &own).await?),
        KeyCommand::Backup { dir } => {
            let files = kit::write(&client, &key, client.address()?, &dir)?;
            context.output.data("kit", &files, Files::lines)?;
            return Ok(ExitCode::SUCCESS);
        }
        _ => own_key::publish_again(&client).await?,
    };
    show(context, &certificate, now, None)
}

/// The key may be lost here; then the passphrase locks what comes from the kit.
async fn restore(context: &Context, kit: &Path, opening: Option<&Path>) -> Outcome {
    let client = context.client()?;
    client.address()?;
    let text = read(kit)?;
    let opening = passphrase::of_file(opening, "Passphrase of the recovery kit: ")?;
    let restored = backup::open(&text, &opening)?;
    let own = match keyring::has_key(client.place())? {
        true => passphrase::existing(&context.passphrase)?,
        false => passphrase::chosen(&context.passphrase)?,
    };
    let certificate = own_key::adopt(&client, restored, &own).await?;
    show(context, &certificate, client.world().now(), None)
}

/// A new primary key is nothing that the old kit can bring back.
fn replaced(context: &Context, certificate: Certificate) -> Certificate {
    context.output.note(
        "your key was replaced; whoever knows the old one follows by its signature. Make a new \
         recovery kit: email2 key backup",
    );
    certificate
}

fn because(reason: Reason) -> RevocationReason {
    match reason {
        Reason::Compromised => RevocationReason::Compromised,
        Reason::Superseded => RevocationReason::Superseded,
        Reason::Retired => RevocationReason::Retired,
    }
}

/// A date (its end, UTC), days from now (`90d`), or `never`.
fn time(given: &str, now: u64) -> Result<Option<u64>, Failure> {
    let wrong = || {
        Failure::new(
            Code::Usage,
            format_args!("{given:?} is no time: give a date (2027-12-31), days (90d) or never"),
        )
    };
    if given == "never" {
        return Ok(None);
    }
    if let Some(days) = given.strip_suffix('d') {
        let days: u64 = days.parse().map_err(|_| wrong())?;
        return Ok(Some(now.saturating_add(days.saturating_mul(DAY))));
    }
    let date = Date::parse(given, &Iso8601::DATE).map_err(|_| wrong())?;
    let start = OffsetDateTime::new_utc(date, time::Time::MIDNIGHT).unix_timestamp();
    let start = u64::try_from(start).map_err(|_| wrong())?;
    Ok(Some(start.saturating_add(DAY - 1)))
}

const DAY: u64 = 24 * 60 * 60;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_date_days_or_never() {
        let read = |given| time(given, 1_000_000).map_err(|failure| failure.line().to_owned());
        assert_eq!(read("never"), Ok(None));
        assert_eq!(read("2d"), Ok(Some(1_000_000 + 2 * DAY)));
        assert_eq!(read("1970-01-02"), Ok(Some(2 * DAY - 1)));
        for wrong in ["", "soon", "-1d", "2026-13-01", "1960-01-01"] {
            assert!(read(wrong).unwrap_err().contains("is no time"), "{wrong}");
        }
    }
}
