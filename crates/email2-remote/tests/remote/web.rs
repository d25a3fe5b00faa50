//! A small HTTPS server: real TLS, real HTTP, pages as a test wants them.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use email2_io::World;
use email2_io::tls::ServerTls;
use futures::stream;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::header::{CONTENT_TYPE, LOCATION};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;

/// What stands under a path.
#[derive(Clone, Debug)]
pub(crate) enum Page {
    /// This, of this type.
    Is(&'static str, Vec<u8>),
    /// It is somewhere else.
    At(String),
    /// It is large: 1 GiB.
    Huge(&'static str),
    /// No answer comes.
    Silence,
    /// The server is broken.
    Broken,
}

/// What a server has; all other paths are 404.
#[derive(Debug, Default)]
pub(crate) struct Web {
    pages: Mutex<HashMap<String, Page>>,
    /// Paths and queries that were asked for.
    pub(crate) asked: Mutex<Vec<String>>,
}

impl Web {
    pub(crate) fn put(&self, path: &str, page: Page) {
        self.pages.lock().unwrap().insert(path.to_owned(), page);
    }

    pub(crate) fn count(&self) -> usize {
        self.asked.lock().unwrap().len()
    }

    fn page(&self, request: &Request<Incoming>) -> Option<Page> {
        let asked = request.uri().to_string();
        self.asked.lock().unwrap().push(asked);
        self.pages
            .lock()
            .unwrap()
            .get(request.uri().path())
            .cloned()
    }

    async fn answer(&self, request: &Request<Incoming>) -> Response<BoxBody<Bytes, Infallible>> {
        let text = |text: Vec<u8>| Full::new(Bytes::from(text)).boxed();
        let response = Response::builder();
        let made = match self.page(request) {
            None => response
                .status(StatusCode::NOT_FOUND)
                .body(text(b"none".to_vec())),
            Some(Page::Is(kind, body)) => response.header(CONTENT_TYPE, kind).body(text(body)),
            Some(Page::At(place)) => response
                .status(StatusCode::FOUND)
                .header(LOCATION, place)
                .body(text(Vec::new())),
            Some(Page::Huge(kind)) => response.header(CONTENT_TYPE, kind).body(gibibyte()),
            Some(Page::Broken) => response
                .status(StatusCode::INTERNAL_SERVER_ERROR)
                .body(text(Vec::new())),
            Some(Page::Silence) => std::future::pending().await,
        };
        made.unwrap()
    }
}

fn gibibyte() -> BoxBody<Bytes, Infallible> {
    const PIECE: &[u8] = &[b'x'; 16 * 1024];
    let pieces = (0..65_536).map(|_| Ok(Frame::data(Bytes::from_static(PIECE))));
    StreamBody::new(stream::iter(pieces)).boxed()
}

/// Serves at `address` until the test ends.
pub(crate) async fn serve(world: World, tls: ServerTls, address: SocketAddr, web: Arc<Web>) {
    let listener = world.net.listen(address).await.unwrap();
    tokio::spawn(async move {
        loop {
            let connection = listener.accept().await.unwrap();
            let (tls, web) = (tls.clone(), Arc::clone(&web));
            tokio::spawn(async move {
                let Ok(arrived) = tls.accept(connection.stream, &[]).await else {
                    return;
                };
                let service = service_fn(move |request| {
                    let web = Arc::clone(&web);
                    async move { Ok::<_, Infallible>(web.answer(&request).await) }
                });
                let http = hyper::server::conn::http1::Builder::new();
                // Whoever asks may go when they like.
                let _ = http
                    .serve_connection(TokioIo::new(arrived.stream), service)
                    .await;
            });
        }
    });
}
