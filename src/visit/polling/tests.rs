use super::*;
use crate::config::FeedMode;
use crate::invalidation::{LogId, Mode, Target};

const BOUND: Duration = Duration::from_secs(10);
const TERMS: FeedTerms = terms(BOUND);
const ROOT: TagIndexName = TagIndexName::ROOT;

const fn terms(bound: Duration) -> FeedTerms {
    FeedTerms { bound, mode: FeedMode::Poll }
}

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn page(seq: u64, more: bool) -> FeedPage {
    FeedPage { seq, more, ..FeedPage::default() }
}

/// Polls, and answers the poll.
fn polled(at: Timestamp) -> Polling {
    let mut polling = Polling::default();
    let FeedRefresh::PollFirst(poll) = polling.refresh(at, TERMS) else { panic!("it may poll") };
    polling.end(poll, at, Some(&[at]), 0);
    polling
}

fn kind(refresh: FeedRefresh) -> &'static str {
    match refresh {
        FeedRefresh::Nothing => "nothing",
        FeedRefresh::PollBehind(_) => "behind",
        FeedRefresh::OpenPush(_) => "push",
        FeedRefresh::PollFirst(_) => "first",
        FeedRefresh::WaitForOther => "wait",
    }
}

#[test]
fn a_young_feed_is_left_alone_and_an_old_one_is_renewed() {
    for (now, expected, is_current, is_quiet) in [
        (0, "nothing", true, true),
        (4_999, "nothing", true, true),
        (5_000, "behind", true, false),
        (9_999, "behind", true, false),
        (10_000, "first", false, false),
    ] {
        let mut polling = polled(at(0));
        assert_eq!(polling.is_current(at(now), BOUND), is_current, "{now}");
        assert_eq!(polling.quiet_epoch(at(now), TERMS).is_some(), is_quiet, "{now}");
        assert_eq!(kind(polling.refresh(at(now), TERMS)), expected, "{now}");
    }
}

#[test]
fn one_request_polls_for_all_others() {
    let mut polling = polled(at(0));
    let FeedRefresh::PollBehind(poll) = polling.refresh(at(5_000), TERMS) else { panic!("it may poll") };
    assert_eq!(polling.refresh(at(5_100), TERMS), FeedRefresh::Nothing);
    assert!(polling.quiet_epoch(at(5_100), TERMS).is_some(), "others have nothing to do about it");
    polling.end(poll, at(5_200), Some(&[at(5_000)]), 0);
    assert_eq!(polling.refresh(at(9_999), TERMS), FeedRefresh::Nothing);

    let FeedRefresh::PollFirst(poll) = polling.refresh(at(20_000), TERMS) else { panic!("it may poll") };
    assert_eq!(polling.refresh(at(20_001), TERMS), FeedRefresh::WaitForOther);
    assert!(polling.awaits_other(at(20_001), BOUND));
    polling.end(poll, at(20_300), Some(&[at(20_000)]), 0);
    assert!(!polling.awaits_other(at(20_300), BOUND));
}

#[test]
fn a_poll_whose_request_was_ended_is_not_waited_for_for_ever() {
    let mut polling = Polling::default();
    let FeedRefresh::PollFirst(lost) = polling.refresh(at(0), TERMS) else { panic!("it may poll") };
    assert_eq!(polling.refresh(at(1_000), TERMS), FeedRefresh::WaitForOther);
    assert_eq!(polling.refresh(at(2_000), TERMS), FeedRefresh::Nothing);
    let FeedRefresh::PollFirst(poll) = polling.refresh(at(2_001), TERMS) else { panic!("it may poll by now") };
    polling.end(lost, at(2_002), None, 0);
    assert!(polling.is_under_way(poll), "the end of another one says nothing of it");
}

