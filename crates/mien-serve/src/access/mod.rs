//! Who may connect: the token, host names, origins, and limits on rates and connections.

mod addresses;
mod connections;
mod rate;
mod refusal;
mod token;

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, Method, Version, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use self::addresses::{Addresses, literal};
pub use self::connections::{Connection, Connections};
pub use self::rate::{Bucket, Rates};
pub use self::refusal::Refusal;
pub use self::token::Token;
use crate::app::App;
use crate::routes::{self, error, try_again};

/// The name by which every machine knows itself.
pub const OWN_NAME: &str = "localhost";

/// The checks that every request must pass.
pub struct Gate {
    token: Option<Token>,
    /// Accepted values of `Host`, in lower case: `localhost:7878`.
    hosts: HashSet<String>,
    /// Origins of the server's pages: `http://localhost:7878`.
    origins: HashSet<String>,
    /// The machine's addresses, if the server listens on all of them.
    addresses: Option<Addresses>,
    port: u16,
    cookie: String,
    is_secure: bool,
    rates: Rates,
}

impl Gate {
    /// Creates the gate of a server at this address. `names` are further names of it, for example behind a proxy.
    pub fn new(token: Option<Token>, address: SocketAddr, names: &[String], is_secure: bool) -> Self {
        let scheme = scheme(is_secure);
        let usual_port = usual_port(is_secure);
        let port = address.port();
        let with_port = |name: String| {
            let bare = (port == usual_port).then(|| name.clone());
            bare.into_iter().chain([format!("{name}:{port}")])
        };
        let own: HashSet<String> = own_names(address.ip()).into_iter().flat_map(with_port).collect();
        let mut origins: HashSet<String> = own.iter().map(|host| format!("{scheme}://{host}")).collect();
        let mut hosts = own;
        for name in names {
            let name = name.to_ascii_lowercase();
            for host in [format!("{name}:{port}"), name] {
                // A proxy in front may speak TLS where the server doesn't.
                origins.extend([format!("http://{host}"), format!("https://{host}")]);
                hosts.insert(host);
            }
        }
        let addresses = address.ip().is_unspecified().then(|| Addresses::new(|| reachable().collect()));
        // Cookies don't distinguish ports, so two servers on one machine need two cookie names.
        let cookie = format!("mien-{port}");
        Self { token, hosts, origins, addresses, port, cookie, is_secure, rates: Rates::default() }
    }

    /// Whether this value of `Host` means this server.
    fn is_host(&self, host: &str) -> bool {
        self.hosts.contains(host) || self.is_own_address(host)
    }

    /// Whether this is the origin of the server's own pages.
    fn is_origin(&self, origin: &str) -> bool {
        let host = || origin.strip_prefix(scheme(self.is_secure))?.strip_prefix("://");
        self.origins.contains(origin) || host().is_some_and(|host| self.is_own_address(host))
    }

    /// Whether this is a current address of the machine with the server's port.
    fn is_own_address(&self, host: &str) -> bool {
        let own = |addresses: &Addresses| {
            literal(host, usual_port(self.is_secure))
                .is_some_and(|(address, port)| port == self.port && addresses.hold(address, Instant::now()))
        };
        self.addresses.as_ref().is_some_and(own)
    }

    /// Whether this is the token, or none is required.
    pub fn opens(&self, word: &str) -> bool {
        self.token.as_ref().is_none_or(|token| token.is(word))
    }

    /// The `Set-Cookie` value that stores the token until the browser is closed.
    pub fn set_cookie(&self, word: &str) -> String {
        let secure = if self.is_secure { "; Secure" } else { "" };
        format!("{}={word}; Path=/; HttpOnly; SameSite=Strict{secure}", self.cookie)
    }

