//! How TLS went.

use crate::Store;
use crate::tls_count::TlsCount;

pub(crate) async fn tls_is_counted_by_day(store: &Store) {
    let count = |day, result: &str, count| TlsCount {
        day,
        domain: "example.com".to_owned(),
        policy: "sts".to_owned(),
        host: "mx.example.com".to_owned(),
        result: result.to_owned(),
        count,
    };
    let first = vec![count(1, "success", 2), count(2, "success", 1)];
    store.count_tls(first).await.unwrap();
    let more = vec![count(2, "success", 4), count(2, "validation-failure", 1)];
    store.count_tls(more).await.unwrap();
    let since = store.tls_counts(2, None, 10).await.unwrap();
    let wanted = [count(2, "success", 5), count(2, "validation-failure", 1)];
    assert_eq!(since, wanted);
    let rest = store.tls_counts(0, Some(&wanted[0]), 10).await.unwrap();
    assert_eq!(rest, wanted[1..]);
    assert_eq!(store.forget_tls_counts(2).await.unwrap(), 1);
}
