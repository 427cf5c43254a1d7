//! Scenarios of a growing body, with Rust bytes in place of JavaScript buffers.

use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::Wake;

use futures::FutureExt;
use proptest::prelude::*;

use super::state::WINDOW;
use super::*;

impl Chunk for Bytes {
    fn bytes(&self) -> u64 {
        self.len() as u64
    }

    fn rest(&self, taken: u64) -> Self {
        Rc::new(self[usize::try_from(taken).unwrap()..].to_vec())
    }

    fn join<'a>(chunks: impl Iterator<Item = &'a Self>, bytes: u64) -> Self {
        let joined: Vec<u8> = chunks.flat_map(|chunk| chunk.iter().copied()).collect();
        assert_eq!(joined.len() as u64, bytes);
        Rc::new(joined)
    }
}

type Bytes = Rc<Vec<u8>>;
type TestReader = Reader<Bytes>;

/// The result of a read at this moment.
#[derive(Debug, PartialEq, Eq)]
enum Got {
    Bytes(String),
    Nothing,
    End,
    Error,
}

fn ask(reader: &mut TestReader) -> Got {
    match reader.next().now_or_never() {
        Some(Some(Ok(chunk))) => Got::Bytes(String::from_utf8(chunk.to_vec()).unwrap()),
        Some(Some(Err(BrokenOff))) => Got::Error,
        Some(None) => Got::End,
        None => Got::Nothing,
    }
}

fn bytes(text: &str) -> Got {
    Got::Bytes(text.to_owned())
}

fn chunk(text: &str) -> Bytes {
    Rc::new(text.as_bytes().to_vec())
}

fn grow(limit: u64) -> (Writer<Bytes>, Body<Bytes>, Rc<Account>) {
    let budget = Rc::new(Account::new(100));
    let (writer, body) = Body::grow(limit, &budget);
    (writer, body, budget)
}

fn is_ready(future: impl Future) -> bool {
    future.now_or_never().is_some()
}

#[test]
fn whoever_joins_late_gets_what_was_missed() {
    let (mut writer, body, budget) = grow(10);
    let mut early = body.reader().unwrap();
    assert_eq!(ask(&mut early), Got::Nothing);
    assert_eq!(writer.push(chunk("ab")), Fit::Within);
    assert_eq!([ask(&mut early), ask(&mut early)], [bytes("ab"), Got::Nothing]);
    assert_eq!(writer.push(chunk("cd")), Fit::Within);
    let mut late = body.reader().unwrap();
    assert_eq!([ask(&mut late), ask(&mut late), ask(&mut late)], [bytes("ab"), bytes("cd"), Got::Nothing]);
    assert_eq!((body.bytes(), budget.held()), (None, 4));

    assert_eq!(writer.push(chunk("e")), Fit::Within);
    assert_eq!(ask(&mut late), bytes("e"));
    assert_eq!(writer.end(), Some(chunk("abcde")));
    assert_eq!([ask(&mut late), ask(&mut early), ask(&mut early)], [Got::End, bytes("cde"), Got::End]);
    let mut last = body.reader().unwrap();
    assert_eq!([ask(&mut last), ask(&mut last)], [bytes("abcde"), Got::End]);
    assert_eq!((body.bytes(), budget.held()), (Some(chunk("abcde")), 0));
}

#[derive(Default)]
struct Woken(AtomicU32);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn whoever_waits_is_woken() {
    let (mut writer, body, _) = grow(1);
    let mut reader = body.reader().unwrap();
    let woken = Arc::new(Woken::default());
    let (waker, count) = (Waker::from(Arc::clone(&woken)), || woken.0.swap(0, Ordering::Relaxed));
    let mut context = Context::from_waker(&waker);
    let large = || Rc::new(vec![0; usize::try_from(WINDOW).unwrap() + 1]);

