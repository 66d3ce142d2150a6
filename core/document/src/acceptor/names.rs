//! The properties of an object, looked up by name.

use super::RuleId;
use crate::document::same;

/// Properties in the schema's own order, and their places in the digest's.
#[derive(Debug, Default)]
pub struct Names {
    properties: Vec<Property>,
    /// The places in `properties`, in the digest's order.
    order: Vec<u32>,
}

/// A property that a schema names.
#[derive(Debug)]
pub(super) struct Property {
    name: Box<str>,
    pub(super) rule: RuleId,
    pub(super) required: bool,
    /// Its place in the digest's order.
    pub(super) rank: u32,
    /// Its name as it is in the digest's encoding.
    pub(super) encoded: Box<[u8]>,
}

impl Names {
    /// From names, each once, with their rules and whether they have to be there.
    pub fn new(entries: Vec<(String, RuleId, bool)>) -> Self {
        let mut properties: Vec<_> = entries
            .into_iter()
            .map(|(name, rule, required)| {
                let mut encoded = Vec::new();
                crate::cbor::text(&mut encoded, &name);
                Property { name: name.into(), rule, required, rank: 0, encoded: encoded.into() }
            })
            .collect();
        let mut order: Vec<(Box<[u8]>, usize)> =
            properties.iter().enumerate().map(|(at, property)| (property.encoded.clone(), at)).collect();
        order.sort_unstable();
        for (rank, (_, at)) in (0..).zip(&order) {
            if let Some(property) = properties.get_mut(*at) {
                property.rank = rank;
            }
        }
        let order = order.into_iter().filter_map(|(_, at)| u32::try_from(at).ok()).collect();
        Self { properties, order }
    }

    pub fn is_empty(&self) -> bool {
        self.properties.is_empty()
    }

    pub fn replace_rules(&mut self, with: impl Fn(RuleId) -> RuleId) {
        for property in &mut self.properties {
            property.rule = with(property.rule);
        }
    }

    pub(super) fn get(&self, place: usize) -> Option<&Property> {
        self.properties.get(place)
    }

    pub(super) fn ranked(&self, rank: u32) -> Option<&Property> {
        self.properties.get(*self.order.get(rank as usize)? as usize)
    }

    /// The place of a name. Payloads tend to have the schema's order, so the places from `hint` on
    /// are tried first.
    #[inline(always)]
    pub(super) fn find(&self, name: &[u8], hint: usize) -> Option<usize> {
        for place in hint..hint + 3 {
            match self.properties.get(place) {
                Some(property) if same(property.name.as_bytes(), name) => return Some(place),
                Some(_) => {}
                None => break,
            }
        }
        self.search(name)
    }

    fn search(&self, name: &[u8]) -> Option<usize> {
        let name_of = |at: u32| self.properties.get(at as usize).map_or(&[][..], |p| p.name.as_bytes());
        self.order
            .binary_search_by(|&at| {
                let other = name_of(at);
                other.len().cmp(&name.len()).then_with(|| other.cmp(name))
            })
            .ok()
            .and_then(|found| self.order.get(found))
            .map(|&at| at as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_each_name_wherever_it_looks_first() {
        let names = ["b", "employee", "a", "employeeId", "", "a name of more than sixteen bytes", "zz"];
        let table = Names::new(names.iter().map(|name| ((*name).to_owned(), 0, false)).collect());
        for hint in 0..9 {
            for (place, name) in names.iter().enumerate() {
                assert_eq!(table.find(name.as_bytes(), hint), Some(place), "{name}");
            }
            for other in ["c", "employer", "employeeIe", "a name of more than sixteen bytez"] {
                assert_eq!(table.find(other.as_bytes(), hint), None, "{other}");
            }
        }
        let ranked: Vec<_> = (0..7).map(|rank| &*table.ranked(rank).unwrap().name).collect();
        assert_eq!(
            ranked,
            ["", "a", "b", "zz", "employee", "employeeId", "a name of more than sixteen bytes"]
        );
    }
}