#[test]
fn after_a_poll_that_failed_none_is_sent_for_a_while() {
    let mut polling = polled(at(0));
    let FeedRefresh::PollBehind(poll) = polling.refresh(at(6_000), TERMS) else { panic!("it may poll") };
    polling.end(poll, at(7_000), None, 0);
    assert_eq!(polling.refresh(at(8_999), TERMS), FeedRefresh::Nothing);
    assert!(polling.is_current(at(8_999), BOUND), "what is known is known still");
    let FeedRefresh::PollBehind(poll) = polling.refresh(at(9_000), TERMS) else { panic!("it may poll") };
    polling.end(poll, at(10_000), None, 255);
    assert_eq!(polling.refresh(at(14_995), TERMS), FeedRefresh::Nothing, "twice as long, and jitter");
    assert!(!polling.is_current(at(14_995), BOUND), "without a current feed nothing is fresh");
    assert_eq!(kind(polling.refresh(at(14_996), TERMS)), "behind", "nobody waits for it");
}

/// Sends a request every 100 ms to an isolate whose polls take a second and fail. Returns how many requests wait, and how
/// many polls are sent.
fn in_front_of_a_hanging_tag_index(bound: Duration, millis: u64) -> (u32, u32) {
    let (mut polling, mut now, mut waited, mut polls) = (Polling::default(), 0, 0, 0);
    let mut behind: Option<(u64, Poll)> = None;
    while now < millis {
        if let Some((_, poll)) = behind.take_if(|(end, _)| *end <= now) {
            polling.end(poll, at(now), None, 0);
        }
        match polling.refresh(at(now), terms(bound)) {
            FeedRefresh::Nothing => {}
            FeedRefresh::PollBehind(poll) => {
                polls += 1;
                behind = Some((now + 1_000, poll));
            }
            FeedRefresh::PollFirst(poll) => {
                (waited, polls, now) = (waited + 1, polls + 1, now + 1_000);
                polling.end(poll, at(now), None, 0);
            }
            FeedRefresh::WaitForOther => waited += 1,
            FeedRefresh::OpenPush(_) => panic!("only polls are set"),
        }
        now += 100;
    }
    (waited, polls)
}

#[test]
fn a_tag_index_that_hangs_delays_one_request_of_an_isolate() {
    for bound in [BOUND, Duration::ZERO] {
        assert_eq!(in_front_of_a_hanging_tag_index(bound, 10_000), (1, 3));
        let (waited, polls) = in_front_of_a_hanging_tag_index(bound, 600_000);
        assert_eq!(waited, 1);
        assert!(polls < 25, "{polls}");
    }
}

#[test]
fn after_an_answer_requests_wait_for_polls_again() {
    let mut polling = Polling::default();
    let FeedRefresh::PollFirst(poll) = polling.refresh(at(0), TERMS) else { panic!("it may poll") };
    assert!(!polling.awaits_other(at(1_001), BOUND), "it has been waited for long enough");
    polling.end(poll, at(1_000), None, 0);
    let FeedRefresh::PollBehind(poll) = polling.refresh(at(3_000), TERMS) else { panic!("it may poll") };
    assert_eq!(polling.refresh(at(3_001), TERMS), FeedRefresh::Nothing, "nobody waits for it");
    polling.end(poll, at(3_100), Some(&[at(3_000)]), 0);
    assert_eq!(kind(polling.refresh(at(13_000), TERMS)), "first");
}

#[test]
fn with_a_bound_of_zero_each_request_polls() {
    let (zero, mut polling) = (Duration::ZERO, Polling::default());
    let FeedRefresh::PollFirst(one) = polling.refresh(at(0), terms(zero)) else { panic!("each request polls") };
    let FeedRefresh::PollFirst(other) = polling.refresh(at(0), terms(zero)) else { panic!("each request polls") };
    polling.end(one, at(10), Some(&[at(0)]), 0);
    assert!(polling.is_current(at(10), zero));
    assert_eq!(polling.quiet_epoch(at(10), terms(zero)), None);
    polling.end(other, at(20), None, 0);
    assert!(!polling.is_current(at(20), zero));
}

#[test]
fn an_answer_counts_from_when_it_was_asked_for_first() {
    let mut polling = Polling::default();
    let mut part = PartPoll::new(ROOT);
    assert_eq!(part.question(&polling).since, 0);
    assert_eq!(part.take(&mut polling, at(5), page(1_000, true)), None, "there is more");
    assert_eq!(part.question(&polling).since, 1_000);
    assert_eq!(part.take(&mut polling, at(50), page(1_250, false)), Some(at(5)));
    let mut part = PartPoll::new(ROOT);
    assert_eq!(part.question(&polling).since, 1_200, "in blocks: others ask the same");
    assert_eq!(
        part.take(&mut polling, at(60), page(1_250, true)),
        Some(at(60)),
        "nothing new: it does not go on for ever"
    );
}

