//! The bytes of a whole answer, sent by a loopback server to the real HTTP client: an error, or a body that was among the bytes.
#![no_main]

#[path = "../../untrusted/mod.rs"]
mod untrusted;

use libfuzzer_sys::fuzz_target;
use rebalancer::disk::SystemDisk;
use rebalancer::http::Http;
use rebalancer::log::Log;
use rebalancer::machine::Machine;
use rebalancer::wire::Internet;
use std::cell::RefCell;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener};
use std::sync::{LazyLock, Mutex};
use untrusted::Still;

/// Shorter than a line that the client gives up at: minreq 3.0.0 counts wrong, and panics, when a line that ends in a bare line feed
/// fills its limit of 8192 bytes to the last one.
const MOST_BYTES: usize = 4096;
/// What a body may have here.
const MOST_BODY_BYTES: usize = 1000;

static ANSWER: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// The server's address: every connection gets the answer, and then its end.
static SERVER: LazyLock<String> = LazyLock::new(|| {
    let listener = TcpListener::bind("127.0.0.1:0").expect("no port");
    let address = listener.local_addr().expect("no address");
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let mut request = Vec::new();
            let mut buffer = [0_u8; 1024];
            while !request.windows(4).any(|end| end == b"\r\n\r\n") {
                match stream.read(&mut buffer) {
                    Ok(count) if count > 0 => request.extend_from_slice(&buffer[..count]),
                    _ => break,
                }
            }
            let _ = stream.write_all(&ANSWER.lock().expect("the answer"));
            let _ = stream.shutdown(Shutdown::Write);
            // Closed by the client first, so that no port is left waiting.
            while stream.read(&mut buffer).is_ok_and(|count| count > 0) {}
        }
    });
    format!("http://{address}")
});

fuzz_target!(|data: &[u8]| {
    if data.len() > MOST_BYTES {
        return;
    }
    *ANSWER.lock().expect("the answer") = data.to_vec();
    let (clock, lines) = (Still::new(), RefCell::new(0));
    let sink = |_: &str| *lines.borrow_mut() += 1;
    let log = Log::new(&clock, 0, true, &sink);
    let machine = Machine { clock: &clock, disk: &SystemDisk, wire: &Internet };
    let mut http = Http::new(machine, &log, &SERVER);
    let Ok(reply) = http.send("public/x", None, (MOST_BODY_BYTES, 10)) else { return };
    assert!(!(300..400).contains(&reply.status), "a redirection was accepted");
    let Ok(body) = reply.body.text() else { return };
    assert!(body.len() <= MOST_BODY_BYTES);
    // In chunks its bytes are in order, but not in one piece.
    let mut rest = data.iter();
    assert!(body.bytes().all(|byte| rest.any(|other| *other == byte)), "a body of bytes that nobody sent");
});
