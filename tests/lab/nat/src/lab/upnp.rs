//! miniupnpd in a router: UPnP, NAT-PMP and PCP.

use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{Child, Stdio};

use super::Failure;
use super::space::Space;

/// It ends with its namespace, or when it is dropped.
#[derive(Debug)]
pub(crate) struct Upnp(Child);

impl Upnp {
    /// Starts it in a router whose address inside this is. The chains that it fills are there.
    pub(crate) fn start(router: &Space, inside: Ipv4Addr, folder: &Path) -> Result<Self, Failure> {
        fs::create_dir_all(folder)?;
        let (config, leases, pid) = (folder.join("conf"), folder.join("leases"), folder.join("pid"));
        // Its protocols may map any port to whoever asks for it.
        let text = format!(
            "ext_ifname=wan
listening_ip={inside}/24
enable_natpmp=yes
enable_upnp=yes
secure_mode=yes
min_lifetime=120
max_lifetime=86400
lease_file={}
upnp_table_name=upnp
upnp_nat_table_name=upnp
uuid=897841ad-36f6-4a39-b309-34351613e0c5
allow 1024-65535 {}/24 1024-65535
deny 0-65535 0.0.0.0/0 0-65535
",
            leases.display(),
            Ipv4Addr::from_bits(inside.to_bits() & 0xffff_ff00),
        );
        fs::write(&config, text)?;
        let log = fs::File::create(folder.join("log"))?;
        let child = router
            .command("miniupnpd")
            .arg("-d")
            .arg("-f")
            .arg(&config)
            .arg("-P")
            .arg(&pid)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        Ok(Self(child))
    }
}

impl Drop for Upnp {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
