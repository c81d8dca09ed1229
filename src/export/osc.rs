//! Live results as Open Sound Control over UDP, for music, light and game programs.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs as _, UdpSocket};
use std::str::FromStr;
use std::sync::Arc;

use rosc::{OscBundle, OscMessage, OscPacket, OscTime, OscType, encoder};

use crate::classes::Classes;
use crate::face::Face;
use crate::frame::Frame;
use crate::pipeline::{Scene, Tap};
use crate::verdict::Verdict;

/// A time tag that means "now" (OSC 1.0).
const IMMEDIATELY: OscTime = OscTime { seconds: 0, fractional: 1 };

/// Why OSC can't be sent.
#[derive(Debug, thiserror::Error)]
pub enum OscError {
    /// The text isn't an address.
    #[error("“{0}” is not an address that can be found; write HOST:PORT, such as 127.0.0.1:9000")]
    Address(String),
    /// No socket can be opened.
    #[error("can't send OSC to {address}: {reason}")]
    Socket {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        reason: io::Error,
    },
}

/// Sends each frame's faces to one receiver. If nobody receives them, packets are lost, as is usual with UDP.
///
/// Each frame sends `/mien/faces COUNT`, and a bundle for each face N: `/mien/face/N/angry` … `/mien/face/N/neutral` (or custom classes,
/// named by [`Classes::columns`]) with the smoothed probabilities, `/mien/face/N/label` with the leading class, `/mien/face/N/verdict`
/// with the same or `unsure`, and `/mien/face/N/box x y width height` as shares of the picture. When no frame comes any more,
/// `/mien/faces 0` follows, so that receivers don't show the last faces for ever.
#[derive(Clone, Debug)]
pub struct OscOutput {
    /// Not connected, because a connected socket is useless once this machine's address changes.
    socket: Arc<UdpSocket>,
    receiver: SocketAddr,
}

impl FromStr for OscOutput {
    type Err = OscError;

    /// `HOST:PORT`.
    fn from_str(word: &str) -> Result<Self, OscError> {
        let no_address = || OscError::Address(word.to_owned());
        let addresses: Vec<_> = word.to_socket_addrs().map_err(|_unresolved| no_address())?.collect();
        // Most OSC programs listen on IPv4 only, even if `localhost` resolves to ::1 first.
        let ipv4 = addresses.iter().find(|address| address.is_ipv4());
        let address = *ipv4.or(addresses.first()).ok_or_else(no_address)?;
        let failed = |reason| OscError::Socket { address, reason };
        let own = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
        let socket = UdpSocket::bind(own).map_err(failed)?;
        // The receiver may be a broadcast address.
        socket.set_broadcast(true).and_then(|()| socket.set_nonblocking(true)).map_err(failed)?;
        Ok(Self { socket: Arc::new(socket), receiver: address })
    }
}

/// Nothing here blocks: packets that the system has no room for are lost.
impl Tap for OscOutput {
    /// Faces come with the labelled scene.
    fn captured(&self, _frame: &Frame) {}

    fn labelled(&self, scene: &Scene) {
        self.send_count(scene.faces.len());
        let (width, height) = (scene.frame.width() as f32, scene.frame.height() as f32);
        for face in &scene.faces {
            self.send(&OscPacket::Bundle(OscBundle {
                timetag: IMMEDIATELY,
                content: of_face(face, &scene.classes, width, height),
            }));
        }
    }

    fn stands_still(&self) {
        self.send_count(0);
    }
}

impl OscOutput {
    fn send_count(&self, faces: usize) {
        let faces = i32::try_from(faces).unwrap_or(i32::MAX);
        self.send(&message("/mien/faces".to_owned(), OscType::Int(faces)));
    }

    fn send(&self, packet: &OscPacket) {
        let sent = encoder::encode(packet).map(|bytes| self.socket.send_to(&bytes, self.receiver));
        // The next frame tries again; that the network isn't up yet is no error.
        if let Ok(Err(error)) = sent {
            tracing::debug!("OSC isn't taken: {error}");
        }
    }
}

fn message(addr: String, value: OscType) -> OscPacket {
    OscPacket::Message(OscMessage { addr, args: vec![value] })
}

