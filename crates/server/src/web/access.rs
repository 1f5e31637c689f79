//! Who may use the control API and read the metrics.

use http::{StatusCode, header};

use super::Call;
use super::query::credential;
use super::reply::{self, Response};
use crate::auth::Denied;

/// Lets the call through, or answers for it. With a credential configured it is asked of everybody; without one only
/// this machine itself gets in, and no other site's page through its browser.
pub(crate) async fn admin(call: &Call) -> Result<(), Box<Response>> {
    let forbidden =
        |message: &str| Box::new(reply::error(StatusCode::FORBIDDEN, "forbidden", message));
    if cross_site(call) {
        return Err(forbidden("pages of other sites may not use the API"));
    }
    let wanted = &call.shared.config.api.token;
    if wanted.is_empty() {
        let near = call.peer.addr.ip().is_loopback()
            && !forwarded(call)
            && host(call).is_none_or(is_this_machine);
        return if near {
            Ok(())
        } else {
            Err(forbidden(
                "without api.token the API answers this machine alone",
            ))
        };
    }
    let given = credential(call.request.headers(), &call.query);
    let outcome = call
        .shared
        .gate
        .check(wanted, given.as_ref(), Some(call.peer.addr.ip()))
        .await;
    outcome.map_err(|denied| Box::new(denied_reply(denied)))
}

/// The answer to a missing or wrong credential.
pub(crate) fn denied_reply(denied: Denied) -> Response {
    let status = match denied {
        Denied::Missing | Denied::Wrong => StatusCode::UNAUTHORIZED,
        Denied::TooMany => StatusCode::TOO_MANY_REQUESTS,
    };
    reply::error(status, "unauthorized", denied.reason())
}

/// A browser says where a page comes from: anything but our own is another site.
fn cross_site(call: &Call) -> bool {
    let headers = call.request.headers();
    if headers
        .get("sec-fetch-site")
        .is_some_and(|v| v == "cross-site" || v == "same-site")
    {
        return true;
    }
    call.header(header::ORIGIN).is_some_and(|origin| {
        let authority = origin.split_once("://").map(|(_, a)| a);
        authority.is_none() || authority != host(call)
    })
}

/// A proxy on this machine speaks for somebody who may be anywhere.
fn forwarded(call: &Call) -> bool {
    let headers = call.request.headers();
    headers.contains_key("forwarded")
        || headers.contains_key("x-forwarded-for")
        || headers.contains_key("via")
}

fn host(call: &Call) -> Option<&str> {
    call.header(header::HOST)
        .or_else(|| call.request.uri().authority().map(|a| a.as_str()))
}

/// A name that only this machine answers to: an address of a foreign name that leads here is an attempt to rebind it.
fn is_this_machine(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost")
        || name
            .parse::<std::net::IpAddr>()
            .is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_names_of_this_machine() {
        for (host, want) in [
            ("localhost:8080", true),
            ("127.0.0.1", true),
            ("[::1]:8080", true),
            ("example.org:8080", false),
            ("127.0.0.1.example.org", false),
            ("192.0.2.1:8080", false),
        ] {
            assert_eq!(is_this_machine(host), want, "{host}");
        }
    }
}
