use super::*;
use crate::invalidation::{FeedPage, Invalidation, LogId, LogPosition, Mode, Refresh, Target};
use crate::visit::FeedRefresh;

const BOUND: Duration = Duration::from_secs(10);
const TERMS: FeedTerms = FeedTerms { bound: BOUND, mode: FeedMode::Push };
const ROOT: TagIndexName = TagIndexName::ROOT;

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

/// A page of the log up to a number, with a row for each number after `since`.
fn page(since: u64, seq: u64) -> FeedPage {
    let log = LogId::new(1);
    let row =
        |seq| Invalidation { seq, at: at(seq), target: Target::Everything, mode: Mode::Expire, refresh: Refresh::Lazy };
    let newest = Some(LogPosition { log, seq, at: at(seq) });
    FeedPage { seq, rows: (since + 1..=seq).map(row).collect(), log: Some(log), newest, ..FeedPage::default() }
}

/// A frame that the object made at this time by its clock, which is an hour ahead.
fn frame(number: u64, millis: u64, since: u64, page: Option<FeedPage>) -> PushFrame {
    PushFrame { number, at: at(3_600_000 + millis), since, page }
}

/// Polls at this time: the log is known up to 3.
fn polled(millis: u64) -> Polling {
    let mut polling = Polling::default();
    let FeedRefresh::PollFirst(poll) = polling.refresh(at(millis), TERMS) else { panic!("a first visit polls") };
    polling.extend(ROOT, 0, page(0, 3));
    polling.end(poll, at(millis), Some(&[at(millis)]), 0);
    polling
}

fn opened(polling: &mut Polling, millis: u64) -> Push {
    let FeedRefresh::OpenPush(push) = polling.refresh(at(millis), TERMS) else { panic!("a stream is due") };
    Push::new(push, [ROOT])
}

/// A stream that was opened 5 s after a poll at 0, and has got its first frame 20 ms later.
fn open() -> (Polling, Push) {
    let mut polling = polled(0);
    let mut push = opened(&mut polling, 5_000);
    assert_eq!(push.hear(&mut polling, ROOT, frame(0, 5_010, 3, Some(page(3, 3))), at(5_020)), PushProgress::Goes);
    (polling, push)
}

fn is_complete_up_to(polling: &Polling, millis: u64) -> bool {
    let bound = BOUND.as_millis();
    let bound = u64::try_from(bound).unwrap();
    polling.is_current(at(millis + bound - 1), BOUND) && !polling.is_current(at(millis + bound), BOUND)
}

#[test]
fn the_first_visit_polls_and_traffic_opens_a_stream_in_place_of_the_next_poll() {
    let mut polling = polled(0);
    assert_eq!(polling.refresh(at(4_999), TERMS), FeedRefresh::Nothing);
    assert_eq!(polling.quiet_epoch(at(5_000), TERMS), None, "a HIT on the short path leaves it to the long one");
    let mut push = opened(&mut polling, 5_000);
    assert_eq!(polling.refresh(at(5_010), TERMS), FeedRefresh::Nothing, "it is being opened");
    assert!(polling.quiet_epoch(at(5_010), TERMS).is_some());
    let (question, every) = push.question(ROOT, &polling);
    assert_eq!((question.since, question.known.map(|known| known.seq), every), (3, Some(3), BOUND / 4));
    push.hear(&mut polling, ROOT, frame(0, 5_010, 3, Some(page(3, 3))), at(5_020));
    assert!(is_complete_up_to(&polling, 5_000), "as of the question");

    let mut seldom = polled(0);
    assert!(matches!(seldom.refresh(at(10_000), TERMS), FeedRefresh::PollFirst(_)), "visits are rare");
    let polls = FeedTerms { mode: FeedMode::Poll, ..TERMS };
    assert!(matches!(polled(0).refresh(at(5_000), polls), FeedRefresh::PollBehind(_)));
    let short = FeedTerms { bound: Duration::from_millis(1_900), ..TERMS };
    assert!(matches!(polled(0).refresh(at(1_000), short), FeedRefresh::PollBehind(_)), "a bound too short for beats");
}

#[test]
fn a_frame_counts_from_when_it_was_made_whatever_the_clocks_and_however_long_it_travels() {
    let (mut polling, mut push) = open();
    assert_eq!(push.hear(&mut polling, ROOT, frame(1, 7_510, 3, None), at(9_000)), PushProgress::Goes);
    assert!(is_complete_up_to(&polling, 7_500));
    // The object's clock runs ahead: the frame can't be younger than its arrival.
    push.hear(&mut polling, ROOT, frame(2, 60_000, 3, None), at(9_500));
    assert!(is_complete_up_to(&polling, 9_500));
    // It was set back. Nothing is taken back.
    push.hear(&mut polling, ROOT, frame(3, 0, 3, None), at(9_900));
    assert!(is_complete_up_to(&polling, 9_500));
}

