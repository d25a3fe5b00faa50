//! `email2 key`: one's own key and those of others.

use std::process::ExitCode;

use email2::certificate::{Certificate, RevocationReason};
use email2_client::keyring;
use email2_client::own_key;
use email2_client::pin;
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::context::Context;
use super::setup::{address, read};
use crate::args::{KeyCommand, Reason};
use crate::exit::{Code, Failure, Outcome};
use crate::passphrase;

/// A certificate, as it is shown.
#[derive(Serialize)]
pub(crate) struct Shown {
    user_ids: Vec<String>,
    primary: String,
    signing: Vec<String>,
    encryption: Vec<String>,
    post_quantum: bool,
    held_by_server: bool,
    expires: Option<String>,
    revoked: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    assurance: Option<String>,
}

impl Shown {
    /// What `certificate` holds at `now`.
    pub(crate) fn of(certificate: &Certificate, now: u64) -> Shown {
        let texts = |keys: Vec<email2::Fingerprint>| keys.iter().map(ToString::to_string).collect();
        Shown {
            user_ids: certificate.user_ids().to_vec(),
            primary: certificate.primary().to_string(),
            signing: texts(certificate.signing_keys()),
            encryption: texts(certificate.encryption_keys(now)),
            post_quantum: certificate.has_post_quantum(),
            held_by_server: certificate.is_keyholder_server(),
            expires: certificate.expires().map(date),
            revoked: certificate.revocation().map(|revocation| {
                format!(
                    "{}, {}",
                    date(revocation.at),
                    if revocation.hard { "hard" } else { "soft" }
                )
            }),
            assurance: None,
        }
    }

    /// For people.
    pub(crate) fn lines(&self) -> String {
        let mut lines = format!("{}\n", self.user_ids.join(", "));
        lines.push_str(&format!("  primary key  {}\n", self.primary));
        for key in &self.signing {
            lines.push_str(&format!("  signs        {key}\n"));
        }
        for key in &self.encryption {
            lines.push_str(&format!("  encrypts     {key}\n"));
        }
        let yes = |yes| if yes { "yes" } else { "no" };
        lines.push_str(&format!("  post-quantum {}\n", yes(self.post_quantum)));
        if self.held_by_server {
            lines.push_str("  the mail server holds this key\n");
        }
        let told = [
            ("expires     ", &self.expires),
            ("revoked     ", &self.revoked),
            ("assurance   ", &self.assurance),
        ];
        for (name, value) in told {
            if let Some(value) = value {
                lines.push_str(&format!("  {name} {value}\n"));
            }
        }
        lines
    }
}

/// A time as RFC 3339, UTC.
pub(crate) fn date(at: u64) -> String {
    let seconds = i64::try_from(at).unwrap_or_default();
    let time = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    time.format(&Rfc3339).unwrap_or_default()
}

/// Shows, fetches, exports, imports or revokes.
pub(crate) async fn run(context: &Context, command: KeyCommand) -> Outcome {
    match command {
        KeyCommand::Show { address: None } => own(context),
        KeyCommand::Show { address: Some(of) } => known(context, &of).await,
        KeyCommand::Fetch {
            address,
            accept_new,
        } => fetch(context, &address, accept_new).await,
        KeyCommand::Export { secret, address } => export(context, secret, address.as_deref()).await,
        KeyCommand::Import { file } => {
            let client = context.client()?;
            let octets = read(&file)?;
            let given = passphrase::existing(&context.passphrase)?;
            let certificate = own_key::import(&client, &octets, &given).await?;
            show(context, &certificate, client.world().now(), None)
        }
        KeyCommand::Revoke { reason } => {
            let client = context.client()?;
            let key = context.key(&client)?;
            let reason = match reason {
                Reason::Compromised => RevocationReason::Compromised,
                Reason::Superseded => RevocationReason::Superseded,
                Reason::Retired => RevocationReason::Retired,
            };
            let certificate = own_key::revoke(&client, &key, reason).await?;
            show(context, &certificate, client.world().now(), None)
        }
    }
}

fn own(context: &Context) -> Outcome {
    let client = context.client()?;
    client.address()?;
    let certificate = keyring::certificate(client.place())?;
    show(context, &certificate, client.world().now(), None)
}

async fn known(context: &Context, of: &str) -> Outcome {
    let client = context.client()?;
    let of = address(of)?;
    match pin::known(client.store(), &of).await? {
        Some(certificate) => show(context, &certificate, client.world().now(), None),
        None => Err(Failure::new(
            Code::NoUser,
            format_args!("no key of {of} is known here; run: email2 key fetch {of}"),
        )),
    }
}

async fn fetch(context: &Context, of: &str, accept_new: bool) -> Outcome {
    let client = context.client()?;
    let of = address(of)?;
    let found = client.remote().fetch_for_writing(&of).await?;
    let now = client.world().now();
    let settled = pin::settle(
        client.store(),
        &of,
        &found.certificate,
        found.assurance,
        now,
    )
    .await;
    let certificate = match settled {
        Err(pin::PinError::Changed { .. }) if accept_new => pin::accept_held(client.store(), &of)
            .await?
            .unwrap_or(found.certificate),
        settled => settled?,
    };
    let assurance = found
        .assurance
        .map(|assurance| assurance.as_str().to_owned());
    show(
        context,
        &certificate,
        now,
        Some(assurance.unwrap_or_else(|| "none".to_owned())),
    )
}

async fn export(context: &Context, secret: bool, of: Option<&str>) -> Outcome {
    let client = context.client()?;
    let armored = match (secret, of) {
        (true, _) => own_key::armored_secret(&client)?,
        (false, None) => keyring::certificate(client.place())?.armored(),
        (false, Some(of)) => {
            let of = address(of)?;
            let known = pin::known(client.store(), &of).await?;
            let known = known.ok_or_else(|| {
                Failure::new(Code::NoUser, format_args!("no key of {of} is known here"))
            })?;
            known.armored()
        }
    };
    context.output.raw(armored.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

fn show(
    context: &Context,
    certificate: &Certificate,
    now: u64,
    assurance: Option<String>,
) -> Outcome {
    let shown = Shown {
        assurance,
        ..Shown::of(certificate, now)
    };
    context.output.data("key", &shown, Shown::lines)?;
    Ok(ExitCode::SUCCESS)
}
