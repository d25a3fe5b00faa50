//! What a lookup that finds nothing says.

use email2_io::DnsError;

/// spec §2.3.3: a failure is never an absence.
#[test]
fn only_nxdomain_and_nodata_say_that_there_is_nothing() {
    for secure in [true, false] {
        for absence in [DnsError::NxDomain { secure }, DnsError::NoData { secure }] {
            assert!(absence.is_absence(), "{absence}");
            assert_eq!(absence.is_secure_absence(), secure, "{absence}");
        }
    }
    for failure in [DnsError::Timeout, DnsError::ServFail, DnsError::Bogus] {
        assert!(!failure.is_absence(), "{failure}");
        assert!(!failure.is_secure_absence(), "{failure}");
    }
}
