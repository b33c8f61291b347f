//! The name that other players see: what can be seen of the name that was asked for, and nobody else's.
//!
//! In: the name of a `Hello` or a ticket, and the names in the room. Out: a name that is no double of another and not the server's. A
//! double gets a mark that all see, the session's number: `Ada (7)`. No player can ask for a name that ends like that. Two names are
//! doubles if a reader can take one for the other (Unicode Technical Standard 39, section 4). Pure.

use crate::room::display_text::is_blank;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::LazyLock;
use tickwire_proto::MAX_NAME_CHARACTERS;
use tickwire_sync::PlayerId;
use unicode_normalization::UnicodeNormalization as _;
use unicode_script::{Script, UnicodeScript as _};
use unicode_security::confusable_detection::skeleton;

/// Names that sound like the server's own. A ticket may carry them: its login service says who is one.
const RESERVED: [&str; 6] = [
    "server",
    "admin",
    "administrator",
    "moderator",
    "operator",
    "system",
];

/// The skeletons of [`RESERVED`].
static RESERVED_KEYS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let keys = RESERVED.iter().flat_map(|name| keys_of(name));
    keys.collect()
});

/// Who says that a name is its player's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NameSource {
    /// The player, in `Hello`.
    Player,
    /// A login service, in a ticket, or the join hook.
    Service,
}

/// The names in a room that have no mark, by their keys.
#[derive(Debug, Default)]
pub struct NameBook {
    holders: HashMap<String, Holder>,
}

#[derive(Clone, Copy, Debug)]
struct Holder {
    player: PlayerId,
    source: NameSource,
}

impl NameBook {
    /// Gives a player a name like the one that was asked for.
    pub fn take(&mut self, asked: &str, source: NameSource, player: PlayerId) -> String {
        let mut name = cleaned_name(asked);
        if is_blank(&name) || (source == NameSource::Player && is_reserved(&name)) {
            name = format!("Player {player}");
        }
        let keys = keys_of(&name);
        if keys.iter().any(|key| self.holders.contains_key(key)) {
            return marked(&name, player);
        }
        let holder = Holder { player, source };
        self.holders.extend(keys.map(|key| (key, holder)));
        name
    }

    /// The players who gave themselves a name that a login service now gives to another. Their names get marks: see [`marked`].
    pub fn displace(&mut self, asked: &str) -> Vec<PlayerId> {
        let mut displaced = Vec::new();
        for key in keys_of(&cleaned_name(asked)) {
            if let Some(Holder {
                player,
                source: NameSource::Player,
            }) = self.holders.get(&key).copied()
            {
                self.holders.retain(|_, holder| holder.player != player);
                displaced.push(player);
            }
        }
        displaced
    }

    /// Where a player's name comes from, if the player holds it; `None` for a marked name, which nobody holds.
    pub fn source_of(&self, name: &str, player: PlayerId) -> Option<NameSource> {
        let mut holders = keys_of(name)
            .into_iter()
            .filter_map(|key| self.holders.get(&key));
        let own = holders.find(|holder| holder.player == player);
        own.map(|holder| holder.source)
    }

    /// Lets a player hold a name again, as before the room was saved.
    pub fn hold(&mut self, name: &str, source: NameSource, player: PlayerId) {
        for key in keys_of(name) {
            self.holders.entry(key).or_insert(Holder { player, source });
        }
    }

    /// Gives the name of a player who has gone back.
    pub fn give_back(&mut self, name: &str, player: PlayerId) {
        for key in keys_of(name) {
            // A marked name is in nobody's way, and is not here.
            if (self.holders.get(&key)).is_some_and(|holder| holder.player == player) {
                self.holders.remove(&key);
            }
        }
    }
}

/// The name with the player's mark, no longer than names are.
pub fn marked(name: &str, player: PlayerId) -> String {
    let mark = format!(" ({player})");
    let length = MAX_NAME_CHARACTERS.saturating_sub(mark.chars().count());
    let start: String = name.chars().take(length).collect();
    format!("{}{mark}", start.trim_end())
}

