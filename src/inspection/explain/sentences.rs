//! The sentences of an explanation.

use std::time::Duration;

use super::{Facts, Passed};
use crate::inspection::answer::{BreakerState, BreakerWord, InvalidatedBy, PageState, State};
use crate::inspection::words;
use crate::reason::Reason;
use crate::time::Timestamp;

impl Facts {
    /// Explains the facts in a few plain sentences.
    #[must_use]
    pub fn sentence(&self) -> String {
        let mut sentences = Vec::new();
        match (&self.route, self.passed) {
            (_, Some(Passed::Admin)) => sentences.push("This path belongs to the cache itself.".to_owned()),
            (None, _) => sentences.push("No route matches this URL: the origin answers without the cache.".to_owned()),
            (Some(_), Some(Passed::NeverStored)) => {
                sentences
                    .push("Not stored: the route has `revalidate = 0`, so the origin answers each request.".to_owned());
            }
            (Some(_), Some(Passed::Because(reason))) => {
                sentences.push(format!("Not stored: {}", words::clause(reason)));
            }
            (Some(_), None) => {
                self.coordinator_sentences(&mut sentences);
                self.edge_sentences(&mut sentences);
            }
        }
        sentences.join(" ")
    }

    fn coordinator_sentences(&self, sentences: &mut Vec<String>) {
        if let Some(reason) = self.unreachable {
            return sentences.push(format!("The state of the page is not known: {}", words::clause(reason)));
        }
        match &self.page {
            None => sentences.push("Not stored: the coordinator knows nothing of the page.".to_owned()),
            Some(page) => {
                sentences.push(self.lead(page));
                if page.version.is_some() && page.invalidated.is_none() {
                    sentences.push("No invalidation matched.".to_owned());
                }
                self.failure(page, sentences);
                if let Some(rendering) = page.rendering {
                    sentences.push(format!("A render is under way since {}.", self.time(rendering.began_at)));
                }
            }
        }
        if let Some(BreakerState { state: BreakerWord::Open, failures, probe_at }) = self.breaker {
            let next = probe_at.map_or_else(String::new, |at| format!("; next attempt {}", self.time(at)));
            let text = format!("The circuit breaker of {} is open, because {failures} pages fail{next}.", self.shard());
            sentences.push(text);
        }
    }

    fn shard(&self) -> String {
        self.shard.as_ref().map_or_else(|| "the coordinator".to_owned(), ToString::to_string)
    }

    /// Returns the sentence about the state of the page.
    fn lead(&self, page: &PageState) -> String {
        let rendered =
            page.rendered_at.map_or_else(|| "not rendered".to_owned(), |at| format!("rendered {}", self.time(at)));
        let (fresh_for, invalidated) = (fresh_for(page), page.invalidated.as_ref());
        let since = |at: Option<Timestamp>| at.map_or_else(String::new, |at| format!(" since {} UTC", self.time(at)));
        match page.state {
            State::Fresh => match page.fresh_until {
                Some(until) => format!("Fresh until {} UTC: {rendered}, {fresh_for}.", self.time(until)),
                None => format!("Fresh: {rendered}, {fresh_for}."),
            },
            State::Stale | State::Expired => {
                let word = if page.state == State::Stale { "Stale" } else { "Expired" };
                match invalidated {
                    Some(by) => format!("{word}{}: {}; {rendered}, {fresh_for}.", since(Some(by.at)), by_whom(by)),
                    None if page.state == State::Stale => {
                        format!("{word}{}: {rendered}, {fresh_for}.", since(page.fresh_until))
                    }
                    None => {
                        format!(
                            "{word}{}: {rendered}, {fresh_for}, and served stale until then.",
                            since(page.stale_until)
                        )
                    }
                }
            }
            State::Passing => {
                let why = page.unpublished.as_ref().map_or_else(
                    || words::clause(Reason::NotStored),
                    |unpublished| with_detail(unpublished.reason, unpublished.detail.as_deref()),
                );
                let until =
                    page.pass_until.map_or_else(String::new, |until| format!(" until {} UTC", self.time(until)));
                format!("Not stored, and passed to the origin{until}: {why}")
            }
            State::Absent => match invalidated {
                Some(by) => format!("Not stored{}: {}.", since(Some(by.at)), by_whom(by)),
                None => "Not stored: no render has been published.".to_owned(),
            },
        }
    }

    /// Adds what is known of the last failed, or otherwise unpublished, render.
    fn failure(&self, page: &PageState, sentences: &mut Vec<String>) {
        if page.failures == 0 && (page.state == State::Passing || page.unpublished.is_none()) {
            return;
        }
        let at = page.unpublished.as_ref().map(|unpublished| unpublished.at).or(page.failure_began_at);
        let at = at.map_or_else(String::new, |at| format!(" at {}", self.time(at)));
        let next = match page.retry_at.filter(|at| *at > self.now) {
            Some(retry_at) => format!("; next attempt {}", self.time(retry_at)),
            None => "; the next request renders it again".to_owned(),
        };
        let what = page.unpublished.as_ref().map(|unpublished| match &unpublished.detail {
            Some(detail) => detail.trim_start_matches("status ").to_owned(),
            None => unpublished.reason.to_string(),
        });
        let what = what.map_or_else(String::new, |what| format!(" ({what})"));
        let count = match page.failures {
            0 => "The last render could not be published".to_owned(),
            1 => "The last render failed".to_owned(),
            failures => format!("The last {failures} renders failed, the last one"),
        };
        sentences.push(format!("{count}{at}{what}{next}."));
    }

    /// Adds what this colo would do.
    fn edge_sentences(&self, sentences: &mut Vec<String>) {
        if !self.feed.is_current {
            let until = self.feed.complete_until.map_or_else(
                || "this isolate has never had the feed".to_owned(),
                |until| format!("this isolate's feed is complete only up to {}", self.time(until)),
            );
            sentences.push(format!("Nothing is fresh here: {until}."));
        }
        if let Some(status) = self.request.status {
            let reason = self.request.reason.map_or_else(String::new, |reason| format!(" ({reason})"));
            sentences.push(format!("A request here gets {status}{reason}."));
        }
    }

    /// Writes a time, with its date if that is not today's.
    fn time(&self, at: Timestamp) -> String {
        words::clock(at, self.now)
    }
}

/// Rounds to whole seconds, if there is at least one.
fn rounded(duration: Duration) -> Duration {
    if duration.as_secs() == 0 { duration } else { Duration::from_secs(duration.as_secs()) }
}

fn by_whom(InvalidatedBy { seq, kind, name, mode, .. }: &InvalidatedBy) -> String {
    let target = if kind == "everything" { "everything".to_owned() } else { format!("{kind} {name}") };
    format!("invalidated by {target} (number {seq}, mode {})", mode.as_str())
}

fn with_detail(reason: Reason, detail: Option<&str>) -> String {
    match detail {
        Some(detail) => format!("{} ({detail})", words::clause(reason).trim_end_matches('.')) + ".",
        None => words::clause(reason),
    }
}

fn fresh_for(page: &PageState) -> String {
    match (page.render_began_at, page.fresh_until) {
        (Some(began), Some(until)) => format!("fresh for {}", words::duration(rounded(until.since(began)))),
        _ => "never ages".to_owned(),
    }
}
