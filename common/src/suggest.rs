//! "Did you mean": the valid word that looks most like a mistyped one. Used wherever people type names.

/// The candidate nearest to `word`, if any is near enough to be a slip of the finger.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| {
            (strsim::damerau_levenshtein(&word.to_lowercase(), &candidate.to_lowercase()), candidate)
        })
        .filter(|(distance, candidate)| *distance <= candidate.len().max(word.len()) / 3)
        .min()
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_near_words_are_suggested() {
        let check =
            |word, expected| assert_eq!(nearest(word, ["weight", "wait_time", "tasks"]), expected, "{word}");
        check("wieght", Some("weight"));
        check("Task", Some("tasks"));
        check("wait", None);
        check("colour", None);
    }
}
