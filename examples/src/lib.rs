//! Programs that a user of Tidegate would start from.
