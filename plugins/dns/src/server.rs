//! The zone's primary server: signed questions and updates, over TCP.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use futures::future::{Either, select};
use hickory_net::runtime::{RuntimeProvider, TokioRuntimeProvider};
use hickory_net::tcp::TcpStream;
use hickory_net::xfer::DnsStreamHandle;
use hickory_net::{BufDnsStreamHandle, NetError};
use hickory_proto::op::{Message, MessageType, OpCode, Query, ResponseCode, SerialMessage};
use hickory_proto::rr::rdata::TXT;
use hickory_proto::rr::rdata::tsig::TsigError;
use hickory_proto::rr::{Name, RData, RecordType};
use wayside_bridge::{BridgeContext, Timestamp};

use crate::error::DnsError;
use crate::key::Key;
use crate::reader::shown;

/// The longest first wait for others who write the same: about as long as an update takes.
const ASIDE: Duration = Duration::from_millis(25);

/// A server and the key that it knows us by.
pub(crate) struct Server {
    at: SocketAddr,
    pub(crate) key: Key,
    context: BridgeContext,
    patience: Duration,
    /// How far its clock is ahead of ours, in seconds, once it said so.
    ahead: Mutex<i64>,
}

/// A connection to it, for one thing that is to be done.
pub(crate) struct Connection<'a> {
    server: &'a Server,
    stream: TcpStream<<TokioRuntimeProvider as RuntimeProvider>::Tcp>,
    handle: BufDnsStreamHandle,
}

/// An answer whose signature is right, or a refusal.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) message: Message,
    /// What the server says that the time is.
    pub(crate) time: Option<Timestamp>,
}

enum Once {
    Answer(Answer),
    /// Our clock was wrong; now we know.
    Again,
}

impl Server {
    pub(crate) fn new(at: SocketAddr, key: Key, context: BridgeContext, patience: Duration) -> Self {
        Self { at, key, context, patience, ahead: Mutex::new(0) }
    }

    /// The server, for a person.
    pub(crate) fn name(&self) -> String {
        format!("the server {}", self.at)
    }

    pub(crate) fn key_name(&self) -> String {
        self.key.signer.signer_name().to_ascii().trim_end_matches('.').to_owned()
    }

    pub(crate) async fn connect(&self) -> Result<Connection<'_>, DnsError> {
        let connect = TokioRuntimeProvider::default().connect_tcp(self.at, None, Some(self.patience));
        let connected = self.in_time(connect).await?.map_err(|error| self.lost(&NetError::from(error)))?;
        let (stream, handle) = TcpStream::from_stream(connected, self.at);
        Ok(Connection { server: self, stream, handle })
    }

    /// Waits for a random while, longer with each turn, so that those who stand in each other's way get out of it.
    pub(crate) async fn step_aside(&self, turn: u32) {
        let mut byte = [0];
        self.context.entropy.fill(&mut byte);
        let [share] = byte;
        let most = ASIDE.saturating_mul(1 << turn.min(5));
        self.context.clock.sleep(most.saturating_mul(share.into()) / 256).await;
    }

    async fn in_time<F: Future>(&self, future: F) -> Result<F::Output, DnsError> {
        match select(pin!(future), self.context.clock.sleep(self.patience)).await {
            Either::Left((output, _)) => Ok(output),
            Either::Right(_) => Err(DnsError::Silent(self.name())),
        }
    }

    fn lost(&self, error: &NetError) -> DnsError {
        match error {
            NetError::Timeout => DnsError::Silent(self.name()),
            other => DnsError::Unreachable { whom: self.name(), reason: shown(&other.to_string()) },
        }
    }

    fn garbled(&self, what: &'static str) -> DnsError {
        DnsError::Garbled { whom: self.name(), what }
    }

    /// The time by its clock, as far as we know it.
    fn time(&self) -> u64 {
        let ahead = *self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
        self.context.clock.now().as_secs().saturating_add_signed(ahead)
    }

    fn learn(&self, time: u64) {
        let ours = i64::try_from(self.context.clock.now().as_secs()).unwrap_or(i64::MAX);
        let ahead = i64::try_from(time).unwrap_or(i64::MAX).saturating_sub(ours);
        *self.ahead.lock().unwrap_or_else(PoisonError::into_inner) = ahead;
    }
}

