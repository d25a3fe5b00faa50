//! HTTPS as far as policies and keys need it: one GET, through the fence, with bounds; no redirect
//! is followed (spec §12.3.1).

use std::time::Duration;

use email2::{Domain, limits};
use email2_io::Stream;
use email2_io::clock::within;
use email2_io::tls::{AcceptedName, TlsAsk, TlsFailure};
use http_body_util::{BodyExt, Empty, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{ACCEPT, CONTENT_TYPE, HOST, USER_AGENT};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;

use crate::connect::{Connector, OpenError};
use crate::fence::FenceError;
use crate::resolve::{Host, Way};
use crate::route::RouteError;

/// What one request may take, from the name lookup to the last octet.
const REQUEST_LIMIT: Duration = Duration::from_secs(limits::LOOKUP_SECONDS);

/// Octets of an answer's head, and the least that the library takes.
const HEAD_OCTETS: usize = 16 * 1024;

/// Header fields of an answer.
const HEAD_FIELDS: usize = 64;

/// What is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    /// The mail domain for whose sake it is asked.
    pub(crate) domain: Domain,
    /// The host that has it.
    pub(crate) host: String,
    /// Path and query.
    pub(crate) path: String,
    /// The certificate must carry the very name of the host, no wildcard.
    pub(crate) exact: bool,
}

/// What was answered.
#[derive(Debug)]
pub(crate) struct Answered {
    /// The media type, lower case, without parameters.
    pub(crate) media_type: Option<String>,
    /// At most 64 KiB.
    pub(crate) body: Vec<u8>,
}

/// Why there is no page.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FetchError {
    /// The host has no address: DNS answers that there is none.
    #[error("{0} does not exist in DNS")]
    NoHost(String),
    /// The host presents a certificate of another name.
    #[error("https://{host}: {failure}")]
    WrongName { host: String, failure: String },
    /// The host has no such page (404, 410).
    #[error("https://{0} has no such page")]
    NoPage(String),
    /// The address is none that may be connected to.
    #[error("https://{host}: {error}")]
    Fenced { host: String, error: FenceError },
    /// Everything else: it may be otherwise the next time.
    #[error("https://{host}: {why}")]
    Failed { host: String, why: String },
}

impl Connector {
    /// Fetches `page` from its host at `port`.
    ///
    /// # Errors
    /// See [`FetchError`].
    pub(crate) async fn fetch(&self, page: &Page, port: u16) -> Result<Answered, FetchError> {
        let fetching = async {
            let stream = self.open_https(page, port).await?;
            request(stream, page, port).await
        };
        let fetched = within(&*self.world.clock, REQUEST_LIMIT, fetching).await;
        fetched.unwrap_or_else(|_| Err(failed(page, format!("no answer within {REQUEST_LIMIT:?}"))))
    }

    async fn open_https(&self, page: &Page, port: u16) -> Result<Stream, FetchError> {
        let host = Host {
            name: page.host.clone(),
            port,
            way: Way::Implicit,
            secure: false,
            named: false,
        };
        let stream = self.reach(&host).await;
        let stream = stream.map_err(|error| unreached(page, &error))?;
        let name = page.host.clone();
        let ask = TlsAsk {
            sni: name.clone(),
            names: vec![match page.exact {
                true => AcceptedName::Exact(name),
                false => AcceptedName::Host(name),
            }],
            alpn: None,
            pins: None,
        };
        match self.tls_for(&page.domain).connect(stream, &ask).await {
            Ok(secured) => Ok(secured.stream),
            Err(failure @ TlsFailure::WrongName { .. }) => Err(FetchError::WrongName {
                host: page.host.clone(),
                failure: failure.to_string(),
            }),
            Err(failure) => Err(failed(page, failure.to_string())),
        }
    }
}

fn unreached(page: &Page, error: &OpenError) -> FetchError {
    let host = page.host.clone();
    match error {
        OpenError::Route(RouteError::Dns { error, .. }) if error.is_absence() => {
            FetchError::NoHost(host)
        }
        OpenError::Route(RouteError::Fenced { error, .. }) => FetchError::Fenced {
            host,
            error: error.clone(),
        },
        OpenError::Connect { error, .. } => failed(page, error.to_string()),
        other => failed(page, other.to_string()),
    }
}

fn failed(page: &Page, why: String) -> FetchError {
    FetchError::Failed {
        host: page.host.clone(),
        why,
    }
}

async fn request(stream: Stream, page: &Page, port: u16) -> Result<Answered, FetchError> {
    let broken = |error: hyper::Error| failed(page, error.to_string());
    let mut builder = hyper::client::conn::http1::Builder::new();
    builder.max_buf_size(HEAD_OCTETS).max_headers(HEAD_FIELDS);
    let shaken = builder.handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = shaken.map_err(broken)?;
    let asking = async move {
        let request = get(page, port).map_err(|error| failed(page, error.to_string()))?;
        let response = sender.send_request(request).await.map_err(broken)?;
        answered(page, response).await
    };
    // The connection is driven as long as the answer is awaited, and goes with it.
    let driving = async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "HTTPS connection ended");
        }
        std::future::pending().await
    };
    let (asking, driving) = (Box::pin(asking), Box::pin(driving));
    match futures::future::select(asking, driving).await {
        futures::future::Either::Left((answer, _)) => answer,
        futures::future::Either::Right((never, _)) => never,
    }
}

fn get(page: &Page, port: u16) -> Result<Request<Empty<Bytes>>, hyper::http::Error> {
    let authority = match port {
        443 => page.host.clone(),
        port => format!("{}:{port}", page.host),
    };
    Request::get(&page.path)
        .header(HOST, authority)
        .header(USER_AGENT, "email2")
        .header(ACCEPT, "*/*")
        .body(Empty::new())
}

async fn answered(page: &Page, response: Response<Incoming>) -> Result<Answered, FetchError> {
    match response.status() {
        StatusCode::OK => {}
        StatusCode::NOT_FOUND | StatusCode::GONE => {
            return Err(FetchError::NoPage(page.host.clone()));
        }
        other if other.is_redirection() => {
            return Err(failed(
                page,
                format!("it redirects ({other}), which is not followed"),
            ));
        }
        other => return Err(failed(page, format!("it answers {other}"))),
    }
    let media_type = response.headers().get(CONTENT_TYPE);
    let media_type = media_type
        .and_then(|value| value.to_str().ok())
        .map(|value| {
            let before = value.split(';').next().unwrap_or_default();
            before.trim().to_ascii_lowercase()
        });
    let limited = Limited::new(response.into_body(), limits::LOOKUP_OCTETS);
    let body = limited.collect().await.map_err(|error| {
        let why = match error.downcast_ref::<LengthLimitError>() {
            Some(_) => format!("its answer is larger than {} octets", limits::LOOKUP_OCTETS),
            None => error.to_string(),
        };
        failed(page, why)
    })?;
    Ok(Answered {
        media_type,
        body: body.to_bytes().to_vec(),
    })
}
