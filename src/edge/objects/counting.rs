//! What an object of the tag index counts.

use std::cell::RefCell;

use worker::Env;

use crate::edge::objects::sql::ObjectSql;
use crate::edge::platform::js;
use crate::edge::settings::Settings;
use crate::metrics::{Persisted, RequestCounts, TagIndexCounters, TagIndexMetrics};
use crate::sql::StoreError;
use crate::tag_index::tables::TagIndexStore;

/// The counters of one object. A failure to save them is not one of the message that is handled.
pub(in crate::edge) struct Counting(Option<RefCell<Persisted<TagIndexCounters>>>);

impl Counting {
    /// Continues from what was saved. Without the setting `metrics`, nothing is counted.
    pub(in crate::edge) fn load(env: &Env, store: Result<&TagIndexStore<ObjectSql>, StoreError>) -> Self {
        let settings = Settings::of(env).ok().filter(|settings| settings.config.metrics);
        Self(settings.map(|settings| {
            let saved = store.and_then(TagIndexStore::counters).ok().flatten();
            let mut counters = Persisted::<TagIndexCounters>::load(saved.as_deref());
            counters.live.totals.keep(&settings.config.routes);
            RefCell::new(counters)
        }))
    }

    /// Changes a counter.
    pub(in crate::edge) fn count(&self, change: impl FnOnce(&mut TagIndexCounters)) {
        if let Some(counters) = &self.0 {
            change(&mut counters.borrow_mut().live);
        }
    }

    /// Adds what an isolate has counted.
    pub(in crate::edge) fn add(&self, env: &Env, counts: RequestCounts) {
        if let Ok(settings) = Settings::of(env) {
            self.count(|counters| {
                counters.hand_overs = counters.hand_overs.saturating_add(1);
                counters.totals.add(counts, &settings.config.routes);
            });
        }
    }

    /// Saves the counters if that is due.
    pub(in crate::edge) fn save(&self, store: Result<&TagIndexStore<ObjectSql>, StoreError>, is_quiet: bool) {
        let (Some(counters), now) = (&self.0, js::now()) else { return };
        let due = counters.borrow_mut().due(now, is_quiet);
        if let Some(text) = due {
            let saved = store.and_then(|store| store.save_counters(&text));
            if let Err(error) = &saved {
                worker::console_warn!("tag index: the counters are not saved: {error}");
            }
            counters.borrow_mut().tried(now, saved.is_ok());
        }
    }

    /// Returns what the object reports, with coordinators from a place on.
    pub(in crate::edge) fn report(
        &self,
        store: &TagIndexStore<ObjectSql>,
        (from, limit): (u64, u32),
        open_streams: u64,
    ) -> Result<TagIndexMetrics, StoreError> {
        self.save(Ok(store), true);
        let mut health = store.health(from, limit)?;
        if from >= health.shards {
            health.some.clear();
        }
        let counters = self.0.as_ref().map(|counters| counters.borrow().reported().clone()).unwrap_or_default();
        Ok(TagIndexMetrics { counters, open_streams, health })
    }
}