/// What can be seen of a name, without an ending like a mark.
fn cleaned_name(name: &str) -> String {
    // More than a message of names can have; what comes later is cut off in any case.
    const MAX_READ: usize = 8 * MAX_NAME_CHARACTERS;
    let characters: Vec<char> = name.chars().take(MAX_READ).collect();
    let mut visible = String::new();
    for (index, character) in characters.iter().copied().enumerate() {
        let next = characters.get(index + 1).copied();
        if character.is_whitespace() {
            // Rows of spaces look like one, or like the end of the name.
            if !visible.is_empty() && !visible.ends_with(' ') {
                visible.push(' ');
            }
        } else if is_kept(character, visible.chars().next_back(), next) {
            visible.push(character);
        }
    }
    let short: String = visible.chars().take(MAX_NAME_CHARACTERS).collect();
    let mut name = short.trim_end().to_owned();
    while ends_like_a_mark(&name) {
        let open = |name: &str| {
            name.nfkc()
                .filter(|character| is_opening(*character))
                .count()
        };
        let before = open(&name);
        while open(&name) == before && name.pop().is_some() {}
        name.truncate(name.trim_end().len());
    }
    name
}

/// Whether a character of a name can be seen, or is needed by the ones beside it.
fn is_kept(character: char, before: Option<char>, next: Option<char>) -> bool {
    let both = |is: fn(char) -> bool| before.is_some_and(is) && next.is_some_and(is);
    match character {
        // Joiners shape the letters of some scripts, and put emoji together.
        '\u{200C}' => both(is_joining_letter),
        '\u{200D}' => both(is_joining_letter) || both(is_emoji_like),
        // Variants of emoji, and keys such as 1 with a frame.
        '\u{FE0E}' | '\u{FE0F}' => before.is_some_and(is_emoji_like) || next == Some('\u{20E3}'),
        _ => !character.is_control() && !is_invisible(character),
    }
}

/// Whether a character shows nothing (`Default_Ignorable_Code_Point`), is a filler or a blank, or changes the direction of others.
fn is_invisible(character: char) -> bool {
    matches!(
        character,
        '\u{00AD}' | '\u{034F}' | '\u{061C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}'
        | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}'
        | '\u{2060}'..='\u{206F}' | '\u{2800}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}'
        | '\u{FFA0}' | '\u{FFF0}'..='\u{FFFB}' | '\u{1BCA0}'..='\u{1BCA3}' | '\u{1D173}'..='\u{1D17A}'
        | '\u{E0000}'..='\u{E0FFF}'
    )
}

/// Whether a character belongs to a script whose letters joiners shape (Unicode Standard Annex 31, section 2.3).
fn is_joining_letter(character: char) -> bool {
    matches!(
        character.script(),
        Script::Arabic
            | Script::Syriac
            | Script::Mongolian
            | Script::Nko
            | Script::Devanagari
            | Script::Bengali
            | Script::Gurmukhi
            | Script::Gujarati
            | Script::Oriya
            | Script::Tamil
            | Script::Telugu
            | Script::Kannada
            | Script::Malayalam
            | Script::Sinhala
            | Script::Khmer
            | Script::Myanmar
            | Script::Tibetan
    )
}

/// Whether a character is a picture, or part of one.
fn is_emoji_like(character: char) -> bool {
    matches!(
        character,
        '\u{00A9}' | '\u{00AE}' | '\u{203C}' | '\u{2049}' | '\u{2122}' | '\u{2139}'
        | '\u{2190}'..='\u{27BF}' | '\u{2900}'..='\u{2BFF}' | '\u{3030}' | '\u{303D}' | '\u{3297}' | '\u{3299}'
        | '\u{FE0F}' | '\u{1F000}'..='\u{1FAFF}'
    )
}

