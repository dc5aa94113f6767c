//! PCP, RFC 6887: the opcode MAP for UDP over IPv4.

use std::{
    net::{Ipv4Addr, Ipv6Addr, SocketAddrV4},
    time::Duration,
};

use crate::{
    control::{self, Reader},
    error::Cause,
    gateway::Gateway,
    mapping::{Granted, checked},
};

/// Section 7.1.
const VERSION: u8 = 2;
/// Section 11.1.
const OPCODE_MAP: u8 = 1;
/// The bit of an answer, section 7.2.
const ANSWER: u8 = 0x80;
/// UDP's number in IANA's registry.
const UDP: u8 = 17;

/// Names one mapping to the gateway: only who knows it may renew or delete the mapping (section 11.2).
pub(crate) type Nonce = [u8; 12];

/// Asks for a mapping of `port`, or for its renewal; `suggested` is the outer address and port that it had, or that we would like.
pub(crate) async fn map(
    gateway: &Gateway,
    nonce: &Nonce,
    port: u16,
    suggested: SocketAddrV4,
    lease: Duration,
) -> Result<Granted, Cause> {
    let seconds = u32::try_from(lease.as_secs()).unwrap_or(u32::MAX);
    let request = request(gateway.local, nonce, port, suggested, seconds);
    let answer = control::ask(gateway, &request, |answer| read(answer, nonce, port)).await?;
    checked(answer.external, Duration::from_secs(answer.lifetime.into()))
}

/// Asks that the mapping of `port` be deleted (section 15): a lifetime of zero and the mapping's own nonce.
pub(crate) async fn unmap(gateway: &Gateway, nonce: &Nonce, port: u16) -> Result<(), Cause> {
    let nowhere = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0);
    let request = request(gateway.local, nonce, port, nowhere, 0);
    let answer = control::ask(gateway, &request, |answer| read(answer, nonce, port)).await?;
    if answer.lifetime == 0 { Ok(()) } else { Err(Cause::Nonsense("a deleted mapping that goes on")) }
}

fn request(local: Ipv4Addr, nonce: &Nonce, port: u16, suggested: SocketAddrV4, lifetime: u32) -> Vec<u8> {
    let mut request = vec![VERSION, OPCODE_MAP, 0, 0];
    request.extend(lifetime.to_be_bytes());
    request.extend(local.to_ipv6_mapped().octets());
    request.extend(nonce);
    request.extend([UDP, 0, 0, 0]);
    request.extend(port.to_be_bytes());
    request.extend(suggested.port().to_be_bytes());
    request.extend(suggested.ip().to_ipv6_mapped().octets());
    request
}

#[derive(Debug, PartialEq, Eq)]
struct Answer {
    /// In seconds; not zero but for a deletion.
    lifetime: u32,
    external: SocketAddrV4,
}

/// `None` for what is no answer to our question.
fn read(answer: &[u8], nonce: &Nonce, port: u16) -> Option<Result<Answer, Cause>> {
    let mut reader = Reader(answer);
    let version = reader.u8()?;
    let opcode = reader.u8()?;
    if version != VERSION {
        // A gateway that has NAT-PMP alone answers in its own version, 0, with its own result "unsupported version" (RFC 6886, section 3.5).
        return (version == 0 && opcode & ANSWER != 0).then(|| Err(refusal(1)));
    }
    if opcode != OPCODE_MAP | ANSWER {
        return None;
    }
    let _reserved = reader.u8()?;
    let result = reader.u8()?;
    let lifetime = reader.u32()?;
    let _epoch_and_reserved = reader.take::<16>()?;
    // An error may come back with a copy of the request (section 7.2), or cut short where the request was not understood.
    if result != 0 && reader.0.is_empty() {
        return Some(Err(refusal(result)));
    }
    let theirs: Nonce = reader.take()?;
    let protocol = reader.u8()?;
    let _reserved = reader.take::<3>()?;
    let internal = reader.u16()?;
    let external_port = reader.u16()?;
    let external = Ipv6Addr::from(reader.take::<16>()?);
    if theirs != *nonce || protocol != UDP || internal != port {
        return None;
    }
    if result != 0 {
        return Some(Err(refusal(result)));
    }
    let Some(external) = external.to_ipv4_mapped() else {
        return Some(Err(Cause::Nonsense("an IPv6 address for an IPv4 mapping")));
    };
    Some(Ok(Answer { lifetime, external: SocketAddrV4::new(external, external_port) }))
}

