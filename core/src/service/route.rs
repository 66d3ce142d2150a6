//! The routes, in one table.

use http::Method;

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Console,
    Docs,
    OpenApi,
    Health,
    Ready,
    CreateGroup,
    ListGroups,
    ReadGroup,
    ChangeGroup,
    DeleteGroup,
    CheckSchema,
    CreateSchema,
    ListSchemas,
    ReadSchema,
    ReplaceSchema,
    DeleteSchema,
    CreateIntegration,
    ListIntegrations,
    ReadIntegration,
    ChangeIntegration,
    DeleteIntegration,
    CreateKey,
    DeleteKey,
    ListResources,
    ReadResource,
    ListChanges,
    Event,
    Bulk,
    Delete,
    Manifest,
}

impl Action {
    /// Whether it takes the admin token.
    pub(super) fn is_admin(self) -> bool {
        !self.is_public() && !self.is_ingest()
    }

    /// Whether it takes an ingest key.
    pub(super) fn is_ingest(self) -> bool {
        matches!(self, Self::Event | Self::Bulk | Self::Delete | Self::Manifest)
    }

    /// Whether answering it takes the database.
    pub(super) fn needs_store(self) -> bool {
        self == Self::Ready || !self.is_public() && self != Self::CheckSchema
    }

    fn is_public(self) -> bool {
        matches!(self, Self::Console | Self::Docs | Self::OpenApi | Self::Health | Self::Ready)
    }

    /// Whether it has a body.
    pub(super) fn has_body(self) -> bool {
        matches!(
            self,
            Self::CreateGroup
                | Self::ChangeGroup
                | Self::CheckSchema
                | Self::CreateSchema
                | Self::ReplaceSchema
                | Self::CreateIntegration
                | Self::ChangeIntegration
                | Self::Event
                | Self::Bulk
        )
    }
}

/// An address, with `{…}` for the segments that vary, and what each method does there.
#[derive(Debug)]
pub(super) struct Route {
    pub(super) template: &'static str,
    pub(super) actions: &'static [(Method, Action)],
}

const GET: Method = Method::GET;
const POST: Method = Method::POST;
const PUT: Method = Method::PUT;
const PATCH: Method = Method::PATCH;
const DELETE: Method = Method::DELETE;

/// Every address that the service answers.
pub(super) const ROUTES: &[Route] = &[
    Route { template: "/", actions: &[(GET, Action::Console)] },
    Route { template: "/docs", actions: &[(GET, Action::Docs)] },
    Route { template: "/openapi.json", actions: &[(GET, Action::OpenApi)] },
    Route { template: "/healthz", actions: &[(GET, Action::Health)] },
    Route { template: "/readyz", actions: &[(GET, Action::Ready)] },
    Route { template: "/api/v1/groups", actions: &[(GET, Action::ListGroups), (POST, Action::CreateGroup)] },
    Route {
        template: "/api/v1/groups/{prefix}",
        actions: &[(GET, Action::ReadGroup), (PATCH, Action::ChangeGroup), (DELETE, Action::DeleteGroup)],
    },
    Route { template: "/api/v1/schemas/check", actions: &[(POST, Action::CheckSchema)] },
    Route {
        template: "/api/v1/schemas",
        actions: &[(GET, Action::ListSchemas), (POST, Action::CreateSchema)],
    },
    Route {
        template: "/api/v1/schemas/{resourceName}",
        actions: &[(GET, Action::ReadSchema), (PUT, Action::ReplaceSchema), (DELETE, Action::DeleteSchema)],
    },
    Route {
        template: "/api/v1/integrations",
        actions: &[(GET, Action::ListIntegrations), (POST, Action::CreateIntegration)],
    },
    Route {
        template: "/api/v1/integrations/{id}",
        actions: &[
            (GET, Action::ReadIntegration),
            (PATCH, Action::ChangeIntegration),
            (DELETE, Action::DeleteIntegration),
        ],
    },
    Route { template: "/api/v1/integrations/{id}/keys", actions: &[(POST, Action::CreateKey)] },
    Route { template: "/api/v1/integrations/{id}/keys/{keyId}", actions: &[(DELETE, Action::DeleteKey)] },
    Route { template: "/api/v1/resources", actions: &[(GET, Action::ListResources)] },
    Route { template: "/api/v1/resources/{resourceName}/{id}", actions: &[(GET, Action::ReadResource)] },
    Route { template: "/api/v1/changes", actions: &[(GET, Action::ListChanges)] },
    Route { template: "/integration/custom-data/event/{table}", actions: &[(POST, Action::Event)] },
    Route {
        template: "/integration/custom-data/bulk-event/{table}",
        actions: &[(POST, Action::Bulk), (DELETE, Action::Delete)],
    },
    Route { template: "/integration/custom-data/manifest/{table}", actions: &[(GET, Action::Manifest)] },
    Route { template: "/integration/custom-data/{table}", actions: &[(DELETE, Action::Delete)] },
];

/// Addresses that are also answered below `/api/v1`.
pub(super) const ALSO_IN_API: [&str; 5] =
    ["/docs", "/openapi.json", "/healthz", "/readyz", "/integration/custom-data/manifest/{table}"];

/// The route of a path, and its raw varying segments in order.
pub(super) fn find(path: &str) -> Option<(&'static Route, Vec<&str>)> {
    let exact = |path| ROUTES.iter().find_map(|route| Some((route, matches(route.template, path)?)));
    exact(path).or_else(|| {
        let (route, segments) = exact(path.strip_prefix("/api/v1")?)?;
        ALSO_IN_API.contains(&route.template).then_some((route, segments))
    })
}

fn matches<'p>(template: &str, path: &'p str) -> Option<Vec<&'p str>> {
    let mut segments = Vec::new();
    let mut path = path.split('/');
    for expected in template.split('/') {
        let found = path.next()?;
        if expected.starts_with('{') {
            if found.is_empty() {
                return None;
            }
            segments.push(found);
        } else if expected != found {
            return None;
        }
    }
    path.next().is_none().then_some(segments)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_find_their_routes() {
        let template = |path| find(path).map(|(route, segments)| (route.template, segments));
        assert_eq!(template("/"), Some(("/", vec![])));
        assert_eq!(template("/api/v1/schemas/check").unwrap().0, "/api/v1/schemas/check");
        assert_eq!(
            template("/api/v1/resources/_a_b/x%2Fy"),
            Some(("/api/v1/resources/{resourceName}/{id}", vec!["_a_b", "x%2Fy"]))
        );
        assert_eq!(template("/api/v1/openapi.json").unwrap().0, "/openapi.json");
        assert_eq!(template("/api/v1/integration/custom-data/event/t"), None);
        assert_eq!(template("/api/v1/groups/"), None);
        assert_eq!(template("/nowhere"), None);
    }
}