fn of_face(face: &Face, classes: &Classes, width: f32, height: f32) -> Vec<OscPacket> {
    let path = |what: &str| format!("/mien/face/{}/{what}", face.id.0);
    let probabilities =
        classes.columns().zip(face.smoothed.as_slice()).map(|(class, p)| message(path(class), OscType::Float(*p)));
    let word = |what: &str, word: &str| message(path(what), OscType::String(word.to_owned()));
    let rect = face.rect;
    let args = [rect.x / width, rect.y / height, rect.width / width, rect.height / height].map(OscType::Float).to_vec();
    let words = [word("label", classes.key(face.smoothed.top().0)), word("verdict", Verdict::of(face).key(classes))];
    probabilities.chain(words).chain([OscPacket::Message(OscMessage { addr: path("box"), args })]).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rosc::decoder;

    use super::*;
    use crate::emotion::Emotion;
    use crate::export::testing::scene;
    use crate::probabilities::Probabilities;

    #[test]
    fn a_receiver_gets_each_face_with_its_seven_probabilities_and_its_label_and_is_told_when_nobody_is_seen_any_more() {
        let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
        receiver.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let output: OscOutput = receiver.local_addr().unwrap().to_string().parse().unwrap();
        output.labelled(&scene(0, Emotion::Happy));
        let next = || {
            let mut bytes = [0; 2048];
            let length = receiver.recv(&mut bytes).unwrap();
            decoder::decode_udp(&bytes[..length]).unwrap().1
        };
        assert_eq!(next(), message("/mien/faces".to_owned(), OscType::Int(1)));
        let OscPacket::Bundle(bundle) = next() else { panic!("a face comes as a bundle") };
        let value = |path: &str| {
            let found = bundle.content.iter().find_map(|packet| match packet {
                OscPacket::Message(message) if message.addr == path => Some(message.args.clone()),
                _ => None,
            });
            found.unwrap_or_else(|| panic!("no {path}"))
        };
        assert_eq!(value("/mien/face/1/label"), [OscType::String("happy".to_owned())]);
        assert_eq!(value("/mien/face/1/verdict"), [OscType::String("happy".to_owned())]);
        let [OscType::Float(happy)] = value("/mien/face/1/happy")[..] else { panic!("a number") };
        assert!((happy - 2.0 / 2.6).abs() < 1e-5);
        assert_eq!(value("/mien/face/1/box").len(), 4);
        assert_eq!(bundle.content.len(), 10);

        output.stands_still();
        assert_eq!(next(), message("/mien/faces".to_owned(), OscType::Int(0)));
    }

    #[test]
    fn a_receiver_in_a_network_that_is_not_there_yet_is_no_fault_and_the_socket_is_tied_to_no_address() {
        // An address reserved for examples, which no network has.
        let output: OscOutput = "192.0.2.1:9000".parse().unwrap();
        assert!(output.socket.peer_addr().is_err());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn all_machines_of_a_network_can_be_the_receiver() {
        let receiver = UdpSocket::bind("0.0.0.0:0").unwrap();
        receiver.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let port = receiver.local_addr().unwrap().port();
        let output: OscOutput = format!("127.255.255.255:{port}").parse().unwrap();
        output.stands_still();
        let mut bytes = [0; 64];
        let length = receiver.recv(&mut bytes).unwrap();
        let nobody = message("/mien/faces".to_owned(), OscType::Int(0));
        assert_eq!(decoder::decode_udp(&bytes[..length]).unwrap().1, nobody);
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for word in ["", "9000", "localhost", "localhost:many"] {
            assert!(matches!(word.parse::<OscOutput>(), Err(OscError::Address(_))), "{word}");
        }
    }

    #[test]
    fn own_classes_have_addresses_that_osc_allows_and_that_nothing_else_has() {
        let classes = Classes::new(["wide awake", "a/b #1", "faces"].map(str::to_owned).into()).unwrap();
        let smoothed = Probabilities::from_weights(&[6.0, 3.0, 1.0]).unwrap();
        let face = Face { raw: smoothed, smoothed, ..scene(0, Emotion::Happy).faces[0] };
        let packets = of_face(&face, &classes, 320.0, 240.0);
        let addresses: Vec<_> = packets
            .iter()
            .map(|packet| match packet {
                OscPacket::Message(message) => message.addr.clone(),
                OscPacket::Bundle(_) => panic!("a message"),
            })
            .collect();
        let wanted = ["wide_awake", "a_b__1", "faces", "label", "verdict", "box"];
        assert_eq!(addresses, wanted.map(|name| format!("/mien/face/1/{name}")));
        assert!(packets.iter().all(|packet| encoder::encode(packet).is_ok()));
    }
}