/// Whether a name ends with a number in brackets, in any script and width.
fn ends_like_a_mark(name: &str) -> bool {
    let mut rest = name.nfkc().collect::<Vec<char>>().into_iter().rev();
    if !rest.next().is_some_and(is_closing) {
        return false;
    }
    let is_digit = |character: &char| character.is_numeric() || character.is_whitespace();
    let mut digits = 0;
    for character in rest {
        if is_digit(&character) {
            digits += 1;
        } else {
            return digits > 0 && is_opening(character);
        }
    }
    false
}

fn is_opening(character: char) -> bool {
    matches!(
        character,
        '(' | '[' | '{' | '\u{2768}' | '\u{276A}' | '\u{2772}' | '\u{3014}' | '\u{FD3F}'
    )
}

fn is_closing(character: char) -> bool {
    matches!(
        character,
        ')' | ']' | '}' | '\u{2769}' | '\u{276B}' | '\u{2773}' | '\u{3015}' | '\u{FD3E}'
    )
}

/// What names that look alike have in common. There are two, because capitals look like other letters than small ones do: `I` like `l`.
fn keys_of(name: &str) -> [String; 2] {
    let seen = |name: &str| {
        let visible = |character: &char| !is_invisible(*character) && !character.is_whitespace();
        name.nfkc().filter(visible).collect::<String>()
    };
    let name = seen(name);
    let small: String = skeleton(&name.to_lowercase()).collect();
    let lowered = skeleton(&name).collect::<String>().to_lowercase();
    [small, lowered]
}

