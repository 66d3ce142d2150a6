//! What is wrong with a payload, in the product's own words.

use serde::Serialize;

/// One fault of a payload.
///
/// It serialises with its fields in camel case, `item` only where there is one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Violation {
    /// The index of the resource in a bulk, from 0. `pointer` points into that resource.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub item: Option<usize>,
    /// A JSON Pointer into the resource, as a URI fragment: `#/employee/email`. For a field that is
    /// missing, the object that lacks it; for one that is unknown, the field itself.
    pub pointer: String,
    /// A JSON Pointer into the effective schema, as a URI fragment.
    pub schema_pointer: String,
    /// The JSON Schema keyword that does not hold, or `resmo`.
    pub keyword: String,
    /// What kind of fault it is.
    pub code: ViolationCode,
    /// What was expected, for a human; never the payload's values unless asked for.
    pub detail: String,
}

macro_rules! codes {
    ($(#[$meta:meta])* $name:ident { $($(#[doc = $doc:literal])+ $variant:ident = $code:literal,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[doc = $doc])+ $variant,)* }

        impl $name {
            /// Every code there is.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The code's stable text.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// What the code stands for, in a sentence.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$variant => concat!($($doc),+).trim_ascii(),)* }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }
    };
}
pub(crate) use codes;

codes! {
    /// The kinds of faults a payload can have.
    ViolationCode {
        /// `type`: a value of another type.
        WrongType = "wrong-type",
        /// `required`, `dependentRequired`: a field that has to be there is not.
        MissingField = "missing-field",
        /// `unevaluatedProperties`, `additionalProperties`: a field that no schema declares.
        UnknownField = "unknown-field",
        /// The root member `_meta`, which belongs to Tidegate.
        ReservedField = "reserved-field",
        /// `prefixItems`, `items`, `unevaluatedItems`: an element that no schema allows.
        UnknownItem = "unknown-item",
        /// `enum`, `const`: none of the values that are allowed.
        NotAllowed = "not-allowed",
        /// `format`: a string of another format.
        WrongFormat = "wrong-format",
        /// `pattern`: a string that does not match.
        PatternMismatch = "pattern-mismatch",
        /// `propertyNames`: a member whose name is not allowed.
        WrongName = "wrong-name",
        /// `minimum`, `exclusiveMinimum`
        TooSmall = "too-small",
        /// `maximum`, `exclusiveMaximum`
        TooLarge = "too-large",
        /// `multipleOf`
        NotAMultiple = "not-a-multiple",
        /// `minLength`, `minItems`, `minProperties`
        TooShort = "too-short",
        /// `maxLength`, `maxItems`, `maxProperties`
        TooLong = "too-long",
        /// `uniqueItems`: two equal elements.
        NotUnique = "not-unique",
        /// `contains`, `minContains`, `maxContains`
        Contains = "contains",
        /// `anyOf`, `oneOf`: no alternative holds.
        NoAlternative = "no-alternative",
        /// `oneOf`: more than one alternative holds.
        SeveralAlternatives = "several-alternatives",
        /// `not`, and the schema `false`.
        Forbidden = "forbidden",
        /// `contentEncoding`, `contentMediaType`
        WrongContent = "wrong-content",
        /// Anything else a schema says.
        Invalid = "invalid",
        /// The id's path yields no usable id.
        MissingId = "missing-id",
        /// Another resource of the same bulk has this id.
        DuplicateId = "duplicate-id",
        /// Judging the payload would cost more than the gate spends on one.
        TooComplex = "too-complex",
    }
}

/// The faults of a payload, in the payload's order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Violations {
    /// The faults, as many as are reported.
    pub list: Vec<Violation>,
    /// There are more than are listed.
    pub truncated: bool,
    /// In a bulk, how many items have a fault.
    pub invalid_items: usize,
}