    assert!(reader.poll_next_unpin(&mut context).is_pending());
    writer.push(large());
    assert_eq!(count(), 1);
    assert!(pin!(writer.room()).poll(&mut context).is_pending());
    assert!(reader.poll_next_unpin(&mut context).is_ready());
    assert_eq!(count(), 1);
    assert!(reader.poll_next_unpin(&mut context).is_pending());
    writer.push(large());
    assert_eq!(count(), 1);
    assert!(pin!(writer.room()).poll(&mut context).is_pending());
    drop(reader);
    assert_eq!(count(), 1);
    drop(writer);

    for ends in [true, false] {
        let (writer, body, _) = grow(1);
        let mut reader = body.reader().unwrap();
        assert!(reader.poll_next_unpin(&mut context).is_pending());
        if ends {
            writer.end();
        } else {
            drop(writer);
        }
        assert_eq!(count(), 1);
    }
}

#[test]
fn a_body_that_breaks_off_never_ends_cleanly() {
    let (mut writer, body, budget) = grow(10);
    let mut reader = body.reader().unwrap();
    writer.push(chunk("ab"));
    drop(writer);
    assert_eq!([ask(&mut reader), ask(&mut reader)], [Got::Error, Got::Error]);
    assert!(body.reader().is_none());
    assert_eq!((body.bytes(), budget.held()), (None, 0));
}

#[test]
fn over_the_bound_it_streams_on_to_those_who_have_joined() {
    let (mut writer, body, budget) = grow(4);
    let [mut quick, mut slow] = [body.reader().unwrap(), body.reader().unwrap()];
    writer.push(chunk("abc"));
    assert_eq!(ask(&mut quick), bytes("abc"));
    assert_eq!(writer.push(chunk("de")), Fit::Over);
    assert!(body.reader().is_none());
    assert_eq!(writer.room().now_or_never(), Some(Ok(())));
    assert_eq!([ask(&mut quick), ask(&mut quick)], [bytes("de"), Got::Nothing]);
    assert_eq!(budget.held(), 5, "kept for the slow one");
    assert_eq!([ask(&mut slow), ask(&mut slow)], [bytes("abc"), bytes("de")]);
    assert_eq!(budget.held(), 0);
    assert_eq!(writer.push(chunk("f")), Fit::Over);
    assert_eq!(writer.end(), None);
    for reader in [&mut quick, &mut slow] {
        assert_eq!([ask(reader), ask(reader)], [bytes("f"), Got::End]);
    }
    assert_eq!(body.bytes(), None);
}

#[test]
fn over_the_bound_the_slowest_reader_is_waited_for_and_no_other() {
    let (mut writer, body, _) = grow(4);
    let [mut quick, mut slow] = [body.reader().unwrap(), body.reader().unwrap()];
    let large = Rc::new(vec![b'x'; usize::try_from(WINDOW).unwrap() + 1]);
    writer.push(Rc::clone(&large));
    assert!(!is_ready(writer.room()));
    assert!(matches!(ask(&mut quick), Got::Bytes(_)));
    assert!(!is_ready(writer.room()));
    assert!(matches!(ask(&mut slow), Got::Bytes(_)));
    assert!(is_ready(writer.room()));

    writer.push(large);
    assert!(matches!(ask(&mut quick), Got::Bytes(_)));
    assert!(!is_ready(writer.room()));
    drop(slow);
    assert_eq!(writer.room().now_or_never(), Some(Ok(())));
    drop(quick);
    assert_eq!(writer.room().now_or_never(), Some(Err(Deserted)));
    drop(writer);
}

#[test]
fn a_reader_that_holds_up_the_others_is_let_go() {
    let (mut writer, body, _) = grow(0);
    let [mut quick, mut gone] = [body.reader().unwrap(), body.reader().unwrap()];
    writer.push(Rc::new(vec![b'x'; usize::try_from(WINDOW).unwrap() + 1]));
    assert!(matches!(ask(&mut quick), Got::Bytes(_)));
    assert_eq!((writer.taken_by_all(), is_ready(writer.room())), (0, false));
    writer.let_go();
    assert_eq!((writer.taken_by_all(), is_ready(writer.room())), (1, true));
    assert_eq!(ask(&mut gone), Got::Error);
    writer.push(chunk("a"));
    assert_eq!(ask(&mut quick), bytes("a"));
    drop(gone);
    writer.let_go();
    writer.end();
    assert_eq!(ask(&mut quick), Got::End, "whoever has all there is holds up nobody");
}

