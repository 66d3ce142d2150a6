//! The OpenAPI description of the service.

/// The document's text.
pub(super) fn text() -> String {
    "{}".to_owned()
}