/// Section 7.4.
fn refusal(code: u8) -> Cause {
    let meaning = match code {
        1 => "it does not speak this version",
        2 => "not authorized",
        3 => "malformed request",
        4 => "it knows no mappings",
        5 => "unsupported option",
        6 => "malformed option",
        7 => "its outer network does not work",
        8 => "it has no room for another mapping",
        9 => "it does not map UDP",
        10 => "this machine has too many mappings",
        11 => "it cannot provide the outer address or port",
        12 => "there is another NAT between this machine and it",
        13 => "too many remote peers",
        _ => "for an unknown reason",
    };
    Cause::Refused { code: code.into(), meaning }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    const NONCE: Nonce = *b"twelve bytes";
    const EXTERNAL: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(11, 0, 0, 2), 40_000);

    fn answer(result: u8, port: u16, external: Ipv6Addr) -> Vec<u8> {
        let mut answer = vec![2, 0x81, 0, result];
        answer.extend(120_u32.to_be_bytes());
        answer.extend([0; 16]);
        answer.extend(NONCE);
        answer.extend([17, 0, 0, 0]);
        answer.extend(port.to_be_bytes());
        answer.extend(40_000_u16.to_be_bytes());
        answer.extend(external.octets());
        answer
    }

    #[test]
    fn a_request_is_as_the_standard_draws_it() {
        let request = request([10, 77, 0, 2].into(), &NONCE, 4242, EXTERNAL, 3600);
        let mut expected = vec![2, 1, 0, 0, 0, 0, 0x0e, 0x10];
        expected.extend([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 77, 0, 2]);
        expected.extend(NONCE);
        expected.extend([17, 0, 0, 0, 0x10, 0x92, 0x9c, 0x40]);
        expected.extend([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 11, 0, 0, 2]);
        assert_eq!(request, expected);
    }

    #[test]
    fn an_answer_is_read() {
        let good = answer(0, 4242, EXTERNAL.ip().to_ipv6_mapped());
        assert_eq!(read(&good, &NONCE, 4242), Some(Ok(Answer { lifetime: 120, external: EXTERNAL })));
        for length in 0..good.len() {
            assert_eq!(read(&good[..length], &NONCE, 4242), None, "cut to {length} bytes");
        }
        let v6 = answer(0, 4242, "2001:db8::1".parse().unwrap());
        assert!(matches!(read(&v6, &NONCE, 4242), Some(Err(Cause::Nonsense(_)))));
    }

    #[test]
    fn an_answer_to_another_question_is_passed_over() {
        let good = answer(0, 4242, EXTERNAL.ip().to_ipv6_mapped());
        assert_eq!(read(&good, b"other bytes!", 4242), None);
        assert_eq!(read(&good, &NONCE, 4243), None);
        let announce = [&[2, 0x80][..], &[0; 22]].concat();
        assert_eq!(read(&announce, &NONCE, 4242), None);
    }

    proptest::proptest! {
        #[test]
        fn whatever_comes_is_read_or_not(bytes: Vec<u8>, at in 0_usize..60, byte: u8) {
            let _ = read(&bytes, &NONCE, 4242);
            let mut bent = answer(0, 4242, EXTERNAL.ip().to_ipv6_mapped());
            bent[at] = byte;
            let _ = read(&bent, &NONCE, 4242);
        }
    }

    #[test]
    fn refusals_are_told_apart() {
        let refused = answer(2, 4242, Ipv6Addr::UNSPECIFIED);
        assert_eq!(read(&refused, &NONCE, 4242), Some(Err(refusal(2))));
        assert_eq!(read(&refused[..24], &NONCE, 4242), Some(Err(refusal(2))), "the header alone");
        assert_eq!(
            read(&[0, 0x81, 0, 1, 0, 0, 0, 9], &NONCE, 4242),
            Some(Err(refusal(1))),
            "NAT-PMP's answer"
        );
    }
}
