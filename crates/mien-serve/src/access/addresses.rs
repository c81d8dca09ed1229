//! The addresses of this machine, which can change while the server runs: a laptop moves to another network.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Least time between two queries of the system: anybody can send a request that names a foreign address.
const ASK_INTERVAL: Duration = Duration::from_secs(1);

/// The machine's addresses, for a server that listens on all of them.
pub(super) struct Addresses {
    /// Returns the current ones.
    ask: Box<dyn Fn() -> Vec<IpAddr> + Send + Sync>,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    addresses: Vec<IpAddr>,
    asked_at: Option<Instant>,
}

impl Addresses {
    pub fn new(ask: impl Fn() -> Vec<IpAddr> + Send + Sync + 'static) -> Self {
        Self { ask: Box::new(ask), known: Mutex::default() }
    }

    /// Whether this is one of them. Accepting a literal address is safe from DNS rebinding, which needs a name.
    pub fn hold(&self, address: IpAddr, now: Instant) -> bool {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = known.asked_at.is_none_or(|at| now.saturating_duration_since(at) >= ASK_INTERVAL);
        if !known.addresses.contains(&address) && is_due {
            *known = Known { addresses: (self.ask)(), asked_at: Some(now) };
        }
        known.addresses.contains(&address)
    }
}

/// Parses a value of `Host` that is an address: `192.0.2.7:7878` or `[2001:db8::7]:7878`, or without a port, which then is `usual_port`.
/// `None` for a name.
pub(super) fn literal(host: &str, usual_port: u16) -> Option<(IpAddr, u16)> {
    if let Ok(address) = host.parse::<SocketAddr>() {
        return Some((address.ip(), address.port()));
    }
    let address = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(inside) => IpAddr::V6(inside.parse().ok()?),
        None => IpAddr::V4(host.parse().ok()?),
    };
    Some((address, usual_port))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_host_is_an_address_with_a_port_or_none() {
        let seven: IpAddr = "192.0.2.7".parse().unwrap();
        let in_six: IpAddr = "2001:db8::7".parse().unwrap();
        assert_eq!(literal("192.0.2.7:7878", 80), Some((seven, 7878)));
        assert_eq!(literal("192.0.2.7", 443), Some((seven, 443)));
        assert_eq!(literal("[2001:db8::7]:7878", 80), Some((in_six, 7878)));
        assert_eq!(literal("[2001:db8::7]", 80), Some((in_six, 80)));
        for name in ["", "cam.example", "2001:db8::7", "192.0.2.7:", "192.0.2.7.evil.example:7878", "[192.0.2.7]"] {
            assert_eq!(literal(name, 80), None, "{name}");
        }
    }

    #[test]
    fn a_new_network_is_noticed_and_the_system_is_asked_once_a_second() {
        let [old, new, foreign] = ["192.0.2.7", "198.51.100.7", "203.0.113.9"].map(|ip| ip.parse::<IpAddr>().unwrap());
        let now_has = Arc::new(Mutex::new((vec![old], 0)));
        let asked = Arc::clone(&now_has);
        let addresses = Addresses::new(move || {
            let mut asked = asked.lock().unwrap();
            asked.1 += 1;
            asked.0.clone()
        });
        let times = || now_has.lock().unwrap().1;
        let now = Instant::now();
        assert!(addresses.hold(old, now) && !addresses.hold(foreign, now) && times() == 1);
        now_has.lock().unwrap().0 = vec![new];
        assert!(!addresses.hold(new, now) && times() == 1);
        assert!(addresses.hold(new, now + ASK_INTERVAL) && times() == 2);
        // A known address needs no query, and one that is gone is dropped.
        assert!(addresses.hold(new, now + 5 * ASK_INTERVAL) && times() == 2);
        assert!(!addresses.hold(old, now + 6 * ASK_INTERVAL) && times() == 3);
    }
}