#[test]
fn rows_end_the_plans_and_only_a_complete_answer_makes_the_feed_current() {
    let (mut polling, mut push) = open();
    let before = polling.quiet_epoch(at(6_000), TERMS).unwrap();
    push.hear(&mut polling, ROOT, frame(1, 6_000, 3, None), at(6_000));
    assert_eq!(polling.quiet_epoch(at(6_000), TERMS), Some(before), "a beat changes nothing");
    push.hear(&mut polling, ROOT, frame(2, 7_010, 3, Some(FeedPage { more: true, ..page(3, 5) })), at(7_020));
    assert!(polling.quiet_epoch(at(7_020), TERMS).is_some_and(|epoch| epoch > before));
    assert!(is_complete_up_to(&polling, 5_990));
    push.hear(&mut polling, ROOT, frame(3, 7_010, 5, Some(page(5, 6))), at(7_020));
    assert!(is_complete_up_to(&polling, 7_000));
    assert_eq!(polling.known().seq(ROOT), 6);
}

#[test]
fn a_frame_that_came_twice_or_late_takes_nothing_back_and_a_missing_one_ends_the_stream() {
    let (mut polling, mut push) = open();
    let rows = frame(1, 6_010, 3, Some(page(3, 4)));
    push.hear(&mut polling, ROOT, rows.clone(), at(6_020));
    let epoch = polling.quiet_epoch(at(6_020), TERMS);
    for old in [rows, frame(0, 9_000, 3, Some(FeedPage { seq: 3, ..FeedPage::default() }))] {
        assert_eq!(push.hear(&mut polling, ROOT, old, at(6_030)), PushProgress::Goes);
        assert_eq!((polling.known().seq(ROOT), polling.quiet_epoch(at(6_030), TERMS)), (4, epoch));
        assert!(is_complete_up_to(&polling, 6_000));
    }
    assert_eq!(push.hear(&mut polling, ROOT, frame(3, 8_000, 4, None), at(8_000)), PushProgress::Broken);
    assert_eq!(
        push.hear(&mut polling, ROOT, frame(2, 8_000, 5, None), at(8_000)),
        PushProgress::Broken,
        "unknown rows"
    );
    assert!(is_complete_up_to(&polling, 6_000), "what is known is known still");
}

#[test]
fn another_log_ends_the_stream_and_nothing_is_current_until_it_was_polled() {
    let (mut polling, mut push) = open();
    let other = FeedPage { log: Some(LogId::new(2)), ..page(3, 4) };
    assert_eq!(push.hear(&mut polling, ROOT, frame(1, 6_000, 3, Some(other)), at(6_000)), PushProgress::Broken);
    assert!(!polling.is_current(at(6_000), BOUND));
    polling.end_push(push.number(), PushEnd::Lost, at(6_000), 0);
    assert!(matches!(polling.refresh(at(6_000), TERMS), FeedRefresh::PollFirst(_)));
}

#[test]
fn the_feed_is_current_up_to_the_least_of_several_objects() {
    let mut polling = polled(0);
    let FeedRefresh::OpenPush(number) = polling.refresh(at(5_000), TERMS) else { panic!("a stream is due") };
    let mut push = Push::new(number, TagIndexName::all(2));
    let other = TagIndexName::all(2).last().unwrap();
    push.hear(&mut polling, ROOT, frame(0, 5_010, 3, Some(page(3, 3))), at(5_020));
    assert!(is_complete_up_to(&polling, 0));
    let nothing = FeedPage { seq: other.before_first(), ..FeedPage::default() };
    push.hear(&mut polling, other, frame(0, 99, other.before_first(), Some(nothing)), at(5_030));
    assert!(is_complete_up_to(&polling, 5_000));
    push.hear(&mut polling, ROOT, frame(1, 8_010, 3, None), at(8_020));
    assert!(is_complete_up_to(&polling, 5_000));
}