#[test]
fn a_wide_body_that_breaks_off_never_ends_cleanly() {
    let (mut writer, body, _) = grow(1);
    let mut reader = body.reader().unwrap();
    writer.push(chunk("abc"));
    assert_eq!(ask(&mut reader), bytes("abc"));
    drop(writer);
    assert_eq!(ask(&mut reader), Got::Error);
}

#[test]
fn bodies_share_a_budget() {
    let (mut first, _, budget) = grow(100);
    let (mut second, body) = Body::grow(100, &budget);
    let mut reader = body.reader().unwrap();
    assert_eq!(first.push(Rc::new(vec![0; 99])), Fit::Within);
    assert_eq!(second.push(chunk("a")), Fit::Within);
    assert_eq!(second.push(chunk("b")), Fit::NoRoom, "it is within its own bound");
    assert_eq!([ask(&mut reader), ask(&mut reader)], [bytes("a"), bytes("b")]);
    drop((first, second, body, reader));
    assert_eq!(budget.held(), 0);
}

#[test]
fn while_the_budget_is_used_up_a_wide_body_goes_no_faster_than_its_readers() {
    let (mut first, _first_body, budget) = grow(100);
    let (mut wide, body) = Body::grow(0, &budget);
    let mut reader = body.reader().unwrap();
    assert_eq!(first.push(Rc::new(vec![0; 99])), Fit::Within);
    assert_eq!(wide.push(chunk("ab")), Fit::Over);
    assert!(!is_ready(wide.room()));
    assert_eq!(ask(&mut reader), bytes("ab"));
    assert!(is_ready(wide.room()));
    first.end();
    assert_eq!(wide.push(chunk("cd")), Fit::Over);
    assert!(is_ready(wide.room()));
    assert_eq!(ask(&mut reader), bytes("cd"));
}

proptest! {
    /// In any order of pushes, reads, joins and departures, a reader has a prefix of the sent bytes, and all of them at
    /// a clean end. At the end the budget is free again.
    #[test]
    fn readers_get_a_prefix_of_what_was_sent(
        steps in prop::collection::vec((0..5_u8, 0..6_usize), 0..80),
        limit in 0..40_u64,
        ends in any::<bool>(),
    ) {
        let (mut writer, body, budget) = grow(limit);
        let mut sent = Vec::new();
        let mut readers: Vec<(TestReader, Vec<u8>)> = Vec::new();
        for (step, n) in steps {
            match step {
                0 | 1 => {
                    let chunk: Vec<u8> = (0..n).map(|i| u8::try_from((sent.len() + i) % 251).unwrap()).collect();
                    sent.extend_from_slice(&chunk);
                    writer.push(Rc::new(chunk));
                }
                2 => readers.extend(body.reader().map(|reader| (reader, Vec::new()))),
                3 if n < readers.len() => drop(readers.swap_remove(n)),
                _ => {
                    if let Some((reader, got)) = readers.get_mut(n)
                        && let Some(Some(Ok(chunk))) = reader.next().now_or_never()
                    {
                        got.extend_from_slice(&chunk);
                    }
                }
            }
            prop_assert!(readers.iter().all(|(_, got)| sent.starts_with(got)));
        }
        if ends {
            let whole = writer.end();
            prop_assert_eq!(whole.is_some(), sent.len() as u64 <= limit && sent.len() <= 100);
        } else {
            drop(writer);
        }
        for (mut reader, mut got) in readers {
            let last = loop {
                match reader.next().now_or_never() {
                    Some(Some(Ok(chunk))) => got.extend_from_slice(&chunk),
                    last => break last,
                }
            };
            prop_assert_eq!(last, if ends { Some(None) } else { Some(Some(Err(BrokenOff))) });
            prop_assert!(sent.starts_with(&got));
            prop_assert!(!ends || got == sent);
        }
        drop(body);
        prop_assert_eq!(budget.held(), 0);
    }
}
