//! HTTPS at port 443, beside Email 2.0: the Web Key Directory and the MTA-STS policies of the
//! domains served, the links that leave a list, and nothing else. The Host field says which domain
//! is meant.

mod mta_sts;
mod unsubscribe;
mod wkd;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use email2::address::Domain;
use email2_io::clock::within;
use email2_io::net::Stream;
use futures::future::{Either, select};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_SECURITY_POLICY,
    CONTENT_TYPE, DATE, HOST, HeaderName, HeaderValue, REFERRER_POLICY, RETRY_AFTER,
};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use time::OffsetDateTime;
use time::macros::format_description;
use tokio_util::sync::CancellationToken;

use crate::site::Site;

pub(crate) use mta_sts::policy_id;

/// The protocol's name in ALPN (RFC 7301 §6).
pub(crate) const ALPN: &[u8] = b"http/1.1";
/// The label of the host with a domain's MTA-STS policy (RFC 8461 §3.3).
pub(crate) const MTA_STS_LABEL: &str = "mta-sts";

/// How long a connection may live, whatever it does.
const LIFE: Duration = Duration::from_secs(60);
/// Requests on one connection.
const REQUESTS: usize = 8;
/// Octets of a request with its fields.
const REQUEST_OCTETS: usize = 8 * 1024;
/// Fields of a request.
const FIELDS: usize = 64;
/// What a network that asked too often is told to wait, seconds.
const LATER: &str = "60";

/// What a request gets.
#[derive(Debug, PartialEq, Eq)]
enum Reply {
    /// A file of this type.
    File(&'static str, Vec<u8>),
    /// There is none, or nobody is to know.
    Nothing,
    /// This network asks too often.
    TooOften,
    /// A page for people.
    Page(String),
    /// What was posted is not understood.
    Unfit,
    /// Only these methods are possible.
    Not(&'static str),
    /// What is kept cannot be read now.
    Unavailable,
}

/// What a request asks for.
#[derive(Debug, PartialEq, Eq)]
enum Asked<'a> {
    /// The domain's MTA-STS policy.
    MtaSts,
    /// What stands below its Web Key Directory.
    Directory(&'a str),
}

/// Answers requests until the client goes, has asked enough, its time is over or `stop`.
pub(crate) async fn serve(
    site: Arc<Site>,
    stream: Stream,
    peer: SocketAddr,
    stop: CancellationToken,
) {
    let clock = Arc::clone(&site.world.clock);
    let (site, asked) = (&*site, &AtomicUsize::new(0));
    let answering = service_fn(move |request| async move {
        let last = asked.fetch_add(1, Ordering::Relaxed) + 1 >= REQUESTS;
        Ok::<_, Infallible>(response(site, peer, request, last).await)
    });
    let connection = http1::Builder::new()
        .auto_date_header(false)
        .header_read_timeout(None)
        .max_buf_size(REQUEST_OCTETS)
        .max_headers(FIELDS)
        .serve_connection(TokioIo::new(stream), answering);
    let whole = async {
        let mut connection = pin!(connection);
        let stopped = pin!(stop.cancelled());
        if let Either::Left((ended, _)) = select(connection.as_mut(), stopped).await {
            return ended;
        }
        connection.as_mut().graceful_shutdown();
        connection.await
    };
    match within(&*clock, LIFE, whole).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%peer, %error, "HTTPS connection broke"),
        Err(elapsed) => tracing::debug!(%peer, %elapsed, "HTTPS connection ended"),
    }
}

/// The answer to one request; `last`: the connection ends behind it.
async fn response(
    site: &Site,
    peer: SocketAddr,
    request: Request<Incoming>,
    last: bool,
) -> Response<Full<Bytes>> {
    let (asked, body) = request.into_parts();
    let request = &Request::from_parts(asked, ());
    let reply = reply(site, peer, request, body).await;
    let mut response = reply.into_response();
    let fields = response.headers_mut();
    if let Ok(date) = HeaderValue::from_str(&date(site.world.now())) {
        fields.insert(DATE, date);
    }
    if last {
        fields.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    let (host, status) = (host_of(request), response.status().as_u16());
    tracing::debug!(%peer, ?host, path = ?request.uri().path(), status, "HTTPS");
    response
}

async fn reply(site: &Site, peer: SocketAddr, request: &Request<()>, body: Incoming) -> Reply {
    let host = host_of(request).unwrap_or_default();
    let (method, path) = (request.method(), request.uri().path());
    if let Some(token) = unsubscribe::token(&site.config.hostname, host, path) {
        let kind = request.headers().get(CONTENT_TYPE);
        let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        return unsubscribe::answer(site, method, token, kind, body).await;
    }
    if !matches!(*method, Method::GET | Method::HEAD) {
        return Reply::Not("GET, HEAD");
    }
    let Some((name, asked)) = route(host, path) else {
        return Reply::Nothing;
    };
    let Some(domain) = site.config.domain(&name) else {
        return Reply::Nothing;
    };
    match asked {
        Asked::MtaSts => mta_sts::answer(&site.config.hostname, domain),
        Asked::Directory(rest) => {
            let local = request.uri().query().and_then(wkd::local_part);
            wkd::answer(site, peer.ip(), domain, rest, local).await
        }
    }
}

/// The host that is meant, without its port: of the target where it is absolute, else of the
/// Host field (RFC 9112 §3.2.2), of which there is one.
fn host_of<B>(request: &Request<B>) -> Option<&str> {
    if let Some(host) = request.uri().host() {
        return Some(host);
    }
    let mut fields = request.headers().get_all(HOST).iter();
    let (field, None) = (fields.next()?, fields.next()) else {
        return None;
    };
    let host = field.to_str().ok()?;
    Some(host.rsplit_once(':').map_or(host, |(host, _)| host))
}

/// Whose file that is, and which.
fn route<'a>(host: &str, path: &'a str) -> Option<(Domain, Asked<'a>)> {
    let below = |label: &str| host.strip_prefix(label)?.strip_prefix('.');
    if path == mta_sts::PATH {
        let name = Domain::parse(below(MTA_STS_LABEL)?).ok()?;
        return Some((name, Asked::MtaSts));
    }
    let rest = path.strip_prefix(email2::wkd::WELL_KNOWN)?;
    let Some(name) = below(email2::wkd::HOST_LABEL) else {
        return Some((Domain::parse(host).ok()?, Asked::Directory(rest)));
    };
    let name = Domain::parse(name).ok()?;
    let (named, rest) = rest.split_once('/')?;
    (Domain::parse(named).ok()? == name).then_some((name, Asked::Directory(rest)))
}

