//! How requests are refused before they reach a route.

use axum::http::StatusCode;

/// A kind of refusal. The API's document lists all of them for every path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Without the token. Public paths need none.
    NoToken,
    /// From the page of another site, or by a cookie without the page that sends it.
    OtherSite,
    /// To another host.
    OtherHost,
    /// Too many from one address.
    TooMany,
    /// In another version of HTTP.
    OtherVersion,
}

impl Refusal {
    /// All kinds.
    pub const ALL: [Self; 5] = [Self::NoToken, Self::OtherSite, Self::OtherHost, Self::TooMany, Self::OtherVersion];

    /// Its HTTP status.
    pub fn status(self) -> StatusCode {
        match self {
            Self::NoToken => StatusCode::UNAUTHORIZED,
            Self::OtherSite => StatusCode::FORBIDDEN,
            Self::OtherHost => StatusCode::MISDIRECTED_REQUEST,
            Self::TooMany => StatusCode::TOO_MANY_REQUESTS,
            Self::OtherVersion => StatusCode::HTTP_VERSION_NOT_SUPPORTED,
        }
    }

    /// What the API's document says about it.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::NoToken => "No token, or a wrong one",
            Self::OtherSite => "From the page of another site",
            Self::OtherHost => "The header `Host` doesn't name this server",
            Self::TooMany => "Too many requests",
            Self::OtherVersion => "Not HTTP/1.1",
        }
    }
}
