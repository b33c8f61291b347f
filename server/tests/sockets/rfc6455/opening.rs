//! The opening handshake in pieces.

use tokio::io::AsyncWriteExt as _;

use super::Transport;
use crate::support::{Client, KEY, UPGRADE, VERSION, frame, request};

#[tokio::test]
async fn an_upgrade_request_may_come_octet_by_octet() {
    for transport in [Transport::Ws, Transport::Wss, Transport::WssInPieces] {
        let server = transport.start_server();
        let mut stream = transport.connect(&server).await;
        let request = request("GET", "/echo", &format!("{UPGRADE}{VERSION}{KEY}"));
        let (last, octets) = request.as_bytes().split_last().unwrap();
        for octet in octets {
            stream.write_all(&[*octet]).await.unwrap();
            stream.flush().await.unwrap();
            tokio::task::yield_now().await;
        }
        let mut client = Client::asked(stream, &[*last]).await;
        assert!(
            client.response.starts_with("HTTP/1.1 101"),
            "{}",
            client.response
        );
        client.send(&frame(0x82, b"hello")).await;
        let echo = client.next().await.unwrap();
        assert_eq!((echo.opcode, &echo.payload[..]), (2, &b"hello"[..]));
    }
}
