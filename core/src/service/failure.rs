//! Why a request fails, on its way to becoming a problem document.

use http::HeaderValue;
use http::header::{ALLOW, HeaderName, RETRY_AFTER, WWW_AUTHENTICATE};

use super::store::{Refusal, RefusalKind, StoreError};
use crate::check::Rejection;
use crate::document::ParseError;
use crate::pointer::Pointer;
use crate::problem::Code;
use crate::report::ProblemDetails;
use crate::schema::quoted;

/// A problem, and the headers that go with it.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) problem: Box<ProblemDetails>,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    /// Why the service could not do its work: for the host's log, never for the answer.
    pub(super) fault: Option<String>,
}

pub(super) type Handled<T> = Result<T, Failure>;

impl From<ProblemDetails> for Failure {
    fn from(problem: ProblemDetails) -> Self {
        Self { problem: Box::new(problem), headers: Vec::new(), fault: None }
    }
}

impl From<Rejection> for Failure {
    fn from(rejection: Rejection) -> Self {
        ProblemDetails::from(rejection).into()
    }
}

impl From<ParseError> for Failure {
    fn from(error: ParseError) -> Self {
        ProblemDetails::unreadable(&error).into()
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(why) => Self {
                fault: Some(why),
                ..Self::unavailable(
                    "the database cannot be reached, or has too much to do; nothing of this request has taken effect",
                )
            },
            StoreError::Unanswered(why) => Self {
                fault: Some(why),
                ..Self::unavailable(
                    "the database did not answer; it is not known whether this request has taken effect",
                )
            },
            StoreError::Refused(refusal) => Self::refused(&refusal),
            StoreError::Broken(why) => Self {
                fault: Some(why),
                ..Self::new(Code::Internal, "the database gave an answer it never should")
            },
        }
    }
}

impl Failure {
    pub(super) fn new(code: Code, detail: impl Into<String>) -> Self {
        ProblemDetails::new(code, detail).into()
    }

    /// The same where it was only the answer that could not be read, after everything was written.
    pub(super) fn although_done(mut self) -> Self {
        if self.problem.code == Code::StorageUnavailable {
            "this request has taken effect; the database cannot be reached to read what came of it"
                .clone_into(&mut self.problem.detail);
        }
        self
    }

    /// A query parameter, header or path segment that is wrong.
    pub(super) fn parameter(name: &str, detail: impl Into<String>) -> Self {
        let mut problem = ProblemDetails::new(Code::BadParameter, detail);
        problem.parameter = Some(crate::schema::cut(name).into_owned());
        problem.into()
    }

    /// A member of a command's body that is wrong.
    pub(super) fn member(name: &str, detail: impl Into<String>) -> Self {
        let mut failure = Self::parameter(name, detail);
        failure.problem.pointer = Some(Pointer::root().name(name).short_fragment());
        failure
    }

    pub(super) fn too_large(limit: usize, detail: impl Into<String>) -> Self {
        let mut problem = ProblemDetails::new(Code::TooLarge, detail);
        problem.limit = Some(limit as u64);
        problem.into()
    }

    /// The key or token is not right; the answer never tells in which way.
    pub(super) fn unauthorized(scheme: &'static str, detail: &'static str) -> Self {
        let mut failure = Self::new(Code::Unauthorized, detail);
        failure.headers.push((WWW_AUTHENTICATE, HeaderValue::from_static(scheme)));
        failure
    }

    /// The host cannot say what is configured.
    pub(super) fn not_configured(what: &str, why: String) -> Self {
        let failure = Self::new(Code::Internal, format!("the {what} not to be had; the log says why"));
        Self { fault: Some(why), ..failure }
    }

    pub(super) fn method_not_allowed(allow: &str) -> Self {
        let mut failure = Self::new(Code::MethodNotAllowed, format!("this address takes {allow}"));
        if let Ok(value) = HeaderValue::from_str(allow) {
            failure.headers.push((ALLOW, value));
        }
        failure
    }

    pub(super) fn not_found(what: &str) -> Self {
        Self::new(Code::NotFound, format!("there is no such {what}"))
    }

    fn unavailable(detail: &'static str) -> Self {
        let mut failure = Self::new(Code::StorageUnavailable, detail);
        failure.headers.push((RETRY_AFTER, HeaderValue::from_static("1")));
        failure
    }

    fn refused(refusal: &Refusal) -> Self {
        let what = refusal.what.as_str();
        let (code, detail) = match refusal.kind {
            RefusalKind::NameTaken => {
                let mut failure = Self::new(Code::NameTaken, format!("the {what} is in use"));
                failure.problem.parameter = Some(what.to_owned());
                failure.problem.pointer = Some(Pointer::root().name(what).fragment());
                return failure;
            }
            RefusalKind::NameRetired => (
                Code::NameRetired,
                "a table of this resource name was removed; the name is never used again".to_owned(),
            ),
            RefusalKind::NotFound => return Self::not_found(what),
            RefusalKind::TableRetired => (Code::TableRetired, "this table was removed".to_owned()),
            RefusalKind::InUse => (
                Code::InUse,
                match what {
                    "schema" => "the group has live schemas; delete them first",
                    "integration" => "the group has integrations; delete them first",
                    _ => "the table has live resources; `force=true` removes them and records their removal",
                }
                .to_owned(),
            ),
            RefusalKind::GroupWithoutSchemas => {
                (Code::GroupWithoutSchemas, "the group has no live schema; create one first".to_owned())
            }
            RefusalKind::Conflict => {
                (Code::Conflict, "the integration has two live keys already; revoke one first".to_owned())
            }
            RefusalKind::Stale => {
                (Code::Conflict, "others kept changing the same things; try again".to_owned())
            }
        };
        Self::new(code, detail)
    }
}

/// What a name in a message looks like.
pub(super) fn named(name: &str) -> String {
    quoted(name)
}
