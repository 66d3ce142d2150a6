//! Which web pages may use the API: the CORS protocol of the Fetch standard
//! (<https://fetch.spec.whatwg.org/#http-cors-protocol>).
//!
//! The check is the browser's. A request is answered whatever its `Origin` is; the answer only says
//! whether a page of that origin may read it. Keys and tokens come in headers that a page has to
//! know and set, so cookies are never asked for (`Access-Control-Allow-Credentials`).

use std::str::FromStr;

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode};

use super::answer::Answer;
use crate::schema::quoted;

/// The headers of a request that the service reads and a page may set.
const READ: &str = "Authorization, Content-Type, If-None-Match, X-Ingest-Key";

/// The headers of an answer that a page could not read otherwise. A host adds `X-Request-Id`.
const EXPOSED: &str = "Allow, ETag, Retry-After, WWW-Authenticate, X-Request-Id";

/// How many seconds a browser may keep the answer to a preflight; Chromium keeps none longer.
const MAX_AGE: &str = "7200";

const ANY: &str = "*";

/// The origins whose pages may use the API in a browser; none, unless it is said.
///
/// It is read from a list, separated by commas, of origins as browsers send them, or `*` for any:
///
/// ```
/// use tidegate_core::service::AllowedOrigins;
///
/// assert!("https://app.example, http://localhost:5173".parse::<AllowedOrigins>().is_ok());
/// assert_eq!("".parse(), Ok(AllowedOrigins::default()));
/// let error = "https://app.example/".parse::<AllowedOrigins>().unwrap_err();
/// assert!(error.to_string().starts_with("`https://app.example/` is no origin: "));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AllowedOrigins(Vec<String>);

/// A text that no browser would send as an `Origin`, and so would allow nobody.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0} is no origin: give `scheme://host` or `scheme://host:port` in lower case, without the \
     scheme's usual port, a path or a slash at the end; or `*` for any"
)]
pub struct OriginError(String);

/// What an answer says to the browser about the page that sent the request.
#[derive(Debug, Clone, Default)]
pub struct CrossOrigin {
    /// Who may read the answer: the page's origin, or any.
    allowed: Option<HeaderValue>,
    /// Whether another origin would be told something else.
    varies: bool,
    /// Whether the browser asks first, for a page that may.
    preflight: bool,
}

impl AllowedOrigins {
    /// What the answer to this request says.
    pub fn judge(&self, request: &Parts) -> CrossOrigin {
        let Some(origin) = request.headers.get(ORIGIN) else { return CrossOrigin::default() };
        let lists = |wanted: &[u8]| self.0.iter().any(|known| known.as_bytes() == wanted);
        let any = lists(ANY.as_bytes());
        let allowed = match any {
            true => Some(HeaderValue::from_static(ANY)),
            false => lists(origin.as_bytes()).then(|| origin.clone()),
        };
        CrossOrigin {
            preflight: allowed.is_some()
                && request.method == Method::OPTIONS
                && request.headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD),
            allowed,
            varies: !any && !self.0.is_empty(),
        }
    }
}

impl FromStr for AllowedOrigins {
    type Err = OriginError;

    fn from_str(list: &str) -> Result<Self, OriginError> {
        let mut origins = Vec::new();
        for origin in list.split(',').map(str::trim).filter(|origin| !origin.is_empty()) {
            if origin != ANY && !is_origin(origin) {
                return Err(OriginError(quoted(origin)));
            }
            origins.push(origin.to_owned());
        }
        Ok(Self(origins))
    }
}

impl CrossOrigin {
    /// Says it in the headers of an answer. Saying it twice is saying it once.
    pub fn tell(&self, answer: &mut HeaderMap) {
        // A request without an `Origin` has no use for it: nothing that is answered may be taken from
        // a cache without asking again.
        if self.varies {
            answer.insert(VARY, HeaderValue::from_static("Origin"));
        }
        let Some(allowed) = &self.allowed else { return };
        answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, allowed.clone());
        if !self.preflight {
            answer.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
        }
    }

    /// The answer to a preflight at an address that takes `methods`, if the request is one.
    pub(super) fn preflight(&self, methods: &str) -> Option<Answer> {
        self.preflight.then(|| {
            Answer::empty(StatusCode::NO_CONTENT)
                .with(ACCESS_CONTROL_ALLOW_METHODS, methods)
                .with(ACCESS_CONTROL_ALLOW_HEADERS, READ)
                .with(ACCESS_CONTROL_MAX_AGE, MAX_AGE)
        })
    }
}

