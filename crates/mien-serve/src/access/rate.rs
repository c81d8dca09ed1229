//! Rate limits for each address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::limits::{REQUESTS_AT_ONCE, REQUESTS_PER_SECOND};

/// Most addresses to remember. New ones beyond that are probably an attack and share one bucket.
const MOST_ADDRESSES: usize = 4096;

/// A token bucket: it limits the average rate and the size of a burst.
#[derive(Clone, Copy, Debug)]
pub struct Bucket {
    left: f64,
    at: Instant,
    per_second: f64,
    at_once: f64,
}

impl Bucket {
    /// Creates a full bucket.
    pub fn new(per_second: f64, at_once: f64, now: Instant) -> Self {
        Self { left: at_once, at: now, per_second, at_once }
    }

    /// Takes a token from the bucket; false if there is none.
    pub fn take(&mut self, now: Instant) -> bool {
        let gained = now.saturating_duration_since(self.at).as_secs_f64() * self.per_second;
        self.left = (self.left + gained).min(self.at_once);
        self.at = now;
        let is_there = self.left >= 1.0;
        if is_there {
            self.left -= 1.0;
        }
        is_there
    }

    fn is_full_at(&self, now: Instant) -> bool {
        self.left + now.saturating_duration_since(self.at).as_secs_f64() * self.per_second >= self.at_once
    }
}

/// A bucket for each address. Requests with the access token have a separate one, so that strangers behind the same address can't use it
/// up.
#[derive(Debug, Default)]
pub struct Rates(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    buckets: HashMap<(Option<IpAddr>, bool), Bucket>,
    purged_at: Option<Instant>,
}

/// Least time between two purges of idle addresses, each of which visits the whole map.
const PURGE_INTERVAL: Duration = Duration::from_secs(1);

impl Rates {
    /// Whether one more request is let through.
    pub fn allow(&self, address: IpAddr, has_token: bool, now: Instant) -> bool {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Known { buckets, purged_at } = &mut *known;
        let is_due = purged_at.is_none_or(|at| now.saturating_duration_since(at) >= PURGE_INTERVAL);
        if buckets.len() >= MOST_ADDRESSES && is_due {
            buckets.retain(|_, bucket| !bucket.is_full_at(now));
            *purged_at = Some(now);
        }
        let is_known = buckets.contains_key(&(Some(address), has_token));
        let key = if is_known || buckets.len() < MOST_ADDRESSES { Some(address) } else { None };
        let new = || Bucket::new(REQUESTS_PER_SECOND, REQUESTS_AT_ONCE, now);
        buckets.entry((key, has_token)).or_insert_with(new).take(now)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn who_asks_too_often_waits_and_others_do_not() {
        let (rates, now) = (Rates::default(), Instant::now());
        let [one, other] = [1, 2].map(|last| IpAddr::from(Ipv4Addr::new(10, 0, 0, last)));
        let let_through = (0..500).filter(|_| rates.allow(one, false, now)).count();
        assert_eq!(let_through, REQUESTS_AT_ONCE as usize);
        assert!(rates.allow(other, false, now) && rates.allow(one, true, now));
        assert!(rates.allow(one, false, now + Duration::from_secs(1)));
    }

    #[test]
    fn many_addresses_take_no_more_memory() {
        let (rates, now) = (Rates::default(), Instant::now());
        for n in 0..20_000_u32 {
            rates.allow(IpAddr::from(Ipv4Addr::from_bits(n)), false, now);
        }
        assert!(rates.0.lock().unwrap().buckets.len() <= MOST_ADDRESSES + 1);
        // Known addresses are still served, and are dropped later.
        let later = now + Duration::from_secs(60);
        assert!(rates.allow(IpAddr::from(Ipv4Addr::from_bits(1)), false, later));
        assert!(rates.0.lock().unwrap().buckets.len() < MOST_ADDRESSES);
    }
}
