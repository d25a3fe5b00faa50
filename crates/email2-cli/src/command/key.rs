//! `email2 key`: one's own key and those of others.

pub(crate) mod kit;
mod life;
mod ordinary;

use std::process::ExitCode;

use email2::Fingerprint;
use email2::certificate::Certificate;
use email2_client::{KeyError, verified};
use email2_client::{keyring, own_key, pin};
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::context::Context;
use super::setup::address;
use crate::args::{ClassicReader, KeyCommand};
use crate::exit::{Code, Failure, Outcome};

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
    #[serde(skip_serializing_if = "Option::is_none")]
    verified: Option<bool>,
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
            verified: None,
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
        if self.verified == Some(true) {
            lines.push_str("  verified     yes, you compared it\n");
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

/// Runs a command on keys.
pub(crate) async fn run(context: &Context, command: KeyCommand) -> Outcome {
    match command {
        KeyCommand::List => list(context).await,
        KeyCommand::Show { address: None } => own(context),
        KeyCommand::Show { address: Some(of) } => known(context, &of).await,
        KeyCommand::Fetch {
            address,
            accept_new,
        } => fetch(context, &address, accept_new.as_deref()).await,
        KeyCommand::Verify { address, confirm } => verify(context, &address, confirm).await,
        KeyCommand::Export {
            secret: true,
            reader: Some(_),
            ..
        } => export_for_classic(context).await,
        KeyCommand::Export {
            secret,
            reader,
            address,
        } => export(context, secret, reader, address.as_deref()).await,
        KeyCommand::Publish => {
            let client = context.client()?;
            let certificate = own_key::publish_again(&client).await?;
            show(context, &certificate, client.world().now(), None)
        }
        other => life::run(context, other).await,
    }
}

/// A fingerprint that was typed.
pub(crate) fn fingerprint(given: &str) -> Result<Fingerprint, Failure> {
    given.to_ascii_lowercase().parse().map_err(|error| {
        Failure::new(
            Code::Usage,
            format_args!("{given:?} is no fingerprint: {error}"),
        )
    })
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
    let certificate = pinned(&client, &of).await?;
    let verified = verified::is_verified(client.store(), &of, certificate.primary()).await?;
    let shown = Shown {
        verified: Some(verified),
        ..Shown::of(&certificate, client.world().now())
    };
    context.output.data("key", &shown, Shown::lines)?;
    Ok(ExitCode::SUCCESS)
}

async fn pinned(
    client: &email2_client::Client,
    of: &email2::Address,
) -> Result<Certificate, Failure> {
    let known = ordinary::known(client, of).await?;
    known.map(|(certificate, _)| certificate).ok_or_else(|| {
        Failure::new(
            Code::NoUser,
            format_args!("no key of {of} is known here; run: email2 key fetch {of}"),
        )
    })
}

/// A key in a list.
#[derive(Serialize)]
struct Listed {
    address: String,
    primary: String,
    standing: &'static str,
    verified: bool,
}

async fn list(context: &Context) -> Outcome {
    let client = context.client()?;
    let own = keyring::certificate(client.place())?;
    let mut listed = vec![Listed {
        address: client.address()?.to_string(),
        primary: own.primary().to_string(),
        standing: "own",
        verified: false,
    }];
    for (address, primary, held) in pin::all(client.store()).await? {
        let verified = verified::is_verified(client.store(), &address, &primary).await?;
        listed.push(Listed {
            address: address.to_string(),
            primary: primary.to_string(),
            standing: if held { "held" } else { "known" },
            verified: verified && !held,
        });
    }
    listed.extend(ordinary::listed(&client).await?);
    context.output.data("keys", &listed, |listed| {
        let line = |key: &Listed| {
            let verified = if key.verified { ", verified" } else { "" };
            let (address, primary) = (&key.address, &key.primary);
            format!("{primary}  {address} ({}{verified})\n", key.standing)
        };
        listed.iter().map(line).collect()
    })?;
    Ok(ExitCode::SUCCESS)
}

async fn fetch(context: &Context, of: &str, accept_new: Option<&str>) -> Outcome {
    let client = context.client()?;
    let of = address(of)?;
    let accepted = accept_new.map(fingerprint).transpose()?;
    let found = match client.remote().fetch_for_writing(&of).await {
        Err(KeyError::NoEmail2(_)) => {
            return ordinary::fetch(context, &client, &of, accepted.as_ref()).await;
        }
        found => found?,
    };
    let now = client.world().now();
    let served = &found.certificate;
    let settled = pin::settle_told(client.store(), &of, served, found.assurance, now).await;
    let certificate = match (settled, accepted) {
        (Err(pin::PinError::Changed { .. }), Some(seen)) => {
            let accepted = pin::accept_held(client.store(), &of, &seen).await?;
            accepted.unwrap_or(found.certificate)
        }
        (settled, _) => {
            let (certificate, before) = settled?;
            if let Some(before) = before {
                context.output.note(&format!(
                    "{of} replaced the key {before}; it signed that this one follows"
                ));
            }
            certificate
        }
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

/// What two people compare.
#[derive(Serialize)]
struct Compared {
    address: String,
    code: String,
    primary: String,
    verified: bool,
}

async fn verify(context: &Context, with: &str, confirm: bool) -> Outcome {
    let client = context.client()?;
    let with = address(with)?;
    let comparison = verified::compare(&client, &with).await?;
    if confirm {
        verified::confirm(client.store(), &with, comparison.theirs.primary()).await?;
    }
    let compared = Compared {
        address: with.to_string(),
        code: comparison.code,
        primary: comparison.theirs.primary().to_string(),
        verified: confirm || comparison.verified,
    };
    context.output.data("verify", &compared, |compared| {
        let (code, with) = (&compared.code, &compared.address);
        if compared.verified {
            return format!("{code}\nThe key of {with} is verified.\n");
        }
        format!(
            "{code}\nRead this code to {with} by another way than mail. If theirs is the same:\n  \
             email2 key verify {with} --confirm\nIf it differs, somebody gave one of you a false key.\n"
        )
    })?;
    Ok(ExitCode::SUCCESS)
}

async fn export_for_classic(context: &Context) -> Outcome {
    let client = context.client()?;
    let (key, passphrase) = context.key_and_passphrase(&client)?;
    let armored = own_key::armored_classic(&client, &key, &passphrase).await?;
    context.output.raw(armored.as_bytes())?;
    context.output.note(
        "the key above is locked by your passphrase; from now on others encrypt to you so that \
         this program can read it, which is not post-quantum",
    );
    Ok(ExitCode::SUCCESS)
}

async fn export(
    context: &Context,
    secret: bool,
    reader: Option<ClassicReader>,
    of: Option<&str>,
) -> Outcome {
    let client = context.client()?;
    let certificate = match (secret, of) {
        (true, _) => {
            let armored = own_key::armored_secret(&client)?;
            context.output.raw(armored.as_bytes())?;
            return Ok(ExitCode::SUCCESS);
        }
        (false, None) => keyring::certificate(client.place())?,
        (false, Some(of)) => pinned(&client, &address(of)?).await?,
    };
    let certificate = match reader {
        Some(_) => certificate.without_post_quantum(),
        None => certificate,
    };
    context.output.raw(certificate.armored().as_bytes())?;
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
