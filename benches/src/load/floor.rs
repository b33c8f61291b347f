//! The floor: what the kernel itself costs. One thread writes a prebuilt frame to every socket sixty times a second, and reads
//! the inputs away. It decodes, encodes and decides nothing.

use super::stream::Stream;
use rustls::{Connection as Tls, ServerConfig, ServerConnection};
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

/// Runs until the process is stopped.
///
/// # Errors
/// If it cannot listen.
pub fn run(payload_bytes: usize, tls: Option<Arc<ServerConfig>>) -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("ready {} 0", listener.local_addr()?);
    let (sender, receiver) = channel();
    std::thread::spawn(move || accept(&listener, tls.as_ref(), &sender));
    tick(&frame(payload_bytes), &receiver);
    Ok(())
}

/// A binary frame that looks like a snapshot of the next tick.
fn frame(payload_bytes: usize) -> Vec<u8> {
    let payload_bytes = payload_bytes.max(8);
    let mut payload = vec![0x0a];
    prost::encoding::encode_varint((payload_bytes - 4) as u64, &mut payload);
    payload.push(15 << 3 | 2);
    payload.resize(payload_bytes, 0);
    let mut frame = vec![0x82];
    if payload_bytes < 126 {
        frame.push(payload_bytes as u8);
    } else {
        frame.push(126);
        frame.extend_from_slice(&(payload_bytes as u16).to_be_bytes());
    }
    frame.extend_from_slice(&payload);
    frame
}

fn accept(
    listener: &TcpListener,
    tls: Option<&Arc<ServerConfig>>,
    accepted: &mpsc::Sender<Stream>,
) {
    for socket in listener.incoming().flatten() {
        if let Ok(stream) = upgrade(socket, tls)
            && accepted.send(stream).is_err()
        {
            return;
        }
    }
}

fn upgrade(mut socket: TcpStream, tls: Option<&Arc<ServerConfig>>) -> io::Result<Stream> {
    let tls = match tls {
        Some(config) => {
            let mut tls = ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
            answer(&mut rustls::Stream::new(&mut tls, &mut socket))?;
            Some(Tls::Server(tls))
        }
        None => {
            answer(&mut socket)?;
            None
        }
    };
    Stream::new(socket, tls)
}

/// Reads the head of an upgrade request, and answers that the protocol is switched.
fn answer(stream: &mut (impl Read + Write)) -> io::Result<()> {
    let mut head = Vec::new();
    let mut buffer = [0; 1024];
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut buffer)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => head.extend_from_slice(&buffer[..read]),
        }
    }
    stream.write_all(
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n",
    )?;
    stream.flush()
}

fn tick(frame: &[u8], accepted: &Receiver<Stream>) {
    let (mut wire, mut plain) = (vec![0; 16 * 1024], Vec::new());
    let mut streams: Vec<Stream> = Vec::new();
    let began = Instant::now();
    for tick in 1_u32.. {
        let due = began + Duration::from_nanos(u64::from(tick) * 1_000_000_000 / 60);
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        streams.extend(accepted.try_iter());
        streams.retain_mut(|stream| stream.write(frame).is_ok());
        streams.retain_mut(|stream| stream.read(&mut wire, &mut plain).is_ok());
    }
}
