//! Hostile structure, on a stack of 2 MiB: an error or a reading, never more
//! (spec §5.6.7, §9.3).

use std::time::{Duration, Instant};

use email2::content::{
    Container, ContentError, Mode, OuterTo, Protect, Reader, protect, unprotect,
};

use super::people::{Book, NOW, address, key, rng};

/// Runs on the stack of an ordinary thread, and in time.
#[expect(
    clippy::disallowed_methods,
    reason = "a test needs a thread and a clock"
)]
fn on_a_small_stack(work: impl FnOnce() + Send + 'static) {
    let begin = Instant::now();
    let thread = std::thread::Builder::new().stack_size(2 * 1024 * 1024);
    thread.spawn(work).unwrap().join().unwrap();
    assert!(
        begin.elapsed() < Duration::from_secs(20),
        "{:?}",
        begin.elapsed()
    );
}

fn read(message: &[u8]) -> Result<(), ContentError> {
    let known = Book(Vec::new());
    let alice = key("alice@example.com", 2);
    let reader = Reader {
        keys: &[&alice],
        known: &known,
        now: NOW,
    };
    unprotect(message, &reader).map(|_| ())
}

fn write(message: &[u8]) -> Result<(), ContentError> {
    let bob = key("bob@example.org", 1);
    let from = address("bob@example.org");
    let request = Protect {
        message,
        author: &bob,
        from: &from,
        mode: Mode::SignOnly,
        outer_to: OuterTo::Hidden,
        outside: &[],
        now: NOW,
    };
    protect(&request, &mut rng(1)).map(|_| ())
}

#[test]
fn nested_messages() {
    on_a_small_stack(|| {
        let nested = "Content-Type: message/rfc822\r\n\r\n".repeat(22_000);
        let message = format!("From: bob@example.org\r\n{nested}");
        assert!(matches!(
            read(message.as_bytes()),
            Err(ContentError::Refused(_))
        ));
        assert!(write(message.as_bytes()).is_err());
    });
}

#[test]
fn nested_multiparts() {
    on_a_small_stack(|| {
        let mut message = "From: bob@example.org\r\n".to_owned();
        for depth in 0..5_000 {
            message +=
                &format!("Content-Type: multipart/mixed; boundary=b{depth}\r\n\r\n--b{depth}\r\n");
        }
        assert!(matches!(
            read(message.as_bytes()),
            Err(ContentError::Refused(_))
        ));
        assert!(write(message.as_bytes()).is_err());
    });
}

#[test]
fn a_million_parameters() {
    on_a_small_stack(|| {
        let parameters = "; a*1*=b".repeat(1_000_000);
        let message =
            format!("From: bob@example.org\r\nContent-Type: text/plain{parameters}\r\n\r\n");
        assert!(read(message.as_bytes()).is_err());
        assert!(write(message.as_bytes()).is_err());
    });
}

fn encrypted_part(packets: &[u8]) -> Vec<u8> {
    use base64::Engine as _;
    let armor = base64::engine::general_purpose::STANDARD.encode(packets);
    let lines: Vec<&[u8]> = armor.as_bytes().chunks(64).collect();
    let lines = lines.join(&b"\r\n"[..]);
    [
        b"From: bob@example.org\r\nContent-Type: multipart/encrypted; \
          protocol=\"application/pgp-encrypted\"; boundary=b\r\n\r\n--b\r\n\
          Content-Type: application/pgp-encrypted\r\n\r\nVersion: 1\r\n\r\n--b\r\n\
          Content-Type: application/octet-stream\r\n\r\n-----BEGIN PGP MESSAGE-----\r\n\r\n",
        lines.as_slice(),
        b"\r\n-----END PGP MESSAGE-----\r\n\r\n--b--\r\n",
    ]
    .concat()
}

#[test]
fn nested_compressed_packets() {
    on_a_small_stack(|| {
        let nested = [0xc8, 0xff, 0, 0, 0, 1, 0].repeat(8_000);
        assert!(matches!(
            read(&encrypted_part(&nested)),
            Err(ContentError::Ciphertext(_))
        ));
        let old = [0xa3, 0].repeat(20_000);
        assert!(matches!(
            read(&encrypted_part(&old)),
            Err(ContentError::Ciphertext(_))
        ));
    });
}

#[test]
fn short_and_random_ciphertexts() {
    on_a_small_stack(|| {
        use rand_core::RngCore as _;
        let mut random = rng(5);
        for length in 0..300 {
            let mut body = vec![0_u8; length];
            random.fill_bytes(&mut body);
            for version in [1, 2, 3] {
                if let Some(first) = body.first_mut() {
                    *first = version;
                }
                let mut packets = vec![0xc0 | 18, 255];
                packets.extend_from_slice(&u32::try_from(length).unwrap().to_be_bytes());
                packets.extend_from_slice(&body);
                assert!(read(&encrypted_part(&packets)).is_err());
            }
        }
    });
}

#[test]
fn every_octet_of_a_ciphertext_may_be_wrong() {
    on_a_small_stack(|| {
        let (bob, alice) = (key("bob@example.org", 1), key("alice@example.com", 2));
        let from = address("bob@example.org");
        let to = [alice.certificate().clone()];
        for container in [Container::V1, Container::V2] {
            let request = Protect {
                message: b"From: bob@example.org\r\n\r\nx\r\n",
                author: &bob,
                from: &from,
                mode: Mode::Encrypt {
                    to: &to,
                    also_self: false,
                    container,
                },
                outer_to: OuterTo::Hidden,
                outside: &[],
                now: NOW,
            };
            let out = protect(&request, &mut rng(1)).unwrap();
            let begin = out
                .windows(4)
                .position(|window| window == b"\r\n\r\n")
                .unwrap();
            for at in (begin..out.len()).step_by(41) {
                let mut altered = out.clone();
                altered[at] = altered[at].wrapping_add(1) & 0x7f;
                let _ = read(&altered);
                let _ = read(&out[..at]);
            }
        }
    });
}