    /// How a request showed the token; `None` if it didn't.
    fn pass(&self, headers: &HeaderMap, query: Option<&str>) -> Option<Pass> {
        if self.token.is_none() {
            return Some(Pass::Free);
        }
        let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let bearer = bearer.and_then(|value| value.split_once(' '));
        let bearer = bearer.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("Bearer")).map(|(_, word)| word);
        let in_query =
            query.into_iter().flat_map(|query| query.split('&')).find_map(|pair| pair.strip_prefix("token="));
        if bearer.or(in_query).is_some_and(|word| self.opens(word)) {
            return Some(Pass::Word);
        }
        let cookies = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
        let mut cookies = cookies.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
        cookies.any(|(name, word)| name == self.cookie && self.opens(word)).then_some(Pass::Cookie)
    }

    /// Refuses requests to another host or from another site's pages, and says why.
    fn check(&self, request: &Request, pass: Option<Pass>) -> Result<(), (Refusal, &'static str)> {
        if !matches!(request.version(), Version::HTTP_11 | Version::HTTP_10) {
            return Err((Refusal::OtherVersion, "this server speaks HTTP/1.1"));
        }
        let headers = request.headers();
        let mut hosts = headers.get_all(header::HOST).into_iter();
        let host = hosts.next().and_then(|host| host.to_str().ok()).map(str::to_ascii_lowercase);
        if hosts.next().is_some() || !host.is_some_and(|host| self.is_host(&host)) {
            return Err((
                Refusal::OtherHost,
                "this server doesn't answer to that name; use the address that it printed, or start it with --host NAME",
            ));
        }
        // A request target with a host is meant for a proxy.
        if request.uri().authority().is_some() {
            return Err((Refusal::OtherHost, "this server is no proxy"));
        }
        let mut origins = headers.get_all(header::ORIGIN).into_iter();
        let is_foreign = |origin: &axum::http::HeaderValue| {
            !origin.to_str().is_ok_and(|origin| self.is_origin(&origin.to_ascii_lowercase()))
        };
        let origin = origins.next();
        if origins.next().is_some() || origin.is_some_and(is_foreign) {
            return Err((Refusal::OtherSite, "pages of other sites may not use this server"));
        }
        // Browsers send the origin of a page that opens a WebSocket or posts something; programs send the token itself.
        let does_something = request.method() != Method::GET || headers.contains_key(header::UPGRADE);
        if origin.is_none() && does_something && matches!(pass, Some(Pass::Cookie)) {
            return Err((Refusal::OtherSite, "a request by cookie has to say which page it comes from"));
        }
        Ok(())
    }

    /// Whether one more request from this address is let through. The page's files don't count, as they are served from memory: thirty
    /// phones behind one router load them at the same moment, and a page that lacks a module can't even show an error.
    fn allows(&self, request: &Request, pass: Option<Pass>, address: IpAddr, now: Instant) -> bool {
        routes::is_page(request.uri().path()) || self.rates.allow(address, pass.is_some(), now)
    }
}

/// How the token was shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pass {
    /// No token is required.
    Free,
    /// In a header or in the query.
    Word,
    /// In the page's cookie.
    Cookie,
}

/// The scheme of the server's links.
pub fn scheme(is_secure: bool) -> &'static str {
    if is_secure { "https" } else { "http" }
}

/// The default port of the scheme, which browsers leave out of `Host` and `Origin`.
fn usual_port(is_secure: bool) -> u16 {
    if is_secure { 443 } else { 80 }
}

/// Writes an address as in links: IPv6 in brackets.
pub fn in_link(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    }
}

/// The names of a server at this address, for this machine and its networks. If it listens on all addresses, the machine's own aren't among
/// them: they can change, and are looked up when a request uses one.
fn own_names(ip: IpAddr) -> Vec<String> {
    let loopback = || [OWN_NAME.to_owned(), in_link(Ipv4Addr::LOCALHOST.into()), in_link(Ipv6Addr::LOCALHOST.into())];
    if ip.is_unspecified() {
        loopback().into()
    } else if ip.is_loopback() {
        [in_link(ip)].into_iter().chain(loopback()).collect()
    } else {
        vec![in_link(ip)]
    }
}

/// The addresses of this machine, except loopback.
pub fn reachable() -> impl Iterator<Item = IpAddr> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_else(|error| {
        tracing::warn!("the addresses of this machine can't be told: {error}");
        Vec::new()
    });
    interfaces.into_iter().filter(|interface| !interface.is_loopback()).map(|interface| interface.ip())
}

