//! Problems (RFC 9457): one stable code for each way a request fails, and its status.

use crate::violation::codes;

codes! {
    /// Why a request, or a payload, was refused.
    Code {
        /// The body is not JSON.
        MalformedJson = "malformed-json",
        /// One object has two members of the same name.
        DuplicateMember = "duplicate-member",
        /// A parameter, or a member of a command's body, is wrong.
        BadParameter = "bad-parameter",
        /// The key or token is absent, unknown or revoked.
        Unauthorized = "unauthorized",
        /// The integration is switched off.
        IntegrationDisabled = "integration-disabled",
        /// The integration's group has no such table.
        UnknownTable = "unknown-table",
        /// There is nothing at this address.
        NotFound = "not-found",
        /// The table was removed, for good.
        TableRetired = "table-retired",
        /// The route does not take this method.
        MethodNotAllowed = "method-not-allowed",
        /// The body did not arrive in time.
        RequestTimeout = "request-timeout",
        /// The name is in use.
        NameTaken = "name-taken",
        /// The resource name was used before and can never be used again.
        NameRetired = "name-retired",
        /// Something still depends on it.
        InUse = "in-use",
        /// The group has no live schema.
        GroupWithoutSchemas = "group-without-schemas",
        /// The bulk would remove more than the request allows.
        RemovalGuard = "removal-guard",
        /// Others changed the same things at the same time.
        Conflict = "conflict",
        /// The body, or something in it, is over a limit.
        TooLarge = "too-large",
        /// The body's media type is not JSON.
        UnsupportedMediaType = "unsupported-media-type",
        /// The payload does not pass its schema.
        PayloadInvalid = "payload-invalid",
        /// The payload passes but has no usable id.
        MissingId = "missing-id",
        /// Two items of one bulk have the same id.
        DuplicateId = "duplicate-id",
        /// The schema cannot be used.
        SchemaInvalid = "schema-invalid",
        /// The schema's test data does not pass.
        TestDataInvalid = "test-data-invalid",
        /// A fault of the service itself.
        Internal = "internal",
        /// The database cannot be reached.
        StorageUnavailable = "storage-unavailable",
    }
}

impl Code {
    /// The HTTP status it is answered with.
    pub fn status(self) -> u16 {
        match self {
            Self::MalformedJson | Self::DuplicateMember | Self::BadParameter => 400,
            Self::Unauthorized => 401,
            Self::IntegrationDisabled => 403,
            Self::UnknownTable | Self::NotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::RequestTimeout => 408,
            Self::NameTaken
            | Self::NameRetired
            | Self::InUse
            | Self::GroupWithoutSchemas
            | Self::RemovalGuard
            | Self::Conflict => 409,
            Self::TableRetired => 410,
            Self::TooLarge => 413,
            Self::UnsupportedMediaType => 415,
            Self::PayloadInvalid
            | Self::MissingId
            | Self::DuplicateId
            | Self::SchemaInvalid
            | Self::TestDataInvalid => 422,
            Self::Internal => 500,
            Self::StorageUnavailable => 503,
        }
    }

    /// A short title, the same for every occurrence.
    pub fn title(self) -> &'static str {
        match self {
            Self::MalformedJson => "Malformed JSON",
            Self::DuplicateMember => "Duplicate member name",
            Self::BadParameter => "Bad parameter",
            Self::Unauthorized => "Unauthorized",
            Self::IntegrationDisabled => "Integration disabled",
            Self::UnknownTable => "Unknown table",
            Self::NotFound => "Not found",
            Self::TableRetired => "Table retired",
            Self::MethodNotAllowed => "Method not allowed",
            Self::RequestTimeout => "Request timeout",
            Self::NameTaken => "Name taken",
            Self::NameRetired => "Name retired",
            Self::InUse => "In use",
            Self::GroupWithoutSchemas => "Group without schemas",
            Self::RemovalGuard => "Removal guard",
            Self::Conflict => "Conflict",
            Self::TooLarge => "Too large",
            Self::UnsupportedMediaType => "Unsupported media type",
            Self::PayloadInvalid => "Payload invalid",
            Self::MissingId => "Missing id",
            Self::DuplicateId => "Duplicate id",
            Self::SchemaInvalid => "Schema invalid",
            Self::TestDataInvalid => "Test data invalid",
            Self::Internal => "Internal error",
            Self::StorageUnavailable => "Storage unavailable",
        }
    }
}
