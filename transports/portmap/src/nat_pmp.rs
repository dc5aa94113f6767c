//! NAT-PMP, RFC 6886.

use std::{
    net::{Ipv4Addr, SocketAddrV4},
    time::Duration,
};

use crate::{
    address::is_public,
    control::{self, Reader},
    error::Cause,
    gateway::Gateway,
    mapping::{Granted, checked},
};

/// Section 3.2.
const VERSION: u8 = 0;
const OPCODE_ADDRESS: u8 = 0;
/// Section 3.3.
const OPCODE_MAP_UDP: u8 = 1;
/// Added to the opcode in an answer (section 3.3).
const ANSWER: u8 = 128;

/// The gateway's outer address, if it is one of the Internet.
pub(crate) async fn external_address(gateway: &Gateway) -> Result<Ipv4Addr, Cause> {
    let address = control::ask(gateway, &[VERSION, OPCODE_ADDRESS], read_address).await?;
    if is_public(address) { Ok(address) } else { Err(Cause::NotPublic(address.into())) }
}

/// Asks for a mapping of `port`, or for its renewal; `suggested` is the gateway's outer address and the port that it had, or that we would like.
pub(crate) async fn map(
    gateway: &Gateway,
    port: u16,
    suggested: SocketAddrV4,
    lease: Duration,
) -> Result<Granted, Cause> {
    let seconds = u32::try_from(lease.as_secs()).unwrap_or(u32::MAX);
    let request = request(port, suggested.port(), seconds);
    let (external, lifetime) = control::ask(gateway, &request, |answer| read_mapping(answer, port)).await?;
    checked(SocketAddrV4::new(*suggested.ip(), external), Duration::from_secs(lifetime.into()))
}

/// Asks that the mapping of `port` be deleted (section 3.4): no port is suggested, the lifetime is zero.
pub(crate) async fn unmap(gateway: &Gateway, port: u16) -> Result<(), Cause> {
    let request = request(port, 0, 0);
    let (_, lifetime) = control::ask(gateway, &request, |answer| read_mapping(answer, port)).await?;
    if lifetime == 0 { Ok(()) } else { Err(Cause::Nonsense("a deleted mapping that goes on")) }
}

fn request(port: u16, suggested: u16, lifetime: u32) -> Vec<u8> {
    let mut request = vec![VERSION, OPCODE_MAP_UDP, 0, 0];
    request.extend(port.to_be_bytes());
    request.extend(suggested.to_be_bytes());
    request.extend(lifetime.to_be_bytes());
    request
}

/// What all answers begin with; `None` where it answers something else, and then the rest.
fn head(answer: &[u8], opcode: u8) -> Option<Result<Reader<'_>, Cause>> {
    let mut reader = Reader(answer);
    let version = reader.u8()?;
    let theirs = reader.u8()?;
    if version == 2 && theirs & ANSWER != 0 {
        // A gateway that has PCP alone (RFC 6887, appendix A).
        return Some(Err(refusal(1)));
    }
    if version != VERSION || theirs != opcode | ANSWER {
        return None;
    }
    let result = reader.u16()?;
    if result != 0 {
        return Some(Err(refusal(result)));
    }
    let _seconds_since_start = reader.u32()?;
    Some(Ok(reader))
}

fn read_address(answer: &[u8]) -> Option<Result<Ipv4Addr, Cause>> {
    match head(answer, OPCODE_ADDRESS)? {
        Ok(mut reader) => Some(Ok(reader.take::<4>()?.into())),
        Err(cause) => Some(Err(cause)),
    }
}

/// The outer port and the lifetime in seconds.
fn read_mapping(answer: &[u8], port: u16) -> Option<Result<(u16, u32), Cause>> {
    match head(answer, OPCODE_MAP_UDP)? {
        Ok(mut reader) => {
            let internal = reader.u16()?;
            let external = reader.u16()?;
            let lifetime = reader.u32()?;
            (internal == port).then_some(Ok((external, lifetime)))
        }
        Err(cause) => Some(Err(cause)),
    }
}

/// Section 3.5.
fn refusal(code: u16) -> Cause {
    let meaning = match code {
        1 => "it does not speak this version",
        2 => "not authorized",
        3 => "its outer network does not work",
        4 => "it has no room for another mapping",
        5 => "it knows no mappings",
        _ => "for an unknown reason",
    };
    Cause::Refused { code, meaning }
}

#[cfg(test)]
#[allow(clippy::indexing_slicing)]
mod tests {
    use super::*;

    const MAPPED: [u8; 16] = [0, 129, 0, 0, 0, 0, 0, 9, 0x10, 0x92, 0x9c, 0x40, 0, 0, 0x0e, 0x10];

    #[test]
    fn a_request_is_as_the_standard_draws_it() {
        assert_eq!(request(4242, 40_000, 3600), [0, 1, 0, 0, 0x10, 0x92, 0x9c, 0x40, 0, 0, 0x0e, 0x10]);
    }

    #[test]
    fn answers_are_read() {
        let address = [0, 128, 0, 0, 0, 0, 0, 9, 11, 0, 0, 2];
        assert_eq!(read_address(&address), Some(Ok(Ipv4Addr::new(11, 0, 0, 2))));
        assert_eq!(read_mapping(&MAPPED, 4242), Some(Ok((40_000, 3600))));
        for length in 0..address.len() {
            assert_eq!(read_address(&address[..length]), None, "cut to {length} bytes");
        }
        for length in 0..MAPPED.len() {
            assert_eq!(read_mapping(&MAPPED[..length], 4242), None, "cut to {length} bytes");
        }
    }

    #[test]
    fn an_answer_to_another_question_is_passed_over() {
        assert_eq!(read_mapping(&MAPPED, 4243), None);
        assert_eq!(read_address(&MAPPED), None);
    }

    proptest::proptest! {
        #[test]
        fn whatever_comes_is_read_or_not(bytes: Vec<u8>, at in 0_usize..16, byte: u8) {
            let mut bent = MAPPED;
            bent[at] = byte;
            for bytes in [&bytes[..], &bent] {
                let _ = (read_address(bytes), read_mapping(bytes, 4242));
            }
        }
    }

    #[test]
    fn refusals_are_told_apart() {
        assert_eq!(read_mapping(&[0, 129, 0, 2, 0, 0, 0, 9], 4242), Some(Err(refusal(2))));
        assert_eq!(read_address(&[2, 0x80, 0, 1]), Some(Err(refusal(1))), "PCP's answer");
    }
}
