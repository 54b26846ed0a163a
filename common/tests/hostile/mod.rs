//! Inputs that nobody should send: random bytes, and real ones that were cut, changed and mixed. The same seed is always
//! the same input.
//!
//! The tests of the decoders and those of a live port include this file.

use std::fs;
use std::path::Path;

/// What a real message or stream is changed into. Each piece promises more than there is.
const BOMBS: [&[u8]; 12] = [
    b"\xff\xff\xff\xff",
    b"\xdd\xff\xff\xff\xff",
    b"\xdf\x7f\xff\xff\xff",
    b"\xdb\xff\xff\xff\xff",
    b"\xc6\xff\xff\xff\xff",
    b"\xc9\xff\xff\xff\xff\x01",
    b"\xdc\xff\xff",
    b"\x02\xff\xff\xff\xff\xff\xff\xff\xff",
    b"\x02\x00\x00\x00\x00\x00\xff\xff\xff",
    b"\x03\x7f\xff\xff\xff\xff\xff\xff\xff",
    b"\x06\x00\x00\x00\x00\x00\x00\xff\xff",
    b"\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00",
];
/// What nests when it is repeated: arrays of one value and maps of one pair.
const NESTS: [&[u8]; 3] = [b"\x91", b"\x81\x00", b"\xdc\x00\x01"];
/// The longest random input, in bytes.
const RANDOM_LEN_MAX: usize = 300;
/// How deep an input nests at most.
const DEPTH_MAX: usize = 5000;

/// A source of hostile inputs.
pub struct Hostile {
    golden: Vec<Vec<u8>>,
}

impl Hostile {
    /// Inputs made from the files of the corpus for `target`, whose first `skip` bytes are for the fuzzer.
    ///
    /// # Panics
    /// There is no such corpus.
    pub fn from_corpus(target: &str, skip: usize) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
        let files = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let mut paths: Vec<_> = files.map(|file| file.expect("a file").path()).collect();
        paths.sort();
        let read = |path: &_| fs::read(path).expect("a readable file")[skip..].to_vec();
        let golden: Vec<_> = paths.iter().map(read).collect();
        assert!(golden.len() > 5, "a corpus is more than {} files", golden.len());
        Self { golden }
    }

    /// The input of this number.
    pub fn input(&self, seed: u64) -> Vec<u8> {
        let mut dice = Dice::new(seed);
        let mut bytes = dice.one_of(&self.golden).clone();
        match dice.below(8) {
            0 => bytes = random(&mut dice),
            1 => bytes.truncate(dice.below(bytes.len() + 1)),
            2 | 3 => change(&mut bytes, &mut dice),
            4 => insert_bomb(&mut bytes, &mut dice),
            5 => {
                let other = dice.one_of(&self.golden);
                bytes = splice(&bytes, other, &mut dice);
            }
            6 => repeat(&mut bytes, &mut dice),
            _ => nest(&mut bytes, &mut dice),
        }
        bytes
    }
}

/// Names the input if a test panics over it.
pub struct Seed(pub u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the hostile input was number {}", self.0);
        }
    }
}

/// Numbers from a seed, after Steele, Lea and Flood's SplitMix.
pub struct Dice(u64);

impl Dice {
    /// The numbers of this seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `bound`, or 0.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % (bound.max(1) as u64)) as usize
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn byte(&mut self) -> u8 {
        self.next() as u8
    }

    fn one_of<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }
}

fn random(dice: &mut Dice) -> Vec<u8> {
    (0..dice.below(RANDOM_LEN_MAX)).map(|_| dice.byte()).collect()
}

fn change(bytes: &mut [u8], dice: &mut Dice) {
    for _ in 0..=dice.below(8) {
        let at = dice.below(bytes.len());
        if let Some(byte) = bytes.get_mut(at) {
            *byte = dice.byte();
        }
    }
}

fn insert_bomb(bytes: &mut Vec<u8>, dice: &mut Dice) {
    let at = dice.below(bytes.len() + 1);
    let replaced = dice.below(5).min(bytes.len() - at);
    bytes.splice(at..at + replaced, dice.one_of(&BOMBS).iter().copied());
}

fn splice(head: &[u8], tail: &[u8], dice: &mut Dice) -> Vec<u8> {
    let (end, start) = (dice.below(head.len() + 1), dice.below(tail.len() + 1));
    [&head[..end], &tail[start..]].concat()
}

fn repeat(bytes: &mut Vec<u8>, dice: &mut Dice) {
    let start = dice.below(bytes.len() + 1);
    let piece = bytes[start..(start + dice.below(40)).min(bytes.len())].to_vec();
    for _ in 0..dice.below(20) {
        bytes.splice(start..start, piece.iter().copied());
    }
}

/// Arrays in arrays, or maps in maps, from some point on.
fn nest(bytes: &mut Vec<u8>, dice: &mut Dice) {
    let at = dice.below(bytes.len() + 1);
    let nested = dice.one_of(&NESTS).repeat(dice.below(DEPTH_MAX));
    bytes.splice(at..at, nested);
}
