//! The wire between two network devices.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use rustix::ioctl::{Setter, ioctl};

use super::Wire;
use crate::Failure;

/// Makes two TAP devices and joins them. They are gone with this process, wherever they were moved to.
pub(super) fn join(wire: Wire, cut: &Arc<AtomicBool>, left: &str, right: &str) -> Result<(), Failure> {
    let (left, right) = (tap(left)?, tap(right)?);
    let (mut left_in, mut right_in) = (left.try_clone()?, right.try_clone()?);
    let (mut left_out, mut right_out) = (left, right);
    wire.carry(0, cut, move |buffer| left_in.read(buffer), move |packet| right_out.write_all(packet));
    wire.carry(1, cut, move |buffer| right_in.read(buffer), move |packet| left_out.write_all(packet));
    Ok(())
}

/// `struct ifreq` of `<linux/if.h>`, as TUNSETIFF reads it.
#[repr(C)]
struct Request {
    name: [u8; 16],
    flags: i16,
    rest: [u8; 22],
}

/// `<linux/if_tun.h>`: whole Ethernet frames, nothing in front of them.
const IFF_TAP: i16 = 0x0002;
const IFF_NO_PI: i16 = 0x1000;
/// `_IOW('T', 202, int)`, the same on all architectures that Linux calls generic.
const TUNSETIFF: u32 = 0x4004_54ca;

fn tap(name: &str) -> Result<File, Failure> {
    let failed = |error: std::io::Error| format!("no TAP device {name}: {error}");
    let device = OpenOptions::new().read(true).write(true).open("/dev/net/tun").map_err(failed)?;
    let mut request = Request { name: [0; 16], flags: IFF_TAP | IFF_NO_PI, rest: [0; 22] };
    // The last byte stays zero.
    for (byte, of_name) in request.name.iter_mut().take(15).zip(name.bytes()) {
        *byte = of_name;
    }
    #[expect(unsafe_code, reason = "no safe call of a maintained crate makes a TAP device")]
    // SAFETY: TUNSETIFF reads one `struct ifreq`, which `Request` is in size and layout, and keeps no pointer to it.
    let made = unsafe { ioctl(&device, Setter::<{ TUNSETIFF as _ }, Request>::new(request)) };
    made.map_err(|error| failed(error.into()))?;
    Ok(device)
}