#[test]
fn of_several_objects_the_one_that_was_asked_first_counts() {
    let mut polling = Polling::default();
    let FeedRefresh::PollFirst(poll) = polling.refresh(at(0), TERMS) else { panic!("it may poll") };
    polling.end(poll, at(100), Some(&[at(90), at(40)]), 0);
    assert!(polling.is_current(at(10_039), BOUND));
    assert!(!polling.is_current(at(10_040), BOUND));
}

#[test]
fn what_is_learnt_changes_the_epoch() {
    let mut polling = polled(at(0));
    let before = polling.quiet_epoch(at(1), TERMS);
    let invalidation = Invalidation {
        seq: 1,
        at: at(1),
        target: Target::Everything,
        mode: Mode::Expire,
        refresh: crate::Refresh::Lazy,
    };
    polling.note(invalidation);
    let noted = polling.quiet_epoch(at(1), TERMS);
    assert!(noted > before);
    let mut part = PartPoll::new(ROOT);
    part.question(&polling);
    part.take(&mut polling, at(2), page(0, false));
    assert_eq!(polling.quiet_epoch(at(1), TERMS), noted, "nothing new");
    part.take(&mut polling, at(2), page(3, false));
    assert!(polling.quiet_epoch(at(1), TERMS) > noted);
}

#[test]
fn a_poll_that_has_met_another_log_takes_no_shared_answer() {
    let of = |log, seq| FeedPage { log: Some(LogId::new(log)), ..page(seq, true) };
    let (mut polling, mut part) = (Polling::default(), PartPoll::new(ROOT));
    part.question(&polling);
    assert_eq!(part.take(&mut polling, at(1), of(1, 1_000)), None);
    part.question(&polling);
    assert!(part.takes_shared(at(1), &of(2, 1_500), at(1), BOUND));
    assert_eq!(part.take(&mut polling, at(1), of(2, 1_500)), None);
    assert_eq!(part.question(&polling).since, 0, "it starts over");
    assert!(!part.takes_shared(at(1), &of(1, 1_000), at(1), BOUND), "the two would alternate");
}

#[test]
fn answers_are_shared_within_a_colo_for_half_of_the_bound() {
    let second = Duration::from_secs(1);
    assert_eq!(shared_for(second), None);
    assert_eq!(shared_for(second * 3), Some(Duration::from_millis(1_500)));
    let part = PartPoll::new(ROOT);
    assert!(part.takes_shared(at(0), &page(0, true), at(4_999), BOUND));
    assert!(!part.takes_shared(at(0), &page(0, true), at(5_000), BOUND));
    assert!(!part.takes_shared(at(0), &page(0, true), at(0), second));
}

#[test]
fn a_shared_answer_from_before_the_first_one_is_not_used_for_the_rows_that_follow() {
    let mut polling = Polling::default();
    let mut part = PartPoll::new(ROOT);
    part.question(&polling);
    assert_eq!(part.take(&mut polling, at(3_000), page(1_000, true)), None, "there is more");
    // Row 1,001 may be from the time between the two.
    assert!(!part.takes_shared(at(2_999), &page(0, true), at(3_010), BOUND));
    assert!(part.takes_shared(at(3_000), &page(0, true), at(3_010), BOUND));
}

