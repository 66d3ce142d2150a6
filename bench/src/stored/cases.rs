//! The requests that are measured.

/// One request.
pub(super) struct Case {
    pub(super) family: &'static str,
    pub(super) name: String,
    pub(super) kind: Kind,
}

pub(super) enum Kind {
    /// A page of a list, by its address.
    Page(String),
    /// One resource that is new or different.
    Event,
    /// A snapshot of so many resources, in which nothing has changed.
    Bulk(usize),
}

/// Filters by scope: none, a large scope, and what reaches few and many of the small ones.
const SCOPES: [&str; 9] = [
    "",
    "&table=t0",
    "&table=t2",
    "&integration=integration-0",
    "&integration=integration-5",
    "&groupKey=key-0",
    "&table=_bench_t3&integration=integration-6",
    "&table=t2&groupKey=key-0",
    "&table=t2&integration=integration-2&groupKey=key-0",
];
/// The one that changes all the time, one that is in many scopes, one that was removed, and none.
const IDS: [&str; 5] =
    ["", "&id=resource-0000001", "&id=shared", "&id=resource-0000020", "&id=resource-unknown"];

/// Each page of each list, with each combination of filters.
pub(super) fn pages() -> Vec<Case> {
    let mut pages = Vec::new();
    let mut add = |family, target: String| {
        let target = target.replacen("?&", "?", 1);
        let name = target.trim_start_matches("/api/v1").to_owned();
        pages.push(Case { family, name, kind: Kind::Page(target) });
    };
    for list in ["groups", "schemas", "integrations"] {
        add("groups, schemas, integrations", format!("/api/v1/{list}"));
    }
    for scopes in SCOPES {
        for id in IDS {
            for at in ["", "&at={at:20}", "&at={at:500}", "&at={at:990}"] {
                let family = if at.is_empty() { "resources" } else { "resources as of a time" };
                add(family, format!("/api/v1/resources?{scopes}{id}{at}"));
                if id.is_empty() {
                    add(family, format!("/api/v1/resources?{scopes}{at}&cursor={{next}}"));
                }
            }
            for change in ["", "&type=added", "&type=modified", "&type=removed"] {
                for place in [
                    "",
                    "&cursor={next}",
                    "&order=asc",
                    "&after={middle}",
                    "&after={middle}&order=desc",
                    "&after={middle}&cursor={next}",
                ] {
                    let family = if change.is_empty() { "changes" } else { "changes of a type" };
                    add(family, format!("/api/v1/changes?{scopes}{id}{change}{place}"));
                }
            }
        }
    }
    pages
}

/// What is sent.
pub(super) fn writes() -> [Case; 2] {
    [
        Case { family: "a single event", name: "POST event".to_owned(), kind: Kind::Event },
        Case {
            family: "an unchanged bulk of 18,000",
            name: "POST bulk-event".to_owned(),
            kind: Kind::Bulk(18_000),
        },
    ]
}
