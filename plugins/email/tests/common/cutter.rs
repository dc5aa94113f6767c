//! A connection in between that ends after so many lines.

use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// Hands everything on to a port, in the clear, until the client has sent so many lines on a connection.
pub struct Cutter {
    pub port: u16,
    /// After how many lines of the client; 0 is never.
    pub after: Arc<AtomicUsize>,
    /// How many lines came on the longest connection.
    pub longest: Arc<AtomicUsize>,
    /// What the client said on each connection.
    pub said: Arc<Mutex<Vec<String>>>,
}

impl Cutter {
    pub fn start(to: u16) -> Self {
        Self::start_at("127.0.0.1", to)
    }

    pub fn start_at(host: &'static str, to: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (after, longest) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let said = Arc::new(Mutex::new(Vec::new()));
        let (limit, count, all) = (Arc::clone(&after), Arc::clone(&longest), Arc::clone(&said));
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect((host, to)) else { continue };
                let (limit, count) = (limit.load(Ordering::SeqCst), Arc::clone(&count));
                let (all, number) = (Arc::clone(&all), {
                    let mut all = all.lock().unwrap();
                    all.push(String::new());
                    all.len() - 1
                });
                std::thread::spawn(move || {
                    hand_on(client, server, limit, &count, |line| all.lock().unwrap()[number].push_str(line));
                });
            }
        });
        Self { port, after, longest, said }
    }
}

fn hand_on(client: TcpStream, server: TcpStream, limit: usize, longest: &AtomicUsize, said: impl Fn(&str)) {
    let (mut back, mut from_server) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut from_server, &mut back);
        let _ = back.shutdown(Shutdown::Both);
    });
    let mut lines = 0;
    let mut to_server = server.try_clone().unwrap();
    let mut reader = BufReader::new(&client);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
        lines += 1;
        said(&String::from_utf8_lossy(&line));
        longest.fetch_max(lines, Ordering::SeqCst);
        if lines == limit || to_server.write_all(&line).is_err() {
            break;
        }
        line.clear();
    }
    let _ = client.shutdown(Shutdown::Both);
    let _ = server.shutdown(Shutdown::Both);
}