#[test]
fn a_stream_is_replaced_under_traffic_before_it_ends() {
    let (mut polling, mut push) = open();
    for second in 6..25 {
        assert_eq!(polling.refresh(at(second * 1_000), TERMS), FeedRefresh::Nothing, "{second}");
        push.hear(&mut polling, ROOT, frame(second - 5, second * 1_000, 3, None), at(second * 1_000));
    }
    let mut next = opened(&mut polling, 25_000);
    assert_eq!(polling.refresh(at(25_001), TERMS), FeedRefresh::Nothing);
    next.hear(&mut polling, ROOT, frame(0, 25_010, 3, Some(page(3, 3))), at(25_020));
    push.hear(&mut polling, ROOT, frame(20, 25_500, 3, None), at(25_500));
    assert!(is_complete_up_to(&polling, 25_490), "both count");
    polling.end_push(push.number(), PushEnd::Over, at(30_000), 0);
    assert_eq!(polling.refresh(at(30_000), TERMS), FeedRefresh::Nothing, "the end of the first one changes nothing");
    assert!(matches!(polling.refresh(at(32_000), TERMS), FeedRefresh::PollBehind(_)), "the second one is silent");
}

#[test]
fn polls_go_on_when_a_stream_is_lost_or_refused() {
    for (how, pause) in [(PushEnd::Lost, 2_000), (PushEnd::Refused, 60_000)] {
        let mut polling = polled(0);
        let push = opened(&mut polling, 5_000);
        polling.end_push(push.number(), how, at(5_100), 0);
        assert!(matches!(polling.refresh(at(5_200), TERMS), FeedRefresh::PollBehind(_)), "{how:?}");
        let mut time = 5_200;
        loop {
            match polling.refresh(at(time), TERMS) {
                FeedRefresh::OpenPush(_) => break,
                FeedRefresh::PollBehind(poll) => polling.end(poll, at(time), Some(&[at(time)]), 0),
                other => assert_eq!(other, FeedRefresh::Nothing),
            }
            time += 100;
        }
        assert!((5_100 + pause..5_100 + pause + 6_000).contains(&time), "{how:?}: {time}");
    }
    // A stream that the object has ended is followed by the next one.
    let (mut polling, push) = open();
    polling.end_push(push.number(), PushEnd::Over, at(8_000), 0);
    assert_eq!(polling.refresh(at(9_999), TERMS), FeedRefresh::Nothing);
    opened(&mut polling, 10_000);
}

#[test]
fn the_pause_after_lost_streams_grows_until_one_brings_something() {
    let mut polling = polled(0);
    let mut pauses = Vec::new();
    for _ in 0..7 {
        let push = polling.pushing.open(TERMS, at(0));
        polling.end_push(push, PushEnd::Lost, at(0), 0);
        pauses.push(polling.pushing.paused_until.as_millis() / 1_000);
    }
    assert_eq!(pauses, [2, 4, 8, 16, 30, 30, 30]);
    let mut push = Push::new(polling.pushing.open(TERMS, at(0)), [ROOT]);
    push.hear(&mut polling, ROOT, frame(0, 0, 3, Some(page(3, 3))), at(0));
    polling.end_push(push.number(), PushEnd::Lost, at(0), 0);
    assert_eq!(polling.pushing.paused_until, at(2_000));
}

#[test]
fn a_stream_whose_request_was_ended_without_a_word_does_not_count() {
    let mut polling = polled(0);
    let mut push = opened(&mut polling, 5_000);
    assert!(matches!(polling.refresh(at(6_001), TERMS), FeedRefresh::PollBehind(_)), "it has brought nothing");
    push.hear(&mut polling, ROOT, frame(0, 5_010, 3, Some(page(3, 3))), at(6_010));
    let FeedRefresh::PollBehind(poll) = polling.refresh(at(13_000), TERMS) else { panic!("it is silent") };
    polling.end(poll, at(13_000), Some(&[at(13_000)]), 0);
    let FeedRefresh::PollBehind(poll) = polling.refresh(at(20_000), TERMS) else { panic!("it is silent") };
    polling.end(poll, at(20_000), Some(&[at(30_000)]), 0);
    let FeedRefresh::PollFirst(poll) = polling.refresh(at(34_000), TERMS) else { panic!("nothing is current") };
    polling.end(poll, at(34_000), Some(&[at(34_000)]), 0);
    opened(&mut polling, 39_500);
}

#[test]
fn after_the_clock_was_set_back_nothing_of_the_stream_counts() {
    let (mut polling, mut push) = open();
    assert_eq!(push.hear(&mut polling, ROOT, frame(1, 6_000, 3, None), at(4_000)), PushProgress::Broken);
    polling.end_push(push.number(), PushEnd::Refused, at(3_600_000), 0);
    let FeedRefresh::PollFirst(poll) = polling.refresh(at(0), TERMS) else { panic!("nothing is current") };
    polling.end(poll, at(0), Some(&[at(0)]), 0);
    opened(&mut polling, 5_000);
}
