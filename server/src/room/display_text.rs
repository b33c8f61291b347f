//! Cleans names and lines of chat before other players see them. Pure.
//!
//! In: text of any kind. Out: the text without characters that change the text around it, or that cannot be seen.

/// The text without control characters, direction marks, and invisible characters without a meaning of their own; cut after
/// `max_characters`.
pub fn cleaned(text: &str, max_characters: usize) -> String {
    let is_kept = |character: &char| !character.is_control() && !is_deceptive(*character);
    text.chars().filter(is_kept).take(max_characters).collect()
}

/// Whether nothing of the text can be seen.
pub fn is_blank(text: &str) -> bool {
    text.chars().all(|character| {
        character.is_whitespace() || is_joiner(character) || is_empty_letter(character)
    })
}

/// Whether a character changes the direction of the text after it, or is invisible and only makes two texts differ (Unicode
/// Standard Annex 9, and Technical Report 36).
fn is_deceptive(character: char) -> bool {
    matches!(
        character,
        // Direction marks, embeddings, overrides and isolates.
        '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{206F}'
        // Soft hyphen, zero-width spaces, invisible operators, line separators, tags, interlinear marks.
        | '\u{00AD}' | '\u{180E}' | '\u{200B}' | '\u{2028}' | '\u{2029}' | '\u{2060}'..='\u{2065}'
        | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E007F}'
    )
}

/// Whether a character is a joiner or a variation selector: scripts and emoji need them, but they show nothing by themselves.
fn is_joiner(character: char) -> bool {
    matches!(
        character,
        '\u{034F}' | '\u{200C}' | '\u{200D}' | '\u{FE00}'..='\u{FE0F}'
    )
}

/// Whether a character is a letter that is drawn as nothing.
fn is_empty_letter(character: char) -> bool {
    matches!(
        character,
        '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}' | '\u{2800}' | '\u{3164}' | '\u{FFA0}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_deceptive_characters_are_removed() {
        for plain in [
            "Ada",
            "Łukasz 🚀",
            "قاسم",
            "می\u{200C}خواهم",
            "👩\u{200D}🚀",
        ] {
            assert_eq!(cleaned(plain, 24), plain);
            assert!(!is_blank(plain));
        }
        assert_eq!(cleaned("\u{202E}evil\u{202C}\u{200B}\n", 24), "evil");
        assert_eq!(cleaned("abcdef", 3), "abc");
        for blank in [
            "",
            "  ",
            "\u{200B}\u{FEFF}",
            "\u{200D}\u{FE0F}",
            "\u{3164}\u{2800}",
        ] {
            assert!(is_blank(&cleaned(blank, 24)), "{blank:?}");
        }
    }
}
