//! Gateways that are made up.

use std::{
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, UdpSocket},
    task::JoinSet,
    time::sleep,
};

use crate::gateway::Gateway;

pub(super) const HTTP_NOT_FOUND: &str = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";

/// Listens for PCP and NAT-PMP, and hears searches.
pub(super) struct Fake {
    control: SocketAddrV4,
    search: SocketAddrV4,
    asked: Arc<Mutex<Vec<Vec<u8>>>>,
    searches: Arc<Mutex<usize>>,
    /// Where searches are told to look.
    described: Arc<Mutex<Option<SocketAddrV4>>>,
    _tasks: JoinSet<()>,
}

impl Fake {
    /// Answers each datagram with these.
    pub(super) async fn new(answers: impl Fn(&[u8]) -> Vec<Vec<u8>> + Send + 'static) -> Self {
        let mut tasks = JoinSet::new();
        let (control, control_at) = bind().await;
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = asked.clone();
        tasks.spawn(async move {
            let mut buffer = [0; 2000];
            loop {
                let (length, from) = control.recv_from(&mut buffer).await.unwrap();
                log.lock().unwrap().push(buffer[..length].to_vec());
                for answer in answers(&buffer[..length]) {
                    control.send_to(&answer, from).await.unwrap();
                }
            }
        });
        let (search, search_at) = bind().await;
        let searches = Arc::new(Mutex::new(0));
        let described = Arc::new(Mutex::new(None::<SocketAddrV4>));
        let (count, at) = (searches.clone(), described.clone());
        tasks.spawn(async move {
            let mut buffer = [0; 2000];
            loop {
                let (length, from) = search.recv_from(&mut buffer).await.unwrap();
                assert!(buffer[..length].starts_with(b"M-SEARCH * HTTP/1.1\r\n"));
                *count.lock().unwrap() += 1;
                let at = *at.lock().unwrap();
                if let Some(at) = at {
                    // One that leads elsewhere is passed over.
                    for place in [SocketAddrV4::new(Ipv4Addr::new(11, 0, 0, 1), 80), at] {
                        let answer = format!("HTTP/1.1 200 OK\r\nLOCATION: http://{place}/root.xml\r\n\r\n");
                        search.send_to(answer.as_bytes(), from).await.unwrap();
                    }
                }
            }
        });
        Self { control: control_at, search: search_at, asked, searches, described, _tasks: tasks }
    }

    pub(super) fn gateway(&self) -> Gateway {
        Gateway {
            address: Ipv4Addr::LOCALHOST,
            local: Ipv4Addr::LOCALHOST,
            control: self.control,
            search: self.search,
        }
    }

    /// The datagrams that came, searches aside.
    pub(super) fn asked(&self) -> Vec<Vec<u8>> {
        self.asked.lock().unwrap().clone()
    }

    pub(super) async fn has_asked(&self, count: usize) {
        while self.asked().len() < count {
            sleep(Duration::from_millis(5)).await;
        }
    }

    pub(super) fn searches(&self) -> usize {
        *self.searches.lock().unwrap()
    }
}

async fn bind() -> (UdpSocket, SocketAddrV4) {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let SocketAddr::V4(address) = socket.local_addr().unwrap() else { unreachable!() };
    (socket, address)
}

/// The answer to a request of PCP for a mapping.
pub(super) fn pcp_mapping(request: &[u8], result: u8, outer: Ipv4Addr, port: u16, lifetime: u32) -> Vec<u8> {
    let lifetime = if request[4..8] == [0; 4] { 0 } else { lifetime };
    let mut answer = vec![2, 0x81, 0, result];
    answer.extend(lifetime.to_be_bytes());
    answer.extend([0; 16]);
    answer.extend(&request[24..42]);
    answer.extend(port.to_be_bytes());
    answer.extend(outer.to_ipv6_mapped().octets());
    answer
}

pub(super) fn nat_pmp_address(outer: Ipv4Addr) -> Vec<u8> {
    [&[0, 128, 0, 0, 0, 0, 0, 9], &outer.octets()[..]].concat()
}

/// The answer to a request of NAT-PMP for a mapping: the lifetime is what was asked for.
pub(super) fn nat_pmp_mapping(request: &[u8], port: u16) -> Vec<u8> {
    [&[0, 129, 0, 0, 0, 0, 0, 9], &request[4..6], &port.to_be_bytes(), &request[8..12]].concat()
}

/// The part of a gateway that speaks HTTP.
pub(super) struct Upnp {
    actions: Arc<Mutex<Vec<String>>>,
    _tasks: JoinSet<()>,
}

impl Upnp {
    /// Describes itself, and answers actions with this.
    pub(super) async fn new(fake: &Fake, answer: impl Fn(&str, &str) -> String + Send + 'static) -> Self {
        Self::raw(fake, move |action, body| match action {
            "GET" => ok("<root><device><serviceList><service>\
                 <serviceType>urn:schemas-upnp-org:service:WANIPConnection:1</serviceType>\
                 <controlURL>/ctl</controlURL></service></serviceList></device></root>"),
            action => answer(action, body),
        })
        .await
    }

    /// Answers everything with this. What is asked for is called by its action, or else by its method.
    pub(super) async fn raw(fake: &Fake, answer: impl Fn(&str, &str) -> String + Send + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let SocketAddr::V4(address) = listener.local_addr().unwrap() else { unreachable!() };
        *fake.described.lock().unwrap() = Some(address);
        let actions = Arc::new(Mutex::new(Vec::new()));
        let log = actions.clone();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = Vec::new();
                // A description is asked for without a body; a call's ends with its envelope.
                while !request.ends_with(b"\r\n\r\n") && !request.ends_with(b"</s:Envelope>\r\n") {
                    assert_ne!(stream.read_buf(&mut request).await.unwrap(), 0);
                    if request.starts_with(b"POST") && request.ends_with(b"\r\n\r\n") {
                        assert_ne!(stream.read_buf(&mut request).await.unwrap(), 0);
                    }
                }
                let request = String::from_utf8(request).unwrap();
                let action = request.split_once("#").and_then(|(_, rest)| rest.split_once('"'));
                let action = action.map_or("GET", |(action, _)| action);
                log.lock().unwrap().push(action.to_owned());
                // Whoever has read enough hangs up.
                let _ = stream.write_all(answer(action, &request).as_bytes()).await;
            }
        });
        Self { actions, _tasks: tasks }
    }

    pub(super) fn external_address(outer: Ipv4Addr) -> String {
        ok(&format!("<s:Envelope><NewExternalIPAddress>{outer}</NewExternalIPAddress></s:Envelope>"))
    }

    pub(super) fn done(action: &str) -> String {
        ok(&format!("<u:{action}Response></u:{action}Response>"))
    }

    pub(super) fn error(code: u16) -> String {
        let body = format!("<UPnPError><errorCode>{code}</errorCode></UPnPError>");
        format!("HTTP/1.1 500 Internal Server Error\r\nContent-Length: {}\r\n\r\n{body}", body.len())
    }

    /// What was asked for, in order.
    pub(super) fn actions(&self) -> Vec<String> {
        self.actions.lock().unwrap().clone()
    }
}

fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}
