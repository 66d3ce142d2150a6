//! Cases from a seed.

use tidegate_core::{CheckOptions, PreparedSchema};

use super::Case;
use super::broken::broken;
use super::json::Json;
use super::mutate::{damaged, mutated};
use super::sample::sample;
use super::shape::{Shape, shape};
use super::words::awkward_ids;
use crate::numbers::Numbers;

/// How many schemas in a hundred cannot be used.
const BROKEN: u64 = 20;

/// The case of that number.
pub(super) fn case(seed: u64, number: u64) -> Case {
    let mut numbers = Numbers::nth(seed, number);
    let numbers = &mut numbers;
    let shape = shape(numbers);
    let schema = if numbers.percent(BROKEN) {
        broken(&shape, numbers)
    } else if numbers.percent(20) {
        shape.schema.spelled(numbers)
    } else {
        shape.schema.plain()
    };
    // What is meant to pass is tried out: plans of nothing would show nothing.
    let prepared = PreparedSchema::prepare(schema.as_bytes()).ok();
    let mut maker = Maker { shape, prepared, numbers };
    let payloads = (0..maker.numbers.within(3, 6)).map(|_| maker.payload()).collect();
    let bulks = (0..maker.numbers.below(3)).map(|_| maker.bulks()).collect();
    Case { name: format!("generated/{number}"), schema: schema.into_bytes(), payloads, bulks }
}

struct Maker<'n> {
    shape: Shape,
    prepared: Option<PreparedSchema>,
    numbers: &'n mut Numbers,
}

impl Maker<'_> {
    /// A resource that passes, if the schema lets itself be satisfied in a few attempts.
    fn good(&mut self, id: Option<&str>) -> Json {
        let mut value = Json::Null;
        for _ in 0..8 {
            value = sample(&self.shape.schema, &self.shape.schema, self.numbers);
            if let Some(id) = id {
                value.set_at(&self.shape.id, Json::text(id));
            }
            let passes = |schema: &PreparedSchema| {
                schema.check_one(value.plain().as_bytes(), CheckOptions::default()).is_ok()
            };
            if self.prepared.as_ref().is_none_or(passes) {
                break;
            }
        }
        value
    }

    /// One resource: as the schema wants it, changed at a few places, or damaged.
    fn payload(&mut self) -> Vec<u8> {
        let mut value = self.good(None);
        match self.numbers.below(100) {
            0..50 => {}
            50..56 => {
                let id = Json::text(self.numbers.pick(&awkward_ids()));
                value.set_at(&self.shape.id, id);
            }
            56..88 => {
                for _ in 0..self.numbers.within(1, 3) {
                    value = mutated(&value, &self.shape.id, self.numbers);
                }
            }
            _ => return damaged(&value.plain(), self.numbers),
        }
        written(&value, self.numbers)
    }

    /// A snapshot, and what becomes of it.
    fn bulks(&mut self) -> (Vec<u8>, Vec<u8>) {
        let mut before = Vec::new();
        for number in 0..self.numbers.below(31) {
            let usual = self.numbers.percent(98);
            let id = if usual { format!("r{number}") } else { self.numbers.pick(&awkward_ids()) };
            before.push((self.good(Some(&id)), id));
        }
        let mut after = Vec::new();
        for (item, id) in &before {
            match self.numbers.below(10) {
                0 | 1 => {}
                2..5 => after.push(self.good(Some(id))),
                _ => after.push(item.clone()),
            }
        }
        for number in 0..self.numbers.below(4) {
            after.push(self.good(Some(&format!("new{number}"))));
        }
        if self.numbers.percent(10) {
            after.reverse();
        }
        let before = before.into_iter().map(|(item, _)| item).collect();
        (self.snapshot(before, 10), self.snapshot(after, 20))
    }

    /// The text of a snapshot, which that often in a hundred times has faults.
    fn snapshot(&mut self, mut items: Vec<Json>, chance: u64) -> Vec<u8> {
        let numbers = &mut *self.numbers;
        if numbers.percent(chance) {
            let at = numbers.index(items.len());
            match numbers.below(6) {
                0 => items.extend(items.get(at).cloned()),
                1 => return damaged(&Json::Array(items).plain(), numbers),
                2 => items.push(Json::literal(numbers.pick(&["1", "null", "[]", "\"r1\""]))),
                3 => return items.pop().unwrap_or_default().plain().into_bytes(),
                _ => {
                    if let Some(item) = items.get_mut(at) {
                        *item = mutated(item, &self.shape.id, numbers);
                    }
                }
            }
        }
        written(&Json::Array(items), numbers)
    }
}

fn written(value: &Json, numbers: &mut Numbers) -> Vec<u8> {
    if numbers.percent(40) { value.spelled(numbers).into_bytes() } else { value.plain().into_bytes() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_is_the_same_every_time() {
        for number in [0, 7, 123] {
            let (one, other) = (case(1, number), case(1, number));
            assert_eq!(one.schema, other.schema);
            assert_eq!(one.payloads, other.payloads);
            assert_eq!(one.bulks, other.bulks);
        }
        assert_ne!(case(1, 0).schema, case(2, 0).schema);
    }
}
