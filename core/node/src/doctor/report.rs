//! What the doctor says: the objects of `POST /v1/doctor` and `wayside doctor --json`. Members are added, and none changes its meaning.

use serde::{Deserialize, Serialize};

use crate::api::types::{
    AddressView, AnswersKind, LinkState, MappingKind, NodeKind, PathKind, PortmapView, RelayState, Transport,
};

/// `POST /v1/doctor`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Examine {
    /// A friend to be met for it, by name or account. Others are looked at only where a link is up anyway.
    #[serde(default)]
    pub friend: Option<String>,
    /// How long that friend may take to be met, in milliseconds; nothing else waits for it, but what that friend could tell.
    #[serde(default)]
    pub wait_ms: u64,
}

/// A line of its answer: what is being looked at, and last the report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ExaminationLine {
    /// It goes on.
    Doing {
        /// What is looked at now, one phrase.
        doing: String,
    },
    /// The end.
    Report(Box<Report>),
}

/// All that was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The worst of the findings' that are known: `bad`, else `fair`, else `good`; `unknown` where nothing is known.
    pub verdict: Verdict,
    /// What kind of node was looked at.
    pub node: NodeKind,
    /// How long it took.
    pub took_ms: u64,
    /// What was found, in words, in the order of [`Topic`].
    pub findings: Vec<Finding>,
    /// From which kinds of networks friends get a link with this machine, and how.
    pub reachable: Vec<Reachable>,
    /// The figures behind it.
    pub figures: Figures,
}

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What it is about.
    pub topic: Topic,
    /// Which bridge or friend, where it is about one.
    pub about: Option<String>,
    /// How it is.
    pub verdict: Verdict,
    /// What was found, one sentence without a full stop.
    pub what: String,
    /// How that is known, or why it is not.
    pub why: Option<String>,
    /// What to do about it: commands and lines of configuration stand between backquotes.
    pub advice: Vec<String>,
}

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As it should be.
    Good,
    /// It works, and something is worse than it could be.
    Fair,
    /// It does not work.
    Bad,
    /// Nobody could tell.
    Unknown,
}

/// What a finding is about, in the order in which they are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Topic {
    /// From where this machine is reached, all in all.
    Reach,
    /// Whether this machine is connected, and listens.
    Network,
    /// Whether UDP gets out and back in.
    Udp,
    /// Which outside ports the router gives.
    Mapping,
    /// Whose packets it lets in.
    Filtering,
    /// Whether it leads packets to its own outside address back in.
    Hairpin,
    /// How long it keeps a port without traffic.
    Lifetime,
    /// Asking it for a port.
    Portmap,
    /// The other family of addresses.
    Ipv6,
    /// Who tells this machine how it is seen.
    Stun,
    /// A bridge.
    Bridges,
    /// A friend.
    Friends,
    /// Friends who forward.
    Relays,
    /// The drop for everybody.
    Rendezvous,
    /// The time.
    Clock,
    /// Room, and whether it can be written.
    Disk,
    /// Who can read the home.
    Home,
}

/// Something that is so, is not so, or that nobody could find out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Known {
    /// It is.
    Yes,
    /// It is not.
    No,
    /// Nobody could tell.
    #[default]
    Unknown,
}

impl From<Option<bool>> for Known {
    fn from(known: Option<bool>) -> Self {
        known.map_or(Self::Unknown, |is| if is { Self::Yes } else { Self::No })
    }
}

/// A kind of network that a friend may be in, and what comes of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reachable {
    /// Which kind.
    pub network: PeerNetwork,
    /// How a link with a machine there comes about.
    pub way: Way,
    /// The same in words.
    pub what: String,
}

/// Kinds of networks, by what they let through to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PeerNetwork {
    /// The same as this machine's.
    Same,
    /// A public address, or a port that the router opens.
    Public,
    /// A router that gives one port towards everybody, as most at home do, and carriers' too.
    OnePort,
    /// One that gives each destination another port, in order.
    PortsInOrder,
    /// One that gives each destination another port at random, as some firms' and mobile networks do.
    RandomPorts,
    /// UDP is blocked.
    UdpBlocked,
    /// IPv6 alone.
    Ipv6Only,
}

