//! How rows are cut into statements: few different sizes, so that each statement's text is prepared once and found again.

/// The numbers of rows that a statement may have. 1,024 rows of the widest table stay under SQLite's 32,766 parameters.
pub(super) const BUCKETS: [usize; 11] = [1_024, 512, 256, 128, 64, 32, 16, 8, 4, 2, 1];

/// `rows` in order, cut into pieces whose lengths are all in [`BUCKETS`].
pub(super) fn bucketed<T>(mut rows: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let size = BUCKETS.into_iter().find(|size| *size <= rows.len())?;
        let (piece, rest) = rows.split_at(size);
        rows = rest;
        Some(piece)
    })
}

/// `keys` in order, cut into as few pieces as may be, each filled up with its last key until its length is in [`BUCKETS`]: a key that
/// is looked for twice is found once.
pub(super) fn padded<T: Copy>(keys: &[T]) -> impl Iterator<Item = Vec<T>> {
    keys.chunks(BUCKETS[0]).filter_map(|chunk| {
        let size = BUCKETS.into_iter().filter(|size| *size >= chunk.len()).min()?;
        let filling = chunk.last().into_iter().cycle();
        Some(chunk.iter().chain(filling).take(size).copied().collect())
    })
}

#[cfg(test)]
mod tests {
    use super::{BUCKETS, bucketed, padded};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_row_is_in_one_piece_in_order(rows in proptest::collection::vec(any::<u16>(), 0..2_000)) {
            let pieces: Vec<&[u16]> = bucketed(&rows).collect();
            prop_assert!(pieces.iter().all(|piece| BUCKETS.contains(&piece.len())));
            prop_assert_eq!(pieces.concat(), rows);
        }

        #[test]
        fn every_key_is_looked_for_and_no_other(keys in proptest::collection::vec(any::<u16>(), 0..2_000)) {
            let pieces: Vec<Vec<u16>> = padded(&keys).collect();
            prop_assert!(pieces.iter().all(|piece| BUCKETS.contains(&piece.len())));
            prop_assert_eq!(pieces.len(), keys.len().div_ceil(BUCKETS[0]));
            let mut looked_for = pieces.concat();
            looked_for.dedup();
            let mut wanted = keys;
            wanted.dedup();
            prop_assert_eq!(looked_for, wanted);
        }
    }
}