/// Whether a name passes for one of the server's, whatever signs and digits are around it.
fn is_reserved(name: &str) -> bool {
    let letters: String = name
        .nfkc()
        .filter(|character| character.is_alphabetic())
        .collect();
    keys_of(&letters)
        .iter()
        .any(|key| RESERVED_KEYS.contains(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names that players get who ask for these, one after the other.
    fn names(asked: &[&str]) -> Vec<String> {
        let mut book = NameBook::default();
        let numbered = asked.iter().zip(1..);
        let take =
            |(name, number): (&&str, u32)| book.take(name, NameSource::Player, PlayerId(number));
        numbered.map(take).collect()
    }

    #[test]
    fn invisible_characters_leave_a_name() {
        for asked in [
            "A\u{34F}da",
            "A\u{200D}da",
            "A\u{200C}da",
            "Ada\u{3164}",
            "Ada\u{FFA0}",
            "Ada\u{2800}",
            "\u{202E}Ada\u{202C}",
            "A\u{FE0F}da",
            "A\u{E0100}da",
            "A\u{E0041}da",
            "A\u{AD}d\u{200B}a\n",
            "\u{A0} Ada \u{2003}",
        ] {
            assert_eq!(names(&[asked]), ["Ada"], "{asked:?}");
        }
        assert_eq!(names(&["Ada \u{A0}\u{3164} L"]), ["Ada L"]);
        for blank in ["", "  ", "\u{200D}\u{FE0F}", "\u{3164}\u{2800}"] {
            assert_eq!(names(&[blank]), ["Player 1"], "{blank:?}");
        }
    }

    #[test]
    fn names_of_all_scripts_are_kept() {
        for asked in [
            "Ada",
            "Łukasz 🚀",
            "قاسم",
            "می\u{200C}خواهم",
            "שלום",
            "नमस्ते",
            "क्\u{200D}ष",
            "👩\u{200D}🚀",
            "👩🏽\u{200D}❤\u{FE0F}\u{200D}👨",
            "1\u{FE0F}\u{20E3} one",
            "Ада",
            "山田 太郎",
            "Zoë",
            "O'Neill (IRL)",
        ] {
            assert_eq!(names(&[asked]), [asked]);
        }
    }

    #[test]
    fn a_double_and_a_look_alike_get_a_mark() {
        for double in [
            "Ada",
            "ada",
            "ADA",
            "Ad\u{430}",
            "\u{410}da",
            "Ａｄａ",
            "𝐀𝐝𝐚",
            "A d a",
            "A\u{200D}da",
            "Ada (2)",
        ] {
            let got = names(&["Ada", double]);
            assert_eq!(got[0], "Ada");
            assert!(got[1].ends_with(" (2)"), "{double:?}: {got:?}");
            assert_eq!(got[1].matches('(').count(), 1, "{got:?}");
        }
        assert_eq!(
            names(&["Bill", "BiII", "Bi11"])[1..],
            ["BiII (2)", "Bi11 (3)"]
        );
        assert_eq!(names(&["قاسم", "قا\u{200C}سم"])[1], "قا\u{200C}سم (2)");
    }

    #[test]
    fn nobody_can_ask_for_a_mark() {
        for asked in [
            "Ada (2)",
            "Ada(12)",
            "Ada （２）",
            "Ada ⑵",
            "Ada (٢)",
            "Ada [2]",
            "Ada (2) (3)",
            "Ada (2\u{200B})",
            "Ada ( 2 )",
            "Ada (2) ",
        ] {
            assert_eq!(names(&[asked]), ["Ada"], "{asked}");
        }
        assert_eq!(names(&["(2)"]), ["Player 1"]);
    }

    #[test]
    fn a_marked_name_is_no_longer_than_others() {
        let long = "x".repeat(40);
        let got = names(&[&long, &long]);
        assert_eq!(got[0].chars().count(), MAX_NAME_CHARACTERS);
        assert_eq!(
            got[1],
            format!("{} (2)", "x".repeat(MAX_NAME_CHARACTERS - 4))
        );
    }

    #[test]
    fn the_servers_names_are_nobodys_unless_a_ticket_says_so() {
        for asked in [
            "server",
            "Admin",
            "MODERATOR",
            "s\u{435}rver",
            "\u{410}dmin",
            "[admin]",
            "admin 2",
            "A\u{34F}dmin",
            "Ｓｅｒｖｅｒ",
        ] {
            assert_eq!(names(&[asked]), ["Player 1"], "{asked}");
        }
        for fine in ["Servera", "Badmin", "observer"] {
            assert_eq!(names(&[fine]), [fine]);
        }
        let mut book = NameBook::default();
        let of_ticket = book.take("Admin", NameSource::Service, PlayerId(1));
        assert_eq!(of_ticket, "Admin");
    }

    #[test]
    fn a_services_name_takes_the_place_of_a_self_given_one() {
        let mut book = NameBook::default();
        book.take("Ad\u{430}", NameSource::Player, PlayerId(1));
        assert_eq!(book.displace("Ada"), [PlayerId(1)]);
        let ada = book.take("Ada", NameSource::Service, PlayerId(2));
        assert_eq!(
            (&*ada, &*marked("Ad\u{430}", PlayerId(1))),
            ("Ada", "Ad\u{430} (1)")
        );
        // Two services' names are equal: the first keeps it.
        assert_eq!(book.displace("Ada"), []);
        assert_eq!(
            book.take("Ada", NameSource::Service, PlayerId(3)),
            "Ada (3)"
        );
    }

    #[test]
    fn a_name_is_free_again_when_its_player_has_gone() {
        let mut book = NameBook::default();
        let take =
            |book: &mut NameBook, number| book.take("Ada", NameSource::Player, PlayerId(number));
        assert_eq!([take(&mut book, 1), take(&mut book, 2)], ["Ada", "Ada (2)"]);
        book.give_back("Ada (2)", PlayerId(2));
        assert_eq!(take(&mut book, 3), "Ada (3)");
        book.give_back("Ada", PlayerId(1));
        assert_eq!(take(&mut book, 4), "Ada");
        assert!(book.holders.len() <= 2);
    }
}