/// Whether it is written as browsers write an origin (RFC 6454 §6.2), since it is compared byte by
/// byte.
fn is_origin(text: &str) -> bool {
    let Some((scheme, authority)) = text.split_once("://") else { return false };
    let (host, port) = match authority.rsplit_once(':') {
        // Such a colon stands inside an IPv6 address.
        Some((_, rest)) if rest.ends_with(']') => (authority, None),
        Some((host, port)) => (host, Some(port)),
        None => (authority, None),
    };
    let usual = match scheme {
        "http" => "80",
        "https" => "443",
        _ => "",
    };
    let made_of = |text: &str, others: &[u8]| {
        let known = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || others.contains(&byte);
        !text.is_empty() && text.bytes().all(known)
    };
    let host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => made_of(address, b":"),
        None => made_of(host, b"-._"),
    };
    let port = port.is_none_or(|port| {
        port.starts_with(|digit| matches!(digit, '1'..='9')) && port.parse::<u16>().is_ok() && port != usual
    });
    made_of(scheme, b"+-.") && scheme.starts_with(|first: char| first.is_ascii_lowercase()) && host && port
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn told(list: &str, method: &str, headers: &[(&str, &str)]) -> Vec<String> {
        let mut request = Request::builder().method(method);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (request, ()) = request.body(()).unwrap().into_parts();
        let cross_origin = list.parse::<AllowedOrigins>().unwrap().judge(&request);
        let mut answer = HeaderMap::new();
        cross_origin.tell(&mut answer);
        let once = answer.clone();
        cross_origin.tell(&mut answer);
        assert_eq!(answer, once);
        let mut told: Vec<_> = answer
            .iter()
            .filter(|(name, _)| *name != ACCESS_CONTROL_EXPOSE_HEADERS)
            .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
            .collect();
        let readable = answer.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN);
        let preflight = cross_origin.preflight("GET").is_some();
        assert_eq!(answer.contains_key(ACCESS_CONTROL_EXPOSE_HEADERS), readable && !preflight);
        if preflight {
            told.push("preflight".to_owned());
        }
        told.sort();
        told
    }

    #[test]
    fn only_a_listed_origin_is_told_that_it_may() {
        let list = "https://app.example, http://localhost:5173,";
        let allowed = "access-control-allow-origin: https://app.example";
        assert_eq!(told(list, "GET", &[("origin", "https://app.example")]), [allowed, "vary: Origin"]);
        for other in ["https://app.example.evil", "http://app.example", "https://app.example:444", "null", ""]
        {
            assert_eq!(told(list, "GET", &[("origin", other)]), ["vary: Origin"], "{other}");
        }
        assert!(told(list, "GET", &[]).is_empty());
        for origin in ["https://app.example", "*", "null", ""] {
            assert!(told("", "GET", &[("origin", origin)]).is_empty(), "{origin}");
        }
        for origin in ["https://app.example", "null"] {
            let any = told("https://app.example,*", "GET", &[("origin", origin)]);
            assert_eq!(any, ["access-control-allow-origin: *"], "{origin}");
        }
    }

    #[test]
    fn a_preflight_is_options_with_both_headers() {
        let origin = ("origin", "https://app.example");
        let method = ("access-control-request-method", "POST");
        let is_preflight =
            |list, method, headers: &[_]| told(list, method, headers).iter().any(|told| told == "preflight");
        assert!(is_preflight("https://app.example", "OPTIONS", &[origin, method]));
        assert!(is_preflight("*", "OPTIONS", &[origin, method]));
        assert!(!is_preflight("*", "OPTIONS", &[origin]));
        assert!(!is_preflight("*", "OPTIONS", &[method]));
        assert!(!is_preflight("*", "POST", &[origin, method]));
        assert!(!is_preflight("https://other.example", "OPTIONS", &[origin, method]));
        assert!(!is_preflight("", "OPTIONS", &[origin, method]));
    }

    #[test]
    fn an_origin_is_given_as_browsers_send_it() {
        for origin in [
            "https://app.example",
            "https://xn--bcher-kva.example:8443",
            "http://localhost:5173",
            "http://127.0.0.1:443",
            "http://[::1]:5173",
            "http://[2001:db8::1]",
            "http://a_b.example",
            "tauri://localhost",
            "chrome-extension://abcdefghijklmnopabcdefghijklmnop",
            "*",
        ] {
            assert_eq!(origin.parse(), Ok(AllowedOrigins(vec![origin.to_owned()])), "{origin}");
        }
        for other in [
            "app.example",
            "null",
            "https://",
            "https://app.example/",
            "https://app.example/path",
            "https://app.example?",
            "https://user@app.example",
            "https://*.example",
            "https://App.example",
            "HTTPS://app.example",
            "https://bücher.example",
            "https://app.example:443",
            "http://app.example:80",
            "http://app.example:",
            "http://app.example:0",
            "http://app.example:080",
            "http://app.example:+81",
            "http://app.example:65536",
            "http://[::1]x",
            "http://[]",
            "http://::1",
            "://app.example",
            "1https://app.example",
            "https://a.example https://b.example",
            "**",
        ] {
            let list = format!("https://app.example,{other}");
            let error = list.parse::<AllowedOrigins>().unwrap_err().to_string();
            assert!(error.starts_with(&format!("`{other}` is no origin: ")), "{error}");
        }
    }
}