impl Reply {
    fn into_response(self) -> Response<Full<Bytes>> {
        let allowed = match self {
            Reply::Not(allowed) => allowed,
            _ => "",
        };
        let (status, kind, octets) = match self {
            Reply::File(kind, octets) => (StatusCode::OK, kind, octets),
            Reply::Nothing => (StatusCode::NOT_FOUND, TEXT, b"Not found.\n".to_vec()),
            Reply::TooOften => (StatusCode::TOO_MANY_REQUESTS, TEXT, Vec::new()),
            Reply::Page(text) => (StatusCode::OK, HTML, text.into_bytes()),
            Reply::Unfit => (StatusCode::BAD_REQUEST, TEXT, b"Not understood.\n".to_vec()),
            Reply::Not(_) => (StatusCode::METHOD_NOT_ALLOWED, TEXT, Vec::new()),
            Reply::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, TEXT, Vec::new()),
        };
        let mut response = Response::new(Full::new(Bytes::from(octets)));
        *response.status_mut() = status;
        let mut set = |name: HeaderName, value| {
            let value = HeaderValue::from_static(value);
            response.headers_mut().insert(name, value);
        };
        set(CONTENT_TYPE, kind);
        // draft-koch-openpgp-webkey-service §4.5: programs in a browser may ask as well.
        set(ACCESS_CONTROL_ALLOW_ORIGIN, "*");
        match status {
            StatusCode::TOO_MANY_REQUESTS => set(RETRY_AFTER, LATER),
            StatusCode::METHOD_NOT_ALLOWED => set(ALLOW, allowed),
            _ if kind == HTML => {
                set(CONTENT_SECURITY_POLICY, ONLY_ITSELF);
                set(CACHE_CONTROL, "no-store");
                set(REFERRER_POLICY, "no-referrer");
            }
            _ => {}
        }
        response
    }
}

/// The type of pages.
const HTML: &str = "text/html; charset=utf-8";
/// A page loads nothing, and what it sends goes back here.
const ONLY_ITSELF: &str = "default-src 'none'; form-action 'self'; frame-ancestors 'none'";
/// The type of texts.
const TEXT: &str = "text/plain; charset=utf-8";

/// RFC 9110 §5.6.7.
fn date(now: u64) -> String {
    let format = format_description!(
        "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
    );
    let seconds = i64::try_from(now).unwrap_or_default();
    let time = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    time.format(format).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routed(host: &str, path: &'static str) -> Option<(String, Asked<'static>)> {
        route(host, path).map(|(name, asked)| (name.to_string(), asked))
    }

    #[test]
    fn the_host_says_which_domain_is_meant() {
        let org = |asked| Some(("example.org".to_owned(), asked));
        let path = "/.well-known/openpgpkey/Example.org/hu/x";
        let asked = Asked::Directory("hu/x");
        assert_eq!(routed("openpgpkey.example.org", path), org(asked));
        assert_eq!(routed("openpgpkey.example.com", path), None);
        let path = "/.well-known/openpgpkey/policy";
        assert_eq!(routed("example.org", path), org(Asked::Directory("policy")));
        let path = "/.well-known/mta-sts.txt";
        assert_eq!(routed("mta-sts.example.org", path), org(Asked::MtaSts));
        for (host, path) in [
            ("example.org", path),
            ("mta-sts.", path),
            ("", "/.well-known/openpgpkey/policy"),
            ("openpgpkey.example.org", "/.well-known/openpgpkey/policy"),
            ("example.org", "/"),
        ] {
            assert_eq!(routed(host, path), None, "{host} {path}");
        }
    }

    #[test]
    fn the_target_comes_before_the_host_field_and_two_are_none() {
        let asked = |target: &str, hosts: &[&str]| {
            let mut request = Request::builder().uri(target);
            for host in hosts {
                request = request.header(HOST, *host);
            }
            host_of(&request.body(()).unwrap()).map(str::to_owned)
        };
        assert_eq!(asked("/x", &["a.example:443"]).unwrap(), "a.example");
        assert_eq!(
            asked("https://b.example/x", &["a.example"]).unwrap(),
            "b.example"
        );
        assert_eq!(asked("/x", &["a.example", "b.example"]), None);
        assert_eq!(asked("/x", &[]), None);
    }

    #[test]
    fn a_date_is_written_as_http_has_it() {
        assert_eq!(date(784_111_777), "Sun, 06 Nov 1994 08:49:37 GMT");
    }
}
