//! Inputs that pass the first check: damaged valid bytes, and texts made of meaningful words.

use bolero::{TypeGenerator, produce};

/// Bytes: one of the target's samples, a damaged one, or any bytes.
#[derive(Clone, Debug, TypeGenerator)]
pub(crate) struct Bytes {
    sample: u8,
    #[generator(produce::<Vec<Damage>>().with().len(0..=3_usize))]
    damage: Vec<Damage>,
}

/// A kind of damage to bytes.
#[derive(Clone, Debug, TypeGenerator)]
enum Damage {
    Flip { at: u16, bits: u8 },
    Cut { at: u16 },
    Remove { at: u16, len: u8 },
    Insert { at: u16, bytes: Vec<u8> },
    Repeat { at: u16, len: u8, times: u8 },
    Replace { bytes: Vec<u8> },
}

impl Bytes {
    /// Makes the bytes from the samples of this target.
    pub(crate) fn of(&self, samples: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = samples[usize::from(self.sample) % samples.len()].clone();
        for damage in &self.damage {
            damage.apply(&mut bytes);
        }
        bytes
    }
}

impl Damage {
    fn apply(&self, bytes: &mut Vec<u8>) {
        let place = |at: u16| usize::from(at) % (bytes.len() + 1);
        match self {
            Self::Flip { at, bits } => {
                let at = place(*at);
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= bits;
                }
            }
            Self::Cut { at } => bytes.truncate(place(*at)),
            Self::Remove { at, len } => {
                let (from, until) = (place(*at), place(*at) + usize::from(*len));
                bytes.drain(from..until.min(bytes.len()));
            }
            Self::Insert { at, bytes: more } => {
                let at = place(*at);
                bytes.splice(at..at, more.iter().copied());
            }
            Self::Repeat { at, len, times } => {
                let at = place(*at);
                let piece: Vec<u8> = bytes[at..].iter().take(usize::from(*len)).copied().collect();
                bytes.splice(at..at, piece.repeat(usize::from(*times)));
            }
            Self::Replace { bytes: others } => bytes.clone_from(others),
        }
    }
}

/// A text of the target's words, and characters between them.
#[derive(Clone, Debug, TypeGenerator)]
pub(crate) struct Text {
    #[generator(produce::<Vec<Piece>>().with().len(0..=12_usize))]
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, TypeGenerator)]
enum Piece {
    Word(u8),
    Again { word: u8, times: u16 },
    Ascii(u8),
    Any(char),
}

impl Text {
    /// Makes the text from the words of this target; about 20 kB at most.
    pub(crate) fn of(&self, words: &[&str]) -> String {
        let mut text = String::new();
        let word = |number: u8| words[usize::from(number) % words.len()];
        for piece in &self.pieces {
            match piece {
                Piece::Word(number) => text += word(*number),
                // Occasionally enough to exceed every limit.
                Piece::Again { word: number, times } if times.is_multiple_of(16) => {
                    text += &word(*number).repeat(usize::from(times / 16));
                }
                Piece::Again { word: number, times } => text += &word(*number).repeat(usize::from(times % 4)),
                Piece::Ascii(byte) => text.push(char::from(byte % 128)),
                Piece::Any(character) => text.push(*character),
            }
            if text.len() > 16 * 1024 {
                break;
            }
        }
        text
    }
}
