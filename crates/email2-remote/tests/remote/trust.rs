//! Whom a person's own authority speaks for (spec §2.6.1).

use email2::{Address, Assurance};
use email2_remote::KeyError;

use crate::stage::{Stage, answering};

#[tokio::test]
async fn an_authority_named_for_ones_own_domain_speaks_for_no_other() {
    let mut stage = Stage::set().await;
    let (manners, _) = answering(&stage, 3600);
    stage.zone.mx("example.org", &["mx.example.org"], false);
    let names = ["email2.example.org", "mx.example.org"];
    stage.host("mx.example.org", &names, manners).await;
    let bob = Address::parse("bob@example.org").unwrap();

    let colleague = stage.at_home("example.org");
    let found = colleague.key_for_writing(&bob).await.unwrap();
    assert_eq!(found.assurance, Some(Assurance::DomainCertificate));

    for elsewhere in ["example.com", "sub.example.org", "org"] {
        let stranger = stage.at_home(elsewhere);
        let refused = stranger.key_for_writing(&bob).await.unwrap_err();
        // Nobody at that host is believed, and DNS alone does not say that it speaks Email 2.0.
        assert!(
            matches!(&refused, KeyError::NoEmail2(of) if of.as_str() == "example.org"),
            "{elsewhere}: {refused:?}"
        );
    }
}
