//! What a reader typed, as words to search for.

/// Splits at everything that is neither letter nor digit, and folds case.
///
/// Nothing of an index's query language survives, so the words can be put into a query as they are.
pub fn words(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn operators_of_a_query_language_do_not_survive() {
        assert_eq!(words("Two* \"Cities\" -paris"), ["two", "cities", "paris"]);
    }
}