#[test]
fn a_time_in_the_future_is_not_current_and_ends_nothing() {
    let hour = 3_600_000;
    let mut polling = polled(at(hour));
    assert!(!polling.is_current(at(0), BOUND), "the clock was set back by an hour");
    assert_eq!(polling.quiet_epoch(at(0), TERMS), None);
    let FeedRefresh::PollFirst(poll) = polling.refresh(at(0), TERMS) else { panic!("it may poll") };
    assert!(!polling.is_current(at(hour), BOUND), "nobody knows how old it is by then");
    polling.end(poll, at(10), Some(&[at(0)]), 0);
    assert!(polling.is_current(at(10), BOUND));

    let mut polling = Polling::default();
    let FeedRefresh::PollFirst(failed) = polling.refresh(at(hour), TERMS) else { panic!("it may poll") };
    polling.end(failed, at(hour), None, 0);
    assert_eq!(kind(polling.refresh(at(0), TERMS)), "behind", "the pause is not longer for that");
    let mut polling = Polling::default();
    let _ = polling.refresh(at(hour), TERMS);
    assert_eq!(kind(polling.refresh(at(0), TERMS)), "first", "nor is a poll under way for an hour");

    assert!(!PartPoll::new(ROOT).takes_shared(at(1), &page(0, true), at(0), BOUND));
}

#[test]
fn another_log_is_read_as_a_whole_before_anything_is_current() {
    let (one, other) = (LogId::new(1), LogId::new(2));
    let answer = |seq, log| FeedPage { log: Some(log), ..page(seq, false) };
    let mut polling = polled(at(0));
    let mut part = PartPoll::new(ROOT);
    part.question(&polling);
    assert_eq!(part.take(&mut polling, at(0), answer(250, one)), Some(at(0)));
    assert!(polling.is_current(at(1), BOUND));

    // Two polls are under way when the log becomes another one.
    let mut late = PartPoll::new(ROOT);
    assert_eq!(late.question(&polling).since, 200);
    let mut part = PartPoll::new(ROOT);
    part.question(&polling);
    assert_eq!(part.take(&mut polling, at(1), answer(260, other)), None);
    assert!(!polling.is_current(at(1), BOUND));
    assert_eq!(late.take(&mut polling, at(1), answer(260, other)), None, "it lacks the rows before 200");
    assert_eq!(part.question(&polling).since, 0);
    assert_eq!(part.take(&mut polling, at(2), answer(260, other)), Some(at(1)));
}

#[test]
fn an_answer_that_knows_less_than_the_edge_is_not_believed() {
    let answer = |seq| FeedPage { log: Some(LogId::new(1)), ..page(seq, false) };
    let mut polling = polled(at(0));
    let mut part = PartPoll::new(ROOT);
    part.question(&polling);
    part.take(&mut polling, at(0), answer(250));
    let mut part = PartPoll::new(ROOT);
    part.question(&polling);
    assert!(!part.takes_shared(at(1), &answer(249), at(1), BOUND), "it may be an older answer: the tag index is asked");
    assert!(part.takes_shared(at(1), &answer(250), at(1), BOUND));
    assert_eq!(part.take(&mut polling, at(1), answer(249)), None, "the tag index itself knows less: it was restored");
    assert_eq!(part.question(&polling).since, 0);
    assert_eq!(part.take(&mut polling, at(1), answer(249)), Some(at(1)));
}

#[test]
fn rows_that_another_poll_has_brought_are_not_the_last_ones() {
    let mut polling = Polling::in_blocks_of(1);
    let (mut first, mut second) = (PartPoll::new(ROOT), PartPoll::new(ROOT));
    first.question(&polling);
    second.question(&polling);
    assert_eq!(first.take(&mut polling, at(0), page(3, true)), None);
    assert_eq!(second.take(&mut polling, at(1), page(3, true)), None, "row 4 follows");
    assert_eq!(second.question(&polling).since, 3);
    assert_eq!(second.take(&mut polling, at(2), page(4, false)), Some(at(1)));
}

#[test]
fn a_poll_during_which_the_clock_is_set_back_counts_for_nothing() {
    let hour = 3_600_000;
    let mut polling = Polling::default();
    let FeedRefresh::PollFirst(poll) = polling.refresh(at(hour), TERMS) else { panic!("it may poll") };
    let mut part = PartPoll::new(ROOT);
    part.question(&polling);
    assert_eq!(part.take(&mut polling, at(hour), page(1_000, true)), None);
    part.question(&polling);
    let complete_until = part.take(&mut polling, at(0), page(1_250, false)).unwrap();
    polling.end(poll, at(1), Some(&[complete_until]), 0);
    assert!(!polling.is_current(at(1), BOUND), "nobody knows when the first question was asked");
}
