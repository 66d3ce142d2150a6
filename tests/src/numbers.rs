//! Numbers that look like chance and are the same in every run.

/// A repeatable sequence (splitmix64).
#[derive(Debug, Clone)]
pub struct Numbers(u64);

impl Numbers {
    /// The sequence of that seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The sequence of the `nth` part of what has that seed, whatever the parts before it took.
    pub fn nth(seed: u64, nth: u64) -> Self {
        let mut mixing = Self(seed ^ nth.wrapping_mul(0xd1b5_4a32_d192_ed03));
        Self(mixing.next())
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`; 0 where there is none.
    pub fn below(&mut self, end: u64) -> u64 {
        self.next().checked_rem(end).unwrap_or_default()
    }

    /// A number from the first to the last, both included.
    pub fn within(&mut self, first: u64, last: u64) -> u64 {
        first.saturating_add(self.below(last.saturating_sub(first).saturating_add(1)))
    }

    /// True that often in a hundred times.
    pub fn percent(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }

    /// An index of a list of that length.
    pub fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap_or_default()
    }

    /// One element of a list; the default of an empty one.
    pub fn pick<T: Clone + Default>(&mut self, list: &[T]) -> T {
        list.get(self.index(list.len())).cloned().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_is_splitmix64() {
        let mut numbers = Numbers::new(0);
        assert_eq!([numbers.next(), numbers.next()], [0xe220_a839_7b1d_cdaf, 0x6e78_9e6a_a1b9_65f4]);
    }

    #[test]
    fn nothing_to_choose_from_is_no_panic() {
        let mut numbers = Numbers::new(1);
        assert_eq!((numbers.below(0), numbers.index(0)), (0, 0));
        assert_eq!(numbers.pick::<&str>(&[]), "");
        assert_eq!(numbers.within(7, 7), 7);
    }

    #[test]
    fn parts_have_sequences_of_their_own() {
        assert_ne!(Numbers::nth(1, 0).next(), Numbers::nth(1, 1).next());
        assert_ne!(Numbers::nth(1, 1).next(), Numbers::nth(2, 1).next());
    }
}