impl Connection<'_> {
    /// The answer to a message, which is signed here.
    pub(crate) async fn exchange(&mut self, message: Message) -> Result<Answer, DnsError> {
        for _ in 0..2 {
            match self.exchange_once(message.clone()).await? {
                Once::Answer(answer) => return Ok(answer),
                Once::Again => {}
            }
        }
        Err(DnsError::BadTime { server: self.server.name() })
    }

    async fn exchange_once(&mut self, mut message: Message) -> Result<Once, DnsError> {
        let server = self.server;
        let mut id = [0; 2];
        server.context.entropy.fill(&mut id);
        message.metadata.id = u16::from_be_bytes(id);
        let (id, kind) = (message.id, message.op_code);
        let unsent = |_| server.garbled("a message that cannot be written");
        let verifier = message.finalize(&server.key.signer, server.time()).map_err(unsent)?;
        let bytes = message.to_vec().map_err(unsent)?;
        let sent = self.handle.send(SerialMessage::new(bytes, server.at));
        sent.map_err(|error| server.lost(&error))?;
        let received = match server.in_time(self.stream.next()).await? {
            Some(Ok(received)) => received,
            Some(Err(error)) => return Err(server.lost(&NetError::from(error))),
            None => {
                let reason = "it closes the connection".to_owned();
                return Err(DnsError::Unreachable { whom: server.name(), reason });
            }
        };
        let (raw, _) = received.into_parts();
        let answer = Message::from_vec(&raw).map_err(|_| server.garbled("no DNS message"))?;
        if answer.id != id || answer.message_type != MessageType::Response || answer.op_code != kind {
            return Err(server.garbled("an answer to something else"));
        }
        let signed = answer.signature().map(|record| record.data.clone());
        match signed.as_ref().and_then(|tsig| tsig.error) {
            Some(TsigError::BadKey) => {
                return Err(DnsError::BadKey { server: server.name(), key: server.key_name() });
            }
            Some(TsigError::BadSig) => {
                return Err(DnsError::BadSignature { server: server.name(), key: server.key_name() });
            }
            _ => {}
        }
        let right = verifier.is_some_and(|mut verifier| verifier.verify(&raw).is_ok());
        match signed {
            Some(tsig) if right && tsig.error == Some(TsigError::BadTime) => {
                // The server's time, in 48 bits (RFC 8945, section 5.2.3). The signature covers it, and our own that it answers.
                let mut time = [0; 8];
                if let (Some(low), Some(said)) = (time.last_chunk_mut::<6>(), tsig.other.first_chunk::<6>()) {
                    *low = *said;
                    server.learn(u64::from_be_bytes(time));
                }
                Ok(Once::Again)
            }
            Some(tsig) if right => {
                Ok(Once::Answer(Answer { message: answer, time: Some(Timestamp::from_secs(tsig.time)) }))
            }
            // Whoever refuses need not sign it. Against one in the middle there is nothing to lose by believing it.
            None if answer.response_code != ResponseCode::NoError => {
                Ok(Once::Answer(Answer { message: answer, time: None }))
            }
            _ => Err(server.garbled("an answer that the key did not sign")),
        }
    }

    /// Where the zone begins in which this name is.
    pub(crate) async fn apex(&mut self, name: &Name) -> Result<Name, DnsError> {
        let message = self.question(name, RecordType::SOA).await?;
        let soa = |record: &&hickory_proto::rr::Record| {
            matches!(record.data, RData::SOA(_)) && record.name.zone_of(name)
        };
        let found = message.answers.iter().chain(&message.authorities).find(soa);
        let none = || DnsError::NotAuthoritative {
            server: self.server.name(),
            zone: name.to_ascii().trim_end_matches('.').to_owned(),
        };
        found.map(|record| record.name.to_lowercase()).ok_or_else(none)
    }

    /// The texts that are under a name now.
    pub(crate) async fn texts(&mut self, name: &Name) -> Result<Vec<TXT>, DnsError> {
        let message = self.question(name, RecordType::TXT).await?;
        let texts = message.answers.into_iter().filter(|record| record.name == *name);
        Ok(texts
            .filter_map(|record| match record.data {
                RData::TXT(txt) => Some(txt),
                _ => None,
            })
            .collect())
    }

    async fn question(&mut self, name: &Name, kind: RecordType) -> Result<Message, DnsError> {
        let mut message = Message::new(0, MessageType::Query, OpCode::Query);
        message.metadata.recursion_desired = false;
        message.add_query(Query::query(name.clone(), kind));
        let asked = message.queries.clone();
        let answer = self.exchange(message).await?.message;
        let (server, whom) = (self.server, self.server.name());
        match answer.response_code {
            ResponseCode::NoError | ResponseCode::NXDomain if answer.queries == asked => Ok(answer),
            ResponseCode::Refused => Err(DnsError::NotForUs { whom }),
            ResponseCode::NotAuth => Err(DnsError::NotAuthoritative {
                server: whom,
                zone: name.to_ascii().trim_end_matches('.').to_owned(),
            }),
            ResponseCode::ServFail => Err(DnsError::Failing { whom }),
            _ => Err(server.garbled("an answer to another question")),
        }
    }
}
