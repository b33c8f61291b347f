//! How the two ends of a link prove to each other that they belong to one cluster.
//!
//! Each side sends its node id and HMAC-SHA256(secret, role, node id, channel), where the channel is keying material that TLS exports
//! (RFC 5705, RFC 8446 section 7.5): whoever sits between two channels has two others. The role keeps an end from being shown its own
//! proof. Nothing that a side sends depends on what it received, so both send at once.

use super::LinkError;
use crate::node::NodeId;
use ring::hmac;
use rustls::Error as TlsError;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// Label of the exported keying material.
pub(super) const EXPORTER_LABEL: &[u8] = b"EXPORTER-tickwire-link";
const PROOF_BYTES: usize = 32;
/// The longest id of a node, in bytes.
const MAX_ID_BYTES: usize = 512;

/// Keying material that both ends of one TLS connection have, and nobody else.
pub(super) type Channel = [u8; 32];

/// The secret that all nodes of a cluster share.
pub type Secret = [u8; 32];

/// Which end of the connection a node is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Role {
    Dialer,
    Listener,
}

impl Role {
    fn other(self) -> Self {
        match self {
            Self::Dialer => Self::Listener,
            Self::Listener => Self::Dialer,
        }
    }

    fn byte(self) -> u8 {
        match self {
            Self::Dialer => 1,
            Self::Listener => 2,
        }
    }
}

/// What the end with this role and id proves that it knows the secret with.
fn proven(role: Role, id: &[u8], channel: &Channel) -> Vec<u8> {
    let mut message = vec![role.byte()];
    message.extend_from_slice(&(id.len() as u64).to_be_bytes());
    message.extend_from_slice(id);
    message.extend_from_slice(channel);
    message
}

/// Proves this end, and returns the node at the other.
///
/// # Errors
/// If the other end does not prove that it knows the secret, or the connection ends.
pub(super) async fn prove(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    role: Role,
    me: &NodeId,
    secret: &Secret,
    channel: &Channel,
) -> Result<NodeId, LinkError> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    let id = me.as_str().as_bytes();
    let len = u16::try_from(id.len())
        .ok()
        .filter(|&len| usize::from(len) <= MAX_ID_BYTES);
    let mut hello = len.ok_or(LinkError::LongId)?.to_be_bytes().to_vec();
    hello.extend_from_slice(id);
    hello.extend_from_slice(hmac::sign(&key, &proven(role, id, channel)).as_ref());
    stream.write_all(&hello).await?;
    stream.flush().await?;

    let len = usize::from(stream.read_u16().await?);
    if len > MAX_ID_BYTES {
        return Err(LinkError::Stranger);
    }
    let mut id = vec![0; len];
    stream.read_exact(&mut id).await?;
    let mut proof = [0; PROOF_BYTES];
    stream.read_exact(&mut proof).await?;
    // In constant time.
    hmac::verify(&key, &proven(role.other(), &id, channel), &proof)
        .map_err(|_| LinkError::Stranger)?;
    let id = std::str::from_utf8(&id).map_err(|_| LinkError::Stranger)?;
    Ok(NodeId::from_text(id))
}

/// The channel of a TLS connection whose handshake is done.
pub(super) fn channel(
    connection: &tokio_rustls::TlsStream<tokio::net::TcpStream>,
) -> Result<Channel, TlsError> {
    let mut channel = [0; 32];
    match connection {
        tokio_rustls::TlsStream::Client(stream) => {
            stream
                .get_ref()
                .1
                .export_keying_material(&mut channel, EXPORTER_LABEL, None)?
        }
        tokio_rustls::TlsStream::Server(stream) => {
            stream
                .get_ref()
                .1
                .export_keying_material(&mut channel, EXPORTER_LABEL, None)?
        }
    };
    Ok(channel)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn meet(
        secrets: [Secret; 2],
        channels: [Channel; 2],
        roles: [Role; 2],
    ) -> [Result<NodeId, LinkError>; 2] {
        let (mut a, mut b) = tokio::io::duplex(1024);
        let ids = [NodeId::new("a", 1), NodeId::new("b", 2)];
        let (at_a, at_b) = tokio::join!(
            prove(&mut a, roles[0], &ids[0], &secrets[0], &channels[0]),
            prove(&mut b, roles[1], &ids[1], &secrets[1], &channels[1]),
        );
        [at_a, at_b]
    }

    const ROLES: [Role; 2] = [Role::Dialer, Role::Listener];

    #[tokio::test]
    async fn two_nodes_of_a_cluster_know_each_other() {
        let [at_a, at_b] = meet([[1; 32]; 2], [[2; 32]; 2], ROLES).await;
        assert_eq!(at_a.expect("b"), NodeId::new("b", 2));
        assert_eq!(at_b.expect("a"), NodeId::new("a", 1));
    }

    #[tokio::test]
    async fn nobody_is_known_by_another_secret_channel_or_role() {
        for (secrets, channels, roles) in [
            ([[1; 32], [2; 32]], [[2; 32]; 2], ROLES),
            ([[1; 32]; 2], [[2; 32], [3; 32]], ROLES),
            ([[1; 32]; 2], [[2; 32]; 2], [Role::Dialer, Role::Dialer]),
        ] {
            for result in meet(secrets, channels, roles).await {
                assert!(matches!(result, Err(LinkError::Stranger)), "{result:?}");
            }
        }
    }

    #[tokio::test]
    async fn a_proof_that_is_sent_back_proves_nothing() {
        let (mut a, mut b) = tokio::io::duplex(1024);
        let echo = async {
            let mut bytes = [0; 1024];
            let len = b.read(&mut bytes).await.expect("the proof");
            b.write_all(&bytes[..len]).await.expect("sent back");
        };
        let id = NodeId::new("a", 1);
        let (result, ()) = tokio::join!(prove(&mut a, Role::Dialer, &id, &[1; 32], &[2; 32]), echo);
        assert!(matches!(result, Err(LinkError::Stranger)));
    }
}
