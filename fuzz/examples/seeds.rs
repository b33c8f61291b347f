//! Writes seeds for the corpora: real messages, requests, tickets and modules.
//!
//! `cargo run -p tickwire-fuzz --example seeds -- FOLDER [MODULE.wasm..]` writes `FOLDER/TARGET/NAME`. `fuzz/run.sh --merge FOLDER`
//! takes those into the corpora that reach anything new. Modules are such as `rules.wasm` in the build folder of a game.

use prost::Message as _;
use std::error::Error;
use std::path::{Path, PathBuf};
use tickwire_fuzz::{messages, recording, vectors};
use tickwire_proto::v1::{self, client_message, server_message::Body};
use tickwire_sync::encode::packed::Codebooks;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let folder = arguments.next().ok_or("which folder?")?;
    let text = include_str!("../../rules-wasm/tests/walker.wat");
    let walker = wat::parse_str(text)?;
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    std::fs::write(own.join("walker.wasm"), &walker)?;
    let mut seeds = Seeds { folder };
    frames(&mut seeds)?;
    requests(&mut seeds)?;
    for (number, message) in client_messages().enumerate() {
        seeds.add("client_message", number, &message)?;
    }
    sessions(&mut seeds)?;
    for (target, is_packed) in [("replica_packed", true), ("replica_plain", false)] {
        for (number, case) in vectors::cases(is_packed).iter().enumerate() {
            seeds.add(target, number, &messages::join(case))?;
        }
    }
    codebooks(&mut seeds)?;
    tickets(&mut seeds)?;
    let (file, chunk) = recording::sample();
    seeds.add("recording", 0, &[&[0], &file[..]].concat())?;
    seeds.add("recording", 1, &[&[1], &chunk[..]].concat())?;
    let mut modules = vec![walker];
    for path in arguments {
        modules.push(std::fs::read(path)?);
    }
    for (number, module) in modules.iter().enumerate() {
        seeds.add("rules_module", number, &[&[0], &module[..]].concat())?;
    }
    // The walker's own code, and code that loops, recurses, grows the memory, and traps.
    let bodies = [
        "(param i32 i32 i32 i32 i32 i32 i32) (i32.store (i32.const 65536) (local.get 1))",
        "(param i32 i32 i32 i32 i32 i32 i32) (loop $again (br $again))",
        "(param i32 i32 i32 i32 i32 i32 i32) (drop (memory.grow (i32.const 9))) (memory.fill (i32.const 0) (i32.const 1) (memory.size))",
        "(param i32 i32 i32 i32 i32 i32 i32) (f64.store (i32.const 65536) (f64.div (f64.const 1) (f64.const 0))) unreachable",
        "(param i32 i32 i32 i32 i32 i32 i32) (i64.store (i32.const 65536) (i64.rem_s (i64.load (i32.const 65536)) (i64.const 7)))",
    ];
    for (number, body) in bodies.iter().enumerate() {
        let module = wat::parse_str(format!("(module (memory 1) (func {body}))"))?;
        // The code section comes last: its number, its size, one body, its size.
        let at = module
            .windows(2)
            .rposition(|pair| pair[0] == 10 && usize::from(pair[1]) < 128);
        let body = &module[at.ok_or("there is no code")? + 4..];
        seeds.add("rules_module", 100 + number, &[&[1], body].concat())?;
    }
    Ok(())
}

struct Seeds {
    folder: PathBuf,
}

impl Seeds {
    fn add(&mut self, target: &str, number: usize, input: &[u8]) -> std::io::Result<()> {
        let folder = self.folder.join(target);
        std::fs::create_dir_all(&folder)?;
        std::fs::write(folder.join(format!("seed-{number:03}")), input)
    }
}

fn client_messages() -> impl Iterator<Item = Vec<u8>> {
    let listed = vectors::VECTORS["client_messages"].as_array();
    listed
        .into_iter()
        .flatten()
        .map(|message| vectors::bytes_of(&message["hex"]))
}

