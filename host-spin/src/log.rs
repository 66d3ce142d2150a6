//! What went wrong, for whoever runs the component: one JSON object a line on standard error, which
//! Spin keeps. No payload value and no key is in it.

use serde_json::json;
use tidegate_core::service::RequestFacts;

/// Says why a request could not be answered, if it could not.
pub(crate) fn fault(id: &str, facts: &RequestFacts) {
    if let Some(fault) = &facts.fault {
        let line = json!({
            "level": "error",
            "message": "a request could not be answered",
            "id": id,
            "route": facts.route,
            "code": facts.code,
            "fault": fault,
        });
        eprintln!("{line}");
    }
}