/// How a link comes about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Way {
    /// Straight, within a second.
    Direct,
    /// Straight, after ports were guessed at for some seconds.
    Guess,
    /// Straight, by TCP.
    Tcp,
    /// Only through a friend that forwards.
    Relay,
    /// Too little is known.
    Unknown,
}

/// What was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// Whether UDP gets out to the internet and back in.
    pub udp: Known,
    /// Addresses on the internet that were asked by STUN in the last round.
    pub asked: u32,
    /// Those of them that answered.
    pub answered: u32,
    /// What friends are told, in that order.
    pub addresses: Vec<AddressView>,
    /// Which ports the routers in between give.
    pub mapping: MappingKind,
    /// Whose packets they let in.
    pub filtering: FilteringKind,
    /// For how long they keep a port without traffic, in seconds, where that was measured.
    pub mapping_lifetime_secs: Option<u64>,
    /// Whether they lead packets to their own outside address back in.
    pub hairpin: Known,
    /// Whether this machine is reached over IPv6.
    pub ipv6: Ipv6Kind,
    /// Asking the router for a port.
    pub portmap: PortmapView,
    /// Whose questions how they are seen this machine answers.
    pub answers: AnswersKind,
    /// Friends, and those whom an inviter named, who can be asked by STUN now.
    pub responders: u32,
    /// The STUN servers that the user listed: `HOST:PORT`.
    pub stun_servers: Vec<String>,
    /// Those of them whose names lead nowhere.
    pub unresolved: Vec<String>,
    /// The bridges.
    pub bridges: Vec<BridgeFigure>,
    /// The friends.
    pub friends: Vec<FriendFigure>,
    /// By how many seconds this machine's clock is ahead of the services' (negative: behind), where one tells the time.
    pub clock_ahead_secs: Option<i64>,
    /// Room for this user on the home's disk, in bytes, where the system tells.
    pub disk_free_bytes: Option<u64>,
    /// How long a small file took to be on disk, in milliseconds; `null` where it could not be written.
    pub disk_write_ms: Option<f64>,
    /// Files and folders of the home that other users of this machine may enter, read or write, `.` the home itself.
    pub open_to_others: Vec<String>,
}

/// Whose packets a router lets in (RFC 4787, section 5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FilteringKind {
    /// Nobody has measured it.
    #[default]
    Unknown,
    /// Everybody's.
    Anybody,
    /// Those from addresses that something was sent to.
    Address,
    /// Those from addresses and ports that something was sent to.
    AddressAndPort,
}

/// How far IPv6 goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ipv6Kind {
    /// There is no address of it that means anything elsewhere.
    #[default]
    None,
    /// There is one, and nobody has said that packets come through.
    Address,
    /// Somebody on the internet sees this machine there.
    Works,
}

/// A bridge, tried just now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BridgeFigure {
    /// What the user calls it.
    pub bridge: String,
    /// What the place is called.
    pub title: String,
    /// Whether it answered.
    pub works: bool,
    /// How long the service took to answer, in milliseconds.
    pub latency_ms: Option<f64>,
    /// Why it does not work, or what its probe had to say, one sentence.
    pub note: Option<String>,
}

/// A friend, as the node knows it, and pinged where a link is up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FriendFigure {
    /// What the friend is called here.
    pub friend: String,
    /// The account.
    pub account: String,
    /// Whether a link is up.
    pub link: LinkState,
    /// By which path.
    pub path: Option<PathKind>,
    /// In what, where the path is direct.
    pub transport: Option<Transport>,
    /// Over which family of addresses, where the path is direct.
    pub family: Option<Family>,
    /// The other end's address, where the path is direct.
    pub remote: Option<String>,
    /// Through which friend, where it is relayed.
    pub relay: Option<String>,
    /// A round trip just now, through the friend's node, in milliseconds.
    pub rtt_ms: Option<f64>,
    /// The last meeting's step that tells why there is no link, or none that is direct: its word (as in `explain`).
    pub step: Option<String>,
    /// The same step in words.
    pub reason: Option<String>,
    /// Whether this friend lets us ask by STUN.
    pub reflects: bool,
    /// Whether this friend forwards for us.
    pub relays: bool,
    /// Whether it could be reached for that just now; none where what it offers has not come yet, which it does over a link.
    pub relay_state: Option<RelayState>,
    /// Whether I blocked them.
    pub blocked: bool,
}

/// A family of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// IPv4.
    Ipv4,
    /// IPv6.
    Ipv6,
}
