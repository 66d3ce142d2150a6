//! The pages of the service: made here, loading nothing from anywhere.

/// The page at `/`.
pub(super) fn front_page() -> String {
    "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Tidegate</title><h1>Tidegate</h1><p><a href=\"/docs\">API documentation</a></html>".to_owned()
}

/// The API's documentation.
pub(super) fn page() -> String {
    "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Tidegate API</title><h1>Tidegate API</h1></html>".to_owned()
}
