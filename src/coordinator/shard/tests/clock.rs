//! The clock of the object is set back.

use super::*;

const HOUR: u64 = 3_600_000;

fn failed(path: &str, token: Version) -> Input<&'static str> {
    let outcome = RenderOutcome::Failed(OriginFailure::Status(500));
    Input::Ended { key: key(path), token, outcome, answer: None }
}

#[test]
fn a_back_off_ends_when_the_clock_is_set_back_and_the_next_one_is_longer() {
    let mut shard = TestShard::open(MemorySql::new(), &config(), at(2 * HOUR)).unwrap().0;
    assert_eq!(on(&mut shard, at(2 * HOUR), miss(1, "/a")), ["render /a driven=false"]);
    let first = token(&shard, "/a");
    on(&mut shard, at(2 * HOUR + 10), failed("/a", first));
    let is_refused = |effects: &[String]| effects.len() == 1 && effects[0].contains("Unavailable");
    assert!(is_refused(&on(&mut shard, at(2 * HOUR + 20), miss(2, "/a"))));
    assert_eq!(on(&mut shard, at(HOUR), miss(3, "/a")), ["render /a driven=false"]);
    let second = token(&shard, "/a");
    assert!(second > first);
    on(&mut shard, at(HOUR + 10), failed("/a", second));
    assert!(is_refused(&on(&mut shard, at(HOUR + 2000), miss(4, "/a"))), "the second pause has two seconds");
    assert_eq!(on(&mut shard, at(HOUR + 3000), miss(5, "/a")), ["render /a driven=false"]);
}

#[test]
fn a_write_to_l2_is_soon_due_when_the_clock_is_set_back() {
    let mut shard = TestShard::open(MemorySql::new(), &config(), at(2 * HOUR)).unwrap().0;
    let insert = "INSERT INTO entries (key, path, l2_pending, l2_due, l2_written_at) \
        VALUES ('https://e.com/b', '/b', 'delete', ?1 + 500, ?1)";
    shard.store.sql().query(insert, &[(2 * HOUR).into()]).unwrap();
    on(&mut shard, at(HOUR), miss(1, "/a"));
    assert_eq!(shard.store.next_write(), Ok(Some(Timestamp::from_millis(HOUR + 1000))));
}

#[test]
fn an_object_that_starts_with_a_clock_behind_ends_pauses_that_are_too_long() {
    let mut shard = TestShard::open(MemorySql::new(), &config(), at(2 * HOUR)).unwrap().0;
    on(&mut shard, at(2 * HOUR), miss(1, "/a"));
    let first = token(&shard, "/a");
    on(&mut shard, at(2 * HOUR + 10), failed("/a", first));
    let (mut shard, _) = reopen(shard, at(HOUR));
    assert_eq!(on(&mut shard, at(HOUR), miss(2, "/a")), ["render /a driven=false"]);
}