/// Sessions of two clients: they join, walk, chat, break off, resume and leave.
fn sessions(seeds: &mut Seeds) -> std::io::Result<()> {
    use client_message::Body;
    let say = |action: u8, body: Body| {
        let message = v1::ClientMessage { body: Some(body) };
        [&[action], &message.encode_to_vec()[..]].concat()
    };
    let hello = |encoding: v1::Encoding, resume_token: &[u8]| {
        Body::Hello(v1::Hello {
            version: tickwire_proto::VERSION,
            name: "Ada".to_owned(),
            encoding: encoding.into(),
            resume_token: resume_token.to_vec(),
            cell_parts: true,
            map_parts: true,
            ..v1::Hello::default()
        })
    };
    let inputs = |seq: u32| {
        Body::Inputs(v1::Inputs {
            seq,
            target_tick: seq + 3,
            received_tick: seq,
            received_at_us: 16_000 * seq,
            view_tick: seq.saturating_sub(3),
            view_fraction: 128,
            payload: vec![9, 0xF3],
        })
    };
    for (number, encoding) in [v1::Encoding::Packed, v1::Encoding::Plain]
        .into_iter()
        .enumerate()
    {
        let chat = Body::Chat(v1::Chat {
            text: "hello \u{202e} there".to_owned(),
        });
        let command = Body::Command(v1::Command {
            number: 1,
            payload: b"ring".to_vec(),
        });
        let resync = Body::Resync(v1::Resync {
            view_mismatch: true,
            tick: 2,
        });
        let leave = Body::Leave(v1::Leave { grace_ms: 50 });
        let mut session = vec![
            say(8, hello(encoding, b"")),
            say(25, hello(v1::Encoding::Unspecified, b"")),
        ];
        session.extend((1..6).map(|seq| say(24 | seq as u8 & 1, inputs(seq))));
        session.extend([
            say(8, chat),
            say(9, command),
            say(28, resync),
            say(60, inputs(6)),
        ]);
        session.extend([
            say(26, hello(encoding, b"mine")),
            say(8, inputs(9)),
            say(25, leave),
        ]);
        seeds.add("room", number, &messages::join(&session))?;
        seeds.add(
            "saved_room",
            number,
            &tickwire_fuzz::room::state_after(&messages::join(&session)),
        )?;
    }
    Ok(())
}

/// A masked frame; `first` is its first byte.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        short @ 0..126 => bytes.push(0x80 | short as u8),
        long => {
            bytes.push(0x80 | 126);
            bytes.extend_from_slice(&(long as u16).to_be_bytes());
        }
    }
    let mask = [9, 8, 7, 6];
    bytes.extend_from_slice(&mask);
    bytes.extend(
        payload
            .iter()
            .zip(mask.iter().cycle())
            .map(|(byte, mask)| byte ^ mask),
    );
    bytes
}

fn frames(seeds: &mut Seeds) -> std::io::Result<()> {
    let messages: Vec<u8> = client_messages()
        .flat_map(|one| frame(0x82, &one))
        .collect();
    let long = frame(0x82, &[7; 300]);
    let fragments = [
        frame(0x01, "Zo\u{eb}".as_bytes()),
        frame(0x89, b"ping"),
        frame(0x80, b"!"),
    ];
    let controls = [frame(0x8A, b"pong"), frame(0x88, b"\x03\xE8bye")];
    let lengths = [
        &[0x82, 0xFF, 0, 0, 0, 0, 0, 1, 0, 0, 1, 2, 3, 4][..],
        &[5; 40],
    ];
    let streams = [
        messages,
        long,
        fragments.concat(),
        controls.concat(),
        lengths.concat(),
        frame(0x81, &[0xF0, 0x90, 0x80]),
        vec![0x82, 0x05, 1, 2, 3],
    ];
    for (number, stream) in streams.iter().enumerate() {
        for flags in [2_u8, 7] {
            let input = [&[flags, 3, number as u8], &stream[..]].concat();
            seeds.add("frame_decoder", 10 * usize::from(flags) + number, &input)?;
        }
    }
    Ok(())
}

