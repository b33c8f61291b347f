//! What players write, as others may see it: names and lines of chat.
//!
//! In: whatever came. Out: the same without what would do something to the text around it, or can't be seen.

/// The text without control characters, those of direction included, and without what has no width and no meaning of its own;
/// cut after so many characters.
pub fn cleaned(text: &str, most: usize) -> String {
    let is_kept = |character: &char| !character.is_control() && !is_treacherous(*character);
    text.chars().filter(is_kept).take(most).collect()
}

/// Whether nothing of it can be seen.
pub fn is_blank(text: &str) -> bool {
    text.chars().all(|character| {
        character.is_whitespace() || is_joiner(character) || is_empty_letter(character)
    })
}

/// Characters that turn the direction of what follows, and invisible ones that are only there to make two texts differ
/// (Unicode Standard Annex 9, and Technical Report 36).
fn is_treacherous(character: char) -> bool {
    matches!(
        character,
        // Marks, embeddings, overrides and isolates of direction.
        '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{206F}'
        // Soft hyphen, zero-width spaces, invisible operators, separators of lines, tags, interlinear marks.
        | '\u{00AD}' | '\u{180E}' | '\u{200B}' | '\u{2028}' | '\u{2029}' | '\u{2060}'..='\u{2065}'
        | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E007F}'
    )
}

/// Joiners and selectors of variants: scripts and emoji need them, but they are nothing by themselves.
fn is_joiner(character: char) -> bool {
    matches!(
        character,
        '\u{034F}' | '\u{200C}' | '\u{200D}' | '\u{FE00}'..='\u{FE0F}'
    )
}

/// Letters that are drawn as nothing.
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
    fn a_text_stays_but_for_what_tricks_the_eye() {
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
