//! The places in the logs of several coordinators, and the merger of their decisions.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;

use url::form_urlencoded;

use crate::inspection::survey::{DecisionPage, LoggedDecision};
use crate::shard_name::ShardName;

/// The most places in a cursor.
const MAX_PLACES: usize = 64;

/// The number of the last known decision of each coordinator. As text: `120@%2Fblog%2F*%230,88@%2Fdocs%2F*%233`, one word
/// of ASCII.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places(BTreeMap<ShardName, u64>);

impl Places {
    /// Parses the output of [`fmt::Display`]. If the question is about one coordinator, a number is enough.
    #[must_use]
    pub fn parse(text: &str, shard: Option<&ShardName>) -> Option<Self> {
        if let (Some(shard), Ok(seq)) = (shard, text.parse()) {
            return Some(Self(BTreeMap::from([(shard.clone(), seq)])));
        }
        let mut places = BTreeMap::new();
        for place in text.split(',') {
            let (seq, shard) = place.split_once('@')?;
            let (shard, _) = form_urlencoded::parse(shard.as_bytes()).next()?;
            places.insert(ShardName::from_stored(&shard)?, seq.parse().ok()?);
            if places.len() > MAX_PLACES {
                return None;
            }
        }
        Some(Self(places))
    }

    /// Returns the last known decision of a coordinator. All decisions of an unknown one are new.
    #[must_use]
    pub fn of(&self, shard: &ShardName) -> u64 {
        self.0.get(shard).copied().unwrap_or_default()
    }

    /// Moves on to a decision.
    pub fn set(&mut self, shard: &ShardName, seq: u64) {
        self.0.insert(shard.clone(), seq);
    }
}

impl fmt::Display for Places {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (shard, seq)) in self.0.iter().enumerate() {
            let comma = if at > 0 { "," } else { "" };
            write!(f, "{comma}{seq}@")?;
            form_urlencoded::byte_serialize(shard.as_str().as_bytes()).try_for_each(|part| f.write_str(part))?;
        }
        Ok(())
    }
}

/// Decisions of several coordinators in the order of their times, and the places after them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merged {
    /// The decisions.
    pub decisions: Vec<(ShardName, LoggedDecision)>,
    /// The places after the last of them.
    pub places: Places,
    /// Whether more decisions are known to follow.
    pub more: bool,
}

/// Merges answers: the first decisions after `after`, or the latest ones without it. Decisions of one coordinator stay in
/// the order of their numbers, even if its clock was set back.
#[must_use]
pub fn merge(after: Option<&Places>, answers: Vec<(ShardName, DecisionPage)>, limit: usize) -> Merged {
    let mut places = after.cloned().unwrap_or_default();
    let mut queues: Vec<(ShardName, VecDeque<LoggedDecision>)> = Vec::with_capacity(answers.len());
    for (shard, page) in answers {
        if after.is_none() || page.decisions.is_empty() {
            // Everything up to the last one is known, or is not wanted.
            places.set(&shard, page.last);
        }
        queues.push((shard, page.decisions.into()));
    }
    let mut decisions = Vec::new();
    if after.is_none() {
        while decisions.len() < limit {
            let newest = queues.iter_mut().max_by_key(|(_, queue)| queue.back().map(|decision| decision.at));
            let Some((shard, decision)) = newest.and_then(|(shard, queue)| Some((shard.clone(), queue.pop_back()?)))
            else {
                break;
            };
            decisions.push((shard, decision));
        }
        decisions.reverse();
        return Merged { decisions, places, more: false };
    }
    while decisions.len() < limit {
        let heads = queues.iter_mut().filter(|(_, queue)| !queue.is_empty());
        let oldest = heads.min_by_key(|(_, queue)| queue.front().map(|decision| decision.at));
        let Some((shard, decision)) = oldest.and_then(|(shard, queue)| Some((shard.clone(), queue.pop_front()?)))
        else {
            break;
        };
        places.set(&shard, decision.seq);
        decisions.push((shard, decision));
    }
    let more = queues.iter().any(|(_, queue)| !queue.is_empty());
    Merged { decisions, places, more }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    fn shard(name: &str) -> ShardName {
        ShardName::from_stored(name).unwrap()
    }

    fn page(decisions: &[(u64, u64)]) -> DecisionPage {
        let decision = |(seq, at): &(u64, u64)| LoggedDecision {
            seq: *seq,
            at: Timestamp::from_millis(*at),
            kind: "published".to_owned(),
            key: None,
            version: None,
            reason: None,
            detail: None,
            invalidation: None,
            pages: None,
            duration_ms: None,
        };
        let last = decisions.last().map_or(0, |(seq, _)| *seq);
        DecisionPage { last, decisions: decisions.iter().map(decision).collect() }
    }

    fn times(merged: &Merged) -> Vec<u64> {
        merged.decisions.iter().map(|(_, decision)| decision.at.as_millis()).collect()
    }

    #[test]
    fn places_are_one_word_and_are_read_back() {
        let mut places = Places::default();
        places.set(&shard("/über uns/*#3"), 7);
        places.set(&shard("/a,b%#0"), 120);
        let text = places.to_string();
        assert_eq!(text, "120@%2Fa%2Cb%25%230,7@%2F%C3%BCber+uns%2F*%233");
        assert_eq!(Places::parse(&text, None), Some(places));
        let one = shard("/*#0");
        assert_eq!(Places::parse("12", Some(&one)).map(|places| places.of(&one)), Some(12));
        for wrong in ["", "12", "x@/*#0", "1@*#0", "1@/*#0,", "-1@/*#0"] {
            assert_eq!(Places::parse(wrong, None), None, "{wrong}");
        }
        let many = (0..65).map(|number| format!("1@/*#{number}")).collect::<Vec<_>>().join(",");
        assert_eq!(Places::parse(&many, None), None);
    }

    #[test]
    fn the_latest_decisions_of_all_are_merged_by_time() {
        let answers = || vec![(shard("/a#0"), page(&[(1, 10), (2, 40)])), (shard("/b#0"), page(&[(8, 20), (9, 30)]))];
        let merged = merge(None, answers(), 3);
        assert_eq!(times(&merged), [20, 30, 40]);
        assert_eq!(merged.places.to_string(), "2@%2Fa%230,9@%2Fb%230");
        assert_eq!(times(&merge(None, answers(), 10)), [10, 20, 30, 40]);
    }

    #[test]
    fn a_list_continues_in_each_log_where_it_was() {
        let after = Places::parse("1@/a#0,7@/b#0,3@/c#0", None).unwrap();
        // The clock of /b#0 was set back.
        let answers = vec![
            (shard("/a#0"), page(&[(2, 40), (3, 60)])),
            (shard("/b#0"), page(&[(8, 50), (9, 20)])),
            (shard("/c#0"), DecisionPage { last: 1, decisions: Vec::new() }),
        ];
        let merged = merge(Some(&after), answers, 3);
        assert_eq!(times(&merged), [40, 50, 20]);
        assert_eq!(merged.places.to_string(), "2@%2Fa%230,9@%2Fb%230,1@%2Fc%230");
        assert!(merged.more);
    }
}
