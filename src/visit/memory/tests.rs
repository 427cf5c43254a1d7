use proptest::prelude::*;

use super::*;
use crate::page::PageMeta;
use crate::semantics::client_rules::ClientRules;
use crate::semantics::freshness::{Revalidate, Windows};
use crate::version::Version;

const KIB: u64 = 1024;
const HOUR: Duration = Duration::from_hours(1);

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(1_700_000_000_000 + millis)
}

fn key(number: u64) -> PageKey {
    PageKey::from_stored(&format!("https://e.com/{number}")).unwrap()
}

fn copy(number: u64, bytes: u64, now: u64) -> Remembered<()> {
    let meta = PageMeta {
        key: key(number),
        version: Version::from_parts(at(now), 1),
        status: 200,
        rendered_at: at(now),
        windows: Windows::new(at(now), Revalidate::Never, HOUR, HOUR).unwrap(),
        tags: Vec::new(),
        body_bytes: Some(bytes),
        digest: None,
        rules: ClientRules::default(),
        has_validator: false,
        vouched: None,
    };
    Remembered::new(StoredPage { meta, body: () }, 100, at(now).plus(HOUR), at(now))
}

fn tier(bytes: u64, page_bytes: u64) -> MemoryTier<()> {
    MemoryTier::new(TierBounds { bytes, page_bytes, l1_ttl: HOUR }, &Rc::new(Account::new(u64::MAX)))
}

/// Requests a page from L1 until the tier wants it, at most twice, and admits it then.
fn visit_twice(tier: &mut MemoryTier<()>, number: u64, bytes: u64, now: u64) -> bool {
    let mut hit = || tier.hit(&key(number), Some(bytes), at(now));
    (hit() || hit()) && tier.admit(copy(number, bytes, now), at(now))
}

#[test]
fn the_second_hit_within_a_short_time_admits_a_page() {
    let mut tier = tier(64 * KIB, 8 * KIB);
    let (page, seen_for) = (key(1), 10_000);
    assert!(!tier.hit(&page, Some(KIB), at(0)), "the first one");
    assert!(!tier.hit(&page, Some(KIB), at(seen_for)), "too late");
    assert!(!tier.hit(&key(2), Some(KIB), at(seen_for)), "another page");
    assert!(tier.hit(&page, Some(KIB), at(2 * seen_for - 1)));
    assert!(!tier.hit(&page, Some(KIB), at(2 * seen_for - 1)), "one request collects its body");
    assert!(tier.get(&page, at(20_000)).is_none(), "not yet");
    assert!(tier.admit(copy(1, KIB, 20_000), at(20_000)));
    assert!(tier.get(&page, at(20_000)).is_some_and(|found| found.page.meta.key == page));
    assert!(!tier.hit(&page, Some(KIB), at(20_000)), "it is there");
    assert!(!tier.admit(copy(2, KIB, 20_000), at(20_000)), "nobody has asked for it");
    tier.forget(&page);
    assert!(tier.get(&page, at(20_000)).is_none() && tier.held() == 0);
    // The time of the first HIT is in the future after the clock was set back.
    assert!(!tier.hit(&page, Some(KIB), at(0)));
}

#[test]
fn a_large_page_is_not_admitted_and_without_memory_none_is() {
    for (bytes, page_bytes, body_bytes, admitted) in [
        (64 * KIB, 8 * KIB, Some(8 * KIB), true),
        (64 * KIB, 8 * KIB, Some(8 * KIB + 1), false),
        (64 * KIB, 8 * KIB, Some(0), true),
        (64 * KIB, 8 * KIB, None, false),
        (0, 8 * KIB, Some(0), false),
        (64 * KIB, 0, Some(0), false),
        (4 * KIB, 8 * KIB, Some(4 * KIB), false),
    ] {
        let mut tier = tier(bytes, page_bytes);
        let hits = [0, 1].map(|now| tier.hit(&key(1), body_bytes, at(now)));
        assert_eq!(hits, [false, admitted], "{bytes} {page_bytes} {body_bytes:?}");
    }
}

#[test]
fn a_body_that_never_arrives_gives_its_room_back() {
    let mut tier = tier(64 * KIB, 8 * KIB);
    // An eighth of the tier: one body of 4 KiB and what it takes besides.
    let collects = |tier: &mut MemoryTier<()>, number, now| {
        tier.hit(&key(number), Some(4 * KIB), at(now)) || tier.hit(&key(number), Some(4 * KIB), at(now))
    };
    assert!(collects(&mut tier, 1, 0) && !collects(&mut tier, 2, 0), "no room for two");
    assert_eq!(tier.held(), 4 * KIB + OVERHEAD);
    assert!(!collects(&mut tier, 1, 4_999), "it may still arrive");
    assert!(collects(&mut tier, 2, 5_000), "not any more");
    assert!(!tier.admit(copy(1, 4 * KIB, 5_001), at(5_001)), "too late");
    tier.give_up(&key(2));
    assert_eq!(tier.held(), 0);
    assert!(collects(&mut tier, 2, 5_002) && tier.admit(copy(2, 4 * KIB, 5_003), at(5_003)));
}

