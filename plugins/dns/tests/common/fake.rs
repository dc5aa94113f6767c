//! A name server that does what a real one cannot be made to do.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use hickory_proto::op::{Message, MessageType, ResponseCode};
use hickory_proto::rr::rdata::{CNAME, SOA, TXT};
use hickory_proto::rr::{Name, RData, Record};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};

/// What comes back for a question: datagrams, or messages of a connection.
pub type Answers = Vec<Vec<u8>>;

/// A server on loopback, by UDP and by TCP on the same port.
pub struct Fake {
    pub at: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    tasks: [tokio::task::JoinHandle<()>; 2],
}

/// A message that arrived.
#[derive(Clone)]
pub struct Seen {
    pub message: Message,
    pub raw: Vec<u8>,
    pub by_tcp: bool,
}

impl Fake {
    pub async fn start(answer: impl Fn(&Seen) -> Answers + Send + Sync + 'static) -> Self {
        let (tcp, udp) = loop {
            let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
            // The port may be taken on the other side.
            if let Ok(udp) = UdpSocket::bind(tcp.local_addr().unwrap()).await {
                break (tcp, udp);
            }
        };
        let at: SocketAddr = tcp.local_addr().unwrap();
        let (seen, answer) = (Arc::new(Mutex::new(Vec::new())), Arc::new(answer));
        let asked = {
            let (seen, answer) = (Arc::clone(&seen), Arc::clone(&answer));
            move |raw: &[u8], by_tcp| {
                let Ok(message) = Message::from_vec(raw) else { return Answers::new() };
                let one = Seen { message, raw: raw.to_vec(), by_tcp };
                seen.lock().unwrap().push(one.clone());
                answer(&one)
            }
        };
        let by_udp = asked.clone();
        let datagrams = tokio::spawn(async move {
            let mut buffer = vec![0; 65_536];
            while let Ok((length, from)) = udp.recv_from(&mut buffer).await {
                for answer in by_udp(&buffer[..length], false) {
                    let _ = udp.send_to(&answer, from).await;
                }
            }
        });
        let connections = tokio::spawn(async move {
            while let Ok((mut stream, _)) = tcp.accept().await {
                let asked = asked.clone();
                tokio::spawn(async move {
                    while let Ok(length) = stream.read_u16().await {
                        let mut raw = vec![0; length.into()];
                        if stream.read_exact(&mut raw).await.is_err() {
                            return;
                        }
                        let answers = asked(&raw, true);
                        if answers.is_empty() {
                            // It hangs.
                            std::future::pending::<()>().await;
                        }
                        for answer in answers {
                            let length = u16::try_from(answer.len()).unwrap().to_be_bytes();
                            let _ = stream.write_all(&[&length[..], &answer].concat()).await;
                        }
                    }
                });
            }
        });
        Self { at: at.to_string(), seen, tasks: [datagrams, connections] }
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.tasks.iter().for_each(tokio::task::JoinHandle::abort);
    }
}

impl Seen {
    pub fn name(&self) -> Name {
        self.message.queries[0].name().clone()
    }

    /// An answer with this code and nothing in it.
    pub fn code(&self, code: ResponseCode) -> Message {
        let mut answer = Message::new(self.message.id, MessageType::Response, self.message.op_code);
        answer.metadata.response_code = code;
        answer.add_queries(self.message.queries.clone());
        answer
    }

    /// An answer with these texts under the name that was asked for.
    pub fn texts(&self, texts: &[&str]) -> Message {
        let mut answer = self.code(ResponseCode::NoError);
        answer.add_answers(texts.iter().map(|text| txt(&self.name(), text)).collect::<Vec<_>>());
        answer
    }
}

pub fn txt(name: &Name, text: &str) -> Record {
    let strings = text.as_bytes().chunks(255).collect();
    Record::from_rdata(name.clone(), 1, RData::TXT(TXT::from_bytes(strings)))
}

pub fn alias(name: &Name, to: &str) -> Record {
    Record::from_rdata(name.clone(), 1, RData::CNAME(CNAME(Name::from_ascii(to).unwrap())))
}

pub fn soa(zone: &str, minimum: u32) -> Record {
    let zone = Name::from_ascii(zone).unwrap();
    Record::from_rdata(
        zone.clone(),
        minimum,
        RData::SOA(SOA::new(zone.clone(), zone, 1, 3600, 600, 86_400, minimum)),
    )
}

/// A whole answer where it fits, as a server does it: by UDP what is larger than was asked for is cut.
pub fn fitting(seen: &Seen, answer: &Message) -> Answers {
    let bytes = answer.to_vec().unwrap();
    if seen.by_tcp || bytes.len() <= seen.message.max_payload().into() {
        return vec![bytes];
    }
    let mut cut = seen.code(ResponseCode::NoError);
    cut.metadata.truncation = true;
    one(&cut)
}

/// One message, as bytes.
pub fn one(message: &Message) -> Answers {
    vec![message.to_vec().unwrap()]
}
