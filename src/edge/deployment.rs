//! What this isolate remembers, and what it belongs to.
//!
//! | remembered | belongs to |
//! |---|---|
//! | the settings, or what is wrong with them | an `env` object |
//! | the feed, the reports of stale pages, the questions and reads of L2 under way, the opened L1, what is counted | a deployment: its tag index |
//! | bytes collected for L1, plans of HITs | the isolate. Their bounds are the isolate's, and each entry names its deployment |
//!
//! The platform may keep an isolate when only bindings change. It then hands out another `env` object.
//!
//! | what happens | then |
//! |---|---|
//! | bindings change in a live isolate | the settings are read from the new `env`. The feed stays known: the tag index is the same |
//! | a request is under way meanwhile | it ends with the settings with which it began |
//! | the new settings are wrong, or the old ones were | each `env` has its own problems |
//! | a caller passes a fresh object for each request | the settings are read for each one; the feed stays known; [`KEPT`] objects are remembered |
//! | an object of the same isolate passes an invalidation on | it holds the settings of its constructor's `env`, and through them the same deployment |
//! | another tag index is bound, or `tag_shards` changes | another deployment: nothing is known of its feed |

use std::cell::RefCell;
use std::rc::{Rc, Weak};

use web_sys::Cache;
use worker::Env;

use crate::config::ConfigError;
use crate::coordinator::TokenBucket;
use crate::deployment::DeploymentId;
use crate::edge::caches::l2::SharedPage;
use crate::edge::settings::Settings;
use crate::invalidation::Invalidation;
use crate::metrics::Tally;
use crate::visit::{Crowds, L2Reads, Polling, Reports};

/// The most `env` objects that are remembered.
const KEPT: usize = 4;

/// The settings of an `env`, or what is wrong with them.
type Read = Result<Rc<Settings>, Rc<ConfigError>>;

thread_local! {
    /// What was read from each `env`, the last used first.
    static READ: RefCell<Vec<(Env, Read)>> = const { RefCell::new(Vec::new()) };
    /// The deployments of all settings that are in use.
    static DEPLOYMENTS: RefCell<Vec<Weak<Deployment>>> = const { RefCell::new(Vec::new()) };
}

/// What this isolate knows of a deployment.
pub(in crate::edge) struct Deployment {
    pub(in crate::edge) id: DeploymentId,
    tag_shards: u16,
    pub(in crate::edge) polling: RefCell<Polling>,
    pub(in crate::edge) reports: RefCell<Reports>,
    pub(in crate::edge) crowds: RefCell<Crowds>,
    pub(in crate::edge) l2_reads: RefCell<L2Reads<Rc<SharedPage>>>,
    /// What is counted and not handed over yet.
    pub(in crate::edge) tally: RefCell<Tally>,
    /// Lines of the log: their budget, and how many were left out since the last one.
    pub(in crate::edge) log: RefCell<(TokenBucket, u64)>,
    /// The opened L1 with its name, so that a HIT awaits one promise less.
    pub(in crate::edge) l1: RefCell<Option<(String, Cache)>>,
}

impl Deployment {
    /// Returns what is known of a deployment, for as long as any settings refer to it.
    pub(in crate::edge) fn of(id: DeploymentId, tag_shards: u16) -> Rc<Self> {
        DEPLOYMENTS.with_borrow_mut(|known| {
            known.retain(|deployment| deployment.strong_count() > 0);
            let is_same = |deployment: &Rc<Self>| deployment.id == id && deployment.tag_shards == tag_shards;
            known.iter().filter_map(Weak::upgrade).find(is_same).unwrap_or_else(|| {
                let deployment = Rc::new(Self {
                    id,
                    tag_shards,
                    polling: RefCell::default(),
                    reports: RefCell::default(),
                    crowds: RefCell::default(),
                    l2_reads: RefCell::default(),
                    tally: RefCell::default(),
                    log: RefCell::default(),
                    l1: RefCell::default(),
                });
                known.push(Rc::downgrade(&deployment));
                deployment
            })
        })
    }

    /// Records an invalidation that passed through this isolate, without waiting for the next poll.
    pub(in crate::edge) fn note(&self, invalidation: Invalidation) {
        self.polling.borrow_mut().note(invalidation);
    }

    /// Makes a decision with the current [`Polling`].
    pub(in crate::edge) fn with<T>(&self, decide: impl FnOnce(&Polling) -> T) -> T {
        decide(&self.polling.borrow())
    }
}

/// Returns what was read from an `env`, or reads it. Logs problems that are new.
pub(in crate::edge) fn settings(env: &Env, read: impl FnOnce() -> Result<Settings, ConfigError>) -> Read {
    let known = READ.with_borrow_mut(|known| {
        let at = known.iter().position(|(other, _)| js_sys::Object::is(other, env))?;
        known[..=at].rotate_right(1);
        Some(known[0].1.clone())
    });
    if let Some(known) = known {
        return known;
    }
    let read = read().map(Rc::new).map_err(Rc::new);
    READ.with_borrow_mut(|known| {
        if let Err(error) = &read {
            let is_logged = known.iter().any(|(_, other)| other.as_ref().err() == Some(error));
            if !is_logged {
                worker::console_error!("cloudflare-isr is not configured:\n{error}");
            }
        }
        known.truncate(KEPT - 1);
        known.insert(0, (env.clone(), read.clone()));
    });
    read
}

/// Forgets what was read, because the settings given in code have changed.
pub(in crate::edge) fn forget_settings() {
    READ.take();
}