/// The middleware that checks requests to all routes.
pub async fn guard(
    State(app): State<Arc<App>>,
    ConnectInfo(address): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    let gate = &app.gate;
    let pass = gate.pass(request.headers(), request.uri().query());
    let answer = match gate.check(&request, pass) {
        Err((refusal, why)) => error(refusal.status(), why),
        Ok(()) if !gate.allows(&request, pass, address.ip(), Instant::now()) => {
            try_again(Refusal::TooMany.status(), 1, "too many requests; try again in a second")
        }
        Ok(()) if pass.is_none() && !routes::is_public(request.uri().path()) => {
            let mut answer = error(
                Refusal::NoToken.status(),
                "open the link that `mien serve` printed, or send its token: Authorization: Bearer TOKEN",
            );
            answer.headers_mut().insert(header::WWW_AUTHENTICATE, axum::http::HeaderValue::from_static("Bearer"));
            answer
        }
        Ok(()) => {
            if pass.is_some()
                && let Some(connection) = request.extensions().get::<Connection>()
            {
                connection.trust();
            }
            return next.run(request).await.into_response();
        }
    };
    app.metrics.denied();
    answer
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;
    use crate::limits::REQUESTS_AT_ONCE;

    const WORD: &str = "0123456789abcdef0123456789abcdef";

    fn gate() -> Gate {
        Gate::new(Token::from_word(WORD).ok(), "127.0.0.1:7878".parse().unwrap(), &["cam.example".to_owned()], false)
    }

    fn request(headers: &[(&str, &str)]) -> Request {
        request_for("/api/v1/live", headers)
    }

    fn request_for(path: &str, headers: &[(&str, &str)]) -> Request {
        let builder = axum::http::Request::builder().uri(path);
        headers
            .iter()
            .fold(builder, |builder, (name, value)| builder.header(*name, *value))
            .body(Body::empty())
            .unwrap()
    }

    fn is_let_in(headers: &[(&str, &str)]) -> bool {
        let (gate, request) = (gate(), request(headers));
        let pass = gate.pass(request.headers(), request.uri().query());
        pass.is_some() && gate.check(&request, pass).is_ok()
    }

    #[test]
    fn only_own_names_and_own_pages_are_let_in() {
        let bearer = ("authorization", "Bearer 0123456789abcdef0123456789abcdef");
        for host in ["127.0.0.1:7878", "localhost:7878", "[::1]:7878", "cam.example", "LOCALHOST:7878"] {
            assert!(is_let_in(&[("host", host), bearer]), "{host}");
        }
        for host in ["evil.example", "localhost", "localhost:78781", "127.0.0.1:7878.evil.example", ""] {
            assert!(!is_let_in(&[("host", host), bearer]), "{host}");
        }
        assert!(!is_let_in(&[("host", "localhost:7878"), ("host", "evil.example"), bearer]));
        assert!(!is_let_in(&[bearer]));
        // The scheme in any case (RFC 9110).
        assert!(is_let_in(&[("host", "cam.example"), ("authorization", "bearer 0123456789abcdef0123456789abcdef")]));
        let host = ("host", "localhost:7878");
        assert!(is_let_in(&[host, bearer, ("origin", "http://localhost:7878")]));
        for origin in
            ["http://evil.example", "null", "https://localhost:7878", "http://localhost", "http://localhost:7878.e"]
        {
            assert!(!is_let_in(&[host, bearer, ("origin", origin)]), "{origin}");
        }
    }

    #[test]
    fn a_server_on_all_addresses_answers_to_those_that_the_machine_has_now() {
        let mut gate = Gate::new(None, "0.0.0.0:7878".parse().unwrap(), &[], false);
        gate.addresses = Some(Addresses::new(|| vec!["192.0.2.7".parse().unwrap()]));
        let is_let_in = |headers: &[(&str, &str)]| gate.check(&request(headers), Some(Pass::Free)).is_ok();
        let host = ("host", "192.0.2.7:7878");
        assert!(is_let_in(&[host]) && is_let_in(&[("host", "localhost:7878")]));
        assert!(is_let_in(&[host, ("origin", "http://192.0.2.7:7878")]));
        for host in ["192.0.2.8:7878", "192.0.2.7:7879", "192.0.2.7", "192.0.2.7.evil.example:7878"] {
            assert!(!is_let_in(&[("host", host)]), "{host}");
        }
        for origin in ["https://192.0.2.7:7878", "http://192.0.2.8:7878", "http://192.0.2.7", "192.0.2.7:7878"] {
            assert!(!is_let_in(&[host, ("origin", origin)]), "{origin}");
        }
    }

    #[test]
    fn the_files_of_the_page_do_not_count_as_requests() {
        let (gate, now) = (gate(), Instant::now());
        let router: IpAddr = "192.0.2.7".parse().unwrap();
        let let_through = |path: &str| {
            let request = request_for(path, &[]);
            (0..1000).filter(|_| gate.allows(&request, None, router, now)).count()
        };
        assert_eq!(["/", "/app/page.js", "/app/classes.js", "/icon-512.png"].map(let_through), [1000; 4]);
        assert_eq!(let_through("/api/v1/session"), REQUESTS_AT_ONCE as usize);
        // They aren't refused after too many other requests, either.
        assert_eq!(["/healthz", "/nothing", "/overlay"].map(let_through), [0, 0, 1000]);
    }

    #[test]
    fn a_cookie_upgrades_nothing_without_an_origin() {
        let cookie = ("cookie", "theme=dark; mien-7878=0123456789abcdef0123456789abcdef");
        let host = ("host", "localhost:7878");
        assert!(is_let_in(&[host, cookie]));
        assert!(!is_let_in(&[host, cookie, ("upgrade", "websocket")]));
        assert!(is_let_in(&[host, cookie, ("upgrade", "websocket"), ("origin", "http://localhost:7878")]));
    }

    #[test]
    fn a_wrong_token_is_none() {
        let host = ("host", "localhost:7878");
        for word in ["", "0123456789abcdef0123456789abcdee", "0123456789abcdef", "Bearer"] {
            assert!(!is_let_in(&[host, ("authorization", &format!("Bearer {word}"))]), "{word}");
            assert!(!is_let_in(&[host, ("cookie", &format!("mien-7878={word}"))]), "{word}");
        }
        assert!(!is_let_in(&[host, ("cookie", "mien-80=0123456789abcdef0123456789abcdef")]));
    }
}