fn requests(seeds: &mut Seeds) -> std::io::Result<()> {
    const HANDSHAKE: &str = "Upgrade: websocket\nConnection: keep-alive, Upgrade\nSec-WebSocket-Version: 13\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\n";
    let requests = [
        format!("GET /ws?room=lobby HTTP/1.1\nHost: localhost:7777\n{HANDSHAKE}Sec-WebSocket-Protocol: tickwire.v1\n\n"),
        format!("GET /ws HTTP/1.1\nHost: game.example\nOrigin: https://game.example\n{HANDSHAKE}\n"),
        format!("GET /echo HTTP/1.1\nHost: localhost\nOrigin: http://localhost:80\nX-Forwarded-For: 10.1.2.3, 192.0.2.9\n{HANDSHAKE}\n"),
        format!("GET /ws HTTP/1.1\nHost: localhost\nOrigin: https://evil.example\n{HANDSHAKE}\n"),
        format!("GET /ws HTTP/1.0\nHost: localhost\n{HANDSHAKE}Content-Length: 3\n\nabc"),
        format!("GET /ws HTTP/1.1\nHost: [::1]:7777\nSec-WebSocket-Protocol: chat, tickwire.v2\n{HANDSHAKE}\n"),
        "GET / HTTP/1.1\nHost: localhost\nAccept-Encoding: gzip\n\nGET /rooms/lobby/state HTTP/1.1\nHost: localhost\n\n".to_owned(),
        "HEAD /rooms?limit=1&after=den&tag.mode=duel HTTP/1.1\nHost: localhost\n\n".to_owned(),
        "POST /match HTTP/1.1\nHost: localhost\nContent-Type: application/json\nContent-Length: 59\n\n{\"mode\": \"create\", \"tags\": {\"level\": 3}, \"private\": true   }".to_owned(),
        "POST /match HTTP/1.1\nHost: localhost\nOrigin: https://game.example\nTransfer-Encoding: chunked\n\n2\n{}\n0\n\n".to_owned(),
        "OPTIONS /match HTTP/1.1\nHost: localhost\nOrigin: https://game.example\nAccess-Control-Request-Method: POST\n\n".to_owned(),
        "GET /rules/5fd6e9ac2c0e3e5b.wasm HTTP/1.1\nHost: localhost\nIf-None-Match: \"x\"\n\n".to_owned(),
        "GET /sdk/tickwire.js HTTP/1.1\nHost: localhost\nRange: bytes=0-9\n\n".to_owned(),
        "PUT /%2e%2e/%00 HTTP/1.1\nHost: a\nHost: b\nExpect: 100-continue\n\n".to_owned(),
    ];
    for (number, request) in requests.iter().enumerate() {
        seeds.add("http_upgrade", number, request.as_bytes())?;
    }
    Ok(())
}

fn codebooks(seeds: &mut Seeds) -> std::io::Result<()> {
    let encode = |body| v1::ServerMessage { body: Some(body) }.encode_to_vec();
    let whole = Codebooks::initial(&vectors::SCHEMA).to_proto();
    let unchanged = v1::Codebooks {
        usual_lanes: whole.usual_lanes.clone(),
        ..v1::Codebooks::default()
    };
    let one = v1::Codebooks {
        code_lengths: whole.code_lengths[..22].to_vec(),
        changed: vec![3],
        ..unchanged.clone()
    };
    let [whole, unchanged, one] =
        [whole, unchanged, one].map(|update| encode(Body::Codebooks(update)));
    seeds.add("codebooks", 100, &messages::join(&[unchanged, one.clone()]))?;
    for (number, case) in vectors::cases(true).iter().enumerate() {
        let is_codebooks = |message: &[u8]| {
            let decoded = v1::ServerMessage::decode(message).ok();
            matches!(
                decoded.and_then(|message| message.body),
                Some(Body::Codebooks(_))
            )
        };
        if case.iter().any(|message| is_codebooks(message)) {
            seeds.add("codebooks", number, &messages::join(case))?;
        }
        if number < 2 {
            let mut case = case.clone();
            case.insert(1, one.clone());
            case.insert(0, whole.clone());
            seeds.add("codebooks", 200 + number, &messages::join(&case))?;
        }
    }
    Ok(())
}

fn tickets(seeds: &mut Seeds) -> std::io::Result<()> {
    let jwt = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    let inputs = [
        format!("\0{jwt}"),
        "\0..".to_owned(),
        "\u{1}{\"alg\":\"HS256\",\"typ\":\"JWT\"}\n{\"sub\":\"7\",\"name\":\"Ada\",\"exp\":4000000000}".to_owned(),
        "\u{1}{\"alg\":\"HS256\"}\n{\"sub\":\"7\",\"exp\":4e9,\"nbf\":1.5,\"room\":\"main\"}\nAx".to_owned(),
        "\u{1}{\"alg\":\"none\",\"crit\":[\"exp\"]}\n{\"sub\":\"\",\"exp\":-1,\"room\":\"vip\"}".to_owned(),
        "\u{1}{\"alg\":\"HS256\",\"crit\":null}\n{\"sub\":\"7\",\"sub\":\"8\",\"exp\":\"soon\",\"name\":null}".to_owned(),
        "\u{1}[\"HS256\"]\n[\"7\",4000000000]".to_owned(),
        "\u{2}ada\nAda \u{1F680}".to_owned(),
        "\u{3}\"\\".to_owned(),
    ];
    for (number, input) in inputs.iter().enumerate() {
        seeds.add("tickets", number, input.as_bytes())?;
    }
    Ok(())
}
