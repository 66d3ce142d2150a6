//! The properties of an object, looked up by name.

use super::RuleId;
use crate::cbor;
use crate::document::{name_order, same};

/// Properties in the digest's order, and a table to find them by name.
#[derive(Debug, Default)]
pub struct Names {
    properties: Vec<Property>,
    /// Ranks plus one, at the places that the names' hashes say or behind; 0 where there is none.
    /// Empty if some names would be too far from their places.
    table: Vec<u32>,
}

/// A property that a schema names.
#[derive(Debug)]
pub(super) struct Property {
    name: Box<str>,
    pub(super) rule: RuleId,
    pub(super) required: bool,
    /// Its name as it is in the digest's encoding.
    encoded: cbor::Short,
}

impl Property {
    #[inline(always)]
    pub(super) fn write_name(&self, out: &mut Vec<u8>) {
        self.encoded.write(out);
    }
}

/// How far from its place a name may be.
const FARTHEST: usize = 32;

impl Names {
    /// From names, each once, with their rules and whether they have to be there.
    pub fn new(entries: Vec<(String, RuleId, bool)>) -> Self {
        let mut properties: Vec<_> = entries
            .into_iter()
            .map(|(name, rule, required)| {
                let mut encoded = Vec::new();
                cbor::text(&mut encoded, name.as_bytes(), name.len());
                Property { name: name.into(), rule, required, encoded: encoded.into() }
            })
            .collect();
        properties.sort_unstable_by(|a, b| name_order(a.name.as_bytes(), b.name.as_bytes()));
        let table = table(&properties).unwrap_or_default();
        Self { properties, table }
    }

    pub fn is_empty(&self) -> bool {
        self.properties.is_empty()
    }

    pub fn replace_rules(&mut self, with: impl Fn(RuleId) -> RuleId) {
        for property in &mut self.properties {
            property.rule = with(property.rule);
        }
    }

    /// The property with that place in the digest's order.
    #[inline(always)]
    pub(super) fn ranked(&self, rank: u64) -> Option<&Property> {
        self.properties.get(usize::try_from(rank).ok()?)
    }

    /// The property of that name, with its place in the digest's order.
    #[inline(always)]
    pub(super) fn find(&self, name: &[u8]) -> Option<(u32, &Property)> {
        let mask = self.table.len().wrapping_sub(1);
        let mut place = hash(name) & mask;
        loop {
            let Some(&entry) = self.table.get(place) else { return self.search(name) };
            let rank = entry.checked_sub(1)?;
            let property = self.properties.get(rank as usize)?;
            if same(property.name.as_bytes(), name) {
                return Some((rank, property));
            }
            place = (place + 1) & mask;
        }
    }

    /// Likewise, without the table.
    fn search(&self, name: &[u8]) -> Option<(u32, &Property)> {
        let compare = |property: &Property| name_order(property.name.as_bytes(), name);
        let rank = self.properties.binary_search_by(compare).ok()?;
        Some((u32::try_from(rank).ok()?, self.properties.get(rank)?))
    }
}

/// A table with four places for each name, or `None` if a name cannot have one near its own.
fn table(properties: &[Property]) -> Option<Vec<u32>> {
    let mut table = vec![0_u32; (properties.len() * 4).next_power_of_two()];
    let mask = table.len() - 1;
    for (number, property) in (1..).zip(properties) {
        let first = hash(property.name.as_bytes());
        let free =
            (first..first + FARTHEST).map(|place| place & mask).find(|&place| table.get(place) == Some(&0));
        *table.get_mut(free?)? = number;
    }
    Some(table)
}

/// A few instructions that tell most names apart: of the length and both ends.
#[inline(always)]
fn hash(name: &[u8]) -> usize {
    let (first, last) = match (name.first_chunk::<8>(), name.last_chunk::<8>()) {
        (Some(first), Some(last)) => (u64::from_le_bytes(*first), u64::from_le_bytes(*last)),
        _ => match (name.first_chunk::<4>(), name.last_chunk::<4>()) {
            (Some(first), Some(last)) => {
                (u64::from(u32::from_le_bytes(*first)), u64::from(u32::from_le_bytes(*last)))
            }
            _ => (name.iter().fold(0, |first, &byte| first << 8 | u64::from(byte)), 0),
        },
    };
    let mixed = (first ^ last.rotate_left(29) ^ name.len() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 32) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(names: &[String], others: &[&str]) {
        let table = Names::new(names.iter().map(|name| (name.clone(), 0, false)).collect());
        let mut sorted = names.to_vec();
        sorted.sort_by_key(|name| (name.len(), name.clone()));
        for (rank, name) in (0..).zip(&sorted) {
            assert_eq!(table.find(name.as_bytes()).map(|(rank, _)| rank), Some(rank), "{name}");
            assert_eq!(*table.ranked(rank.into()).unwrap().name, **name);
        }
        for other in others {
            assert!(table.find(other.as_bytes()).is_none(), "{other}");
        }
    }

    #[test]
    fn finds_each_name_and_no_other() {
        check(&[], &["", "a"]);
        let names =
            ["b", "employee", "a", "employeeId", "", "a name of more than sixteen bytes", "zz", "name"];
        check(
            &names.map(str::to_owned),
            &["c", "employer", "employeeIe", "a name of more than sixteen bytez", "nome", "zzz"],
        );
        check(&(0..5000).map(|number| format!("name{number}")).collect::<Vec<_>>(), &["name5000", "n"]);
    }

    /// Names that differ only where the hash does not look.
    #[test]
    fn finds_names_that_have_one_hash() {
        let names: Vec<_> = (0..500).map(|number| format!("beginning{number:03}the end of it")).collect();
        check(&names, &["beginning500the end of it"]);
    }
}