#[test]
fn a_copy_ends_with_that_of_l1() {
    let mut tier = tier(64 * KIB, 8 * KIB);
    assert!(visit_twice(&mut tier, 1, KIB, 0));
    assert!(tier.get(&key(1), at(3_599_999)).is_some());
    assert!(tier.get(&key(1), at(3_600_000)).is_none() && tier.held() == 0);
    // The clock is set back: nobody knows how long the copy has been there.
    assert!(visit_twice(&mut tier, 1, KIB, 10_000));
    assert!(tier.get(&key(1), at(9_999)).is_none());
    let collects = |tier: &mut MemoryTier<()>| [0, 0].map(|now| tier.hit(&key(2), Some(KIB), at(now)))[1];
    let ending = |until| Remembered { until, ..copy(2, KIB, 0) };
    assert!(collects(&mut tier) && !tier.admit(ending(at(0)), at(0)), "it has ended meanwhile");
    assert!(tier.hit(&key(2), Some(KIB), at(0)) && !tier.admit(ending(at(3_600_001)), at(0)), "by another clock");
}

#[test]
fn pages_that_are_requested_again_stay_while_others_come_and_go() {
    let mut tier = tier(1024 * KIB, 64 * KIB);
    let hot: Vec<u64> = (0..50).collect();
    for page in &hot {
        assert!(visit_twice(&mut tier, *page, 8 * KIB, 0));
    }
    for other in 1_000..3_000 {
        visit_twice(&mut tier, other, 8 * KIB, 0);
        // Each hot page is requested every few admissions.
        tier.get(&key(other % 50), at(0));
        assert!(tier.held() <= 1024 * KIB, "{}", tier.held());
    }
    let kept = hot.iter().filter(|page| tier.get(&key(**page), at(0)).is_some()).count();
    assert!(kept >= 45, "{kept} of 50");
}

#[test]
fn a_hundred_thousand_pages_take_no_more_than_the_setting() {
    let (bytes, mut tier) = (16 * 1024 * KIB, tier(16 * 1024 * KIB, 256 * KIB));
    let mut admitted = 0;
    for number in 0..100_000 {
        // Sizes from 0 to 300 KiB.
        let body_bytes = number * 7_919 % (300 * KIB);
        admitted += u64::from(visit_twice(&mut tier, number, body_bytes, number));
        assert!(tier.held() <= bytes, "{number}");
    }
    assert!(admitted > 50_000 && tier.held() > bytes / 2, "{admitted} {}", tier.held());
    assert!(tier.pages() as u64 <= bytes / OVERHEAD);
}

#[test]
fn memory_that_others_need_is_given_back() {
    let isolate = Rc::new(Account::new(64 * KIB));
    let bounds = TierBounds { bytes: 64 * KIB, page_bytes: 8 * KIB, l1_ttl: HOUR };
    let mut tier = MemoryTier::new(bounds, &isolate);
    for page in 0..4 {
        assert!(visit_twice(&mut tier, page, 8 * KIB, 0));
    }
    let before = isolate.held();
    tier.give_back(1);
    assert!(isolate.held() < before && tier.pages() == 3);
    assert!(visit_twice(&mut tier, 9, 8 * KIB, 0), "it may grow again");
    // Nothing is admitted into memory that others hold.
    isolate.add(64 * KIB - isolate.held());
    assert!(!visit_twice(&mut tier, 10, 8 * KIB, 0));
    tier.give_back(u64::MAX);
    assert_eq!((tier.held(), tier.pages()), (0, 0));
    assert!(visit_twice(&mut tier, 10, 8 * KIB, 0));
    drop(tier);
    assert!(isolate.held() < 64 * KIB - 4 * 8 * KIB, "a tier that ends holds nothing");
}

proptest! {
    #[test]
    fn whatever_is_requested_the_bounds_hold(
        requests in prop::collection::vec((0..60_u64, 0..40 * KIB, 0..20_000_u64, 0..4_u8), 1..300),
    ) {
        let isolate = Rc::new(Account::new(300 * KIB));
        let bounds = TierBounds { bytes: 200 * KIB, page_bytes: 32 * KIB, l1_ttl: HOUR };
        let mut tier = MemoryTier::new(bounds, &isolate);
        let mut now = 0;
        for (number, bytes, later, what) in requests {
            now += later;
            let begins = tier.hit(&key(number), Some(bytes), at(now));
            match what {
                0 => {}
                1 => tier.give_up(&key(number)),
                2 => drop(tier.get(&key(number), at(now))),
                _ => {
                    let is_there = tier.admit(copy(number, bytes, now), at(now));
                    prop_assert!(!is_there || bytes <= 32 * KIB);
                    prop_assert!(is_there || !begins);
                }
            }
            prop_assert_eq!(tier.held(), isolate.held());
            // The pages, and an eighth for bodies that arrive, or one of them.
            prop_assert!(tier.held() <= 200 * KIB + 32 * KIB + OVERHEAD);
        }
    }
}
